//! Records that no part can read: they are put aside where an operator sees them, and harm no other order.

use std::time::{Duration, Instant};

use fillstream_crash_point::Boundary;
use fillstream_domain::{
    OrderId, Seq,
    subject::{swap_placed, swap_progress},
};
use fillstream_event_log::{Consistency, EventLog, JetStreamLog, NewRecord};
use fillstream_tests::{Process, http, stream};
use serde_json::Value;
use tokio::time::sleep;
use uuid::Uuid;

use super::{
    plan::Point,
    slot::{assert_died, ended},
    stage::{Stage, Told},
    witness::audit_when_still,
};

const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);
const NEWER: &str = r#"{"type":"swap.placed","version":99,"order_id":"x"}"#;

/// Both read every message of a swap, and each puts aside what it cannot read.
const PARTS: [&str; 2] = ["executor", "projector"];

#[tokio::test]
async fn what_cannot_be_read_waits_for_an_operator_and_harms_nobody_else() {
    let stage = Stage::new("parked").await;
    let log = stream::open(&stage.nats().url()).await;
    assert_eq!(list(&stage), "nothing is parked\n");
    // One order has a transaction on record, the other one has only been placed.
    let held_up = [halfway(&stage).await, http::place(stage.address(), "SOL", "USDC").await];
    let mut garbage = Vec::new();
    for payload in ["garbage", NEWER] {
        // Only the first record of a subject places an order: each has one of its own.
        let placed = swap_placed(OrderId::new(Uuid::now_v7()));
        for subject in [&*placed, "orders.swap.x.placed"] {
            garbage.push(append(&log, subject, payload).await);
        }
    }
    for order in &held_up {
        let order = order.parse().expect("a UUID");
        garbage.push(append(&log, &swap_progress(order), "garbage").await);
    }
    let _parts = Process::start(stage.command("executor,projector", "", None));

    until_listed(&stage, &garbage).await;
    for (token_in, status) in [("SOL", "confirmed"), ("DUST", "failed")] {
        let other = http::place(stage.address(), token_in, "USDC").await;
        until_status(&stage, &other, status).await;
    }
    for (order, status) in held_up.iter().zip(["submitted", "pending"]) {
        until_status(&stage, order, status).await;
    }

    // Appended anew it cannot be read either: put aside at its new place, and at no other.
    for seq in &mut garbage {
        let said = stage.printed(&["parked", "retry", "executor", &seq.to_string()]);
        let begins = format!("the message of sequence {seq} is appended anew as ");
        let again = said.strip_prefix(&begins).and_then(|again| again.trim().parse().ok());
        *seq = again.unwrap_or_else(|| panic!("{said}"));
    }
    until_listed(&stage, &garbage).await;

    // Left out, it no longer stands in the way of its order.
    for seq in garbage.iter().map(ToString::to_string) {
        for part in PARTS {
            stage.printed(&["parked", "skip", part, &seq]);
            let again = stage.run(&["parked", "skip", part, &seq], None);
            let refusal = format!("fillstream: there is no open entry parked.{part}.{seq}");
            assert!(String::from_utf8_lossy(&again.stderr).starts_with(&refusal), "{again:?}");
        }
    }
    // What was left out may have been a transaction: no other one is signed, and an operator decides.
    for order in &held_up {
        until(&stage, order, "is under review", |shown| shown["needsReview"] == true).await;
        let said = stage.printed(&["resolve", order, "dead"]);
        assert_eq!(said, format!("order {order} is resolved: failed\n"));
        until_status(&stage, order, "failed").await;
        let executions = audit_when_still(&stage.ledgers()).await.order(order.parse().expect("a UUID"));
        assert_eq!((executions.sent, executions.landed), (0, 0), "{order}");
    }
    assert_eq!(list(&stage), "nothing is parked\n");
}

/// An order whose transaction is on record, and whose executor died before it was sent.
async fn halfway(stage: &Stage) -> String {
    let point = Point { boundary: Boundary::AfterPrepared, nth: 1, token_in: "SOL" };
    let mut executor = stage.executor("", Some(Told::Die(&point)));
    let order = http::place(stage.address(), "SOL", "USDC").await;
    let status = ended(&mut executor, PATIENCE).await.expect("the executor has died");
    assert_died(status, &point, &executor);
    order
}

fn list(stage: &Stage) -> String {
    stage.printed(&["parked", "list"])
}

/// Waits until both parts have put aside these messages and no other.
async fn until_listed(stage: &Stage, garbage: &[u64]) {
    let advice = |part: &str, seq: u64| format!("→ fillstream parked retry|skip {part} {seq}\n");
    let wanted: Vec<_> = PARTS.iter().flat_map(|part| garbage.iter().map(|seq| advice(part, *seq))).collect();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let listed = list(stage);
        if wanted.iter().all(|entry| listed.contains(entry)) {
            return assert_eq!(listed.matches('→').count(), wanted.len(), "{listed}");
        }
        assert!(Instant::now() < deadline, "{wanted:?} are not all listed:\n{listed}");
        sleep(POLL).await;
    }
}

/// Appends a message that no part can read; its sequence.
async fn append(log: &JetStreamLog, subject: &str, payload: &'static str) -> u64 {
    let record = NewRecord {
        subject: subject.to_owned(),
        after: Seq::new(last(log, subject).await),
        event_id: Uuid::now_v7(),
        event_type: "garbage".to_owned(),
        time: "2026-01-10T07:30:15.123Z".to_owned(),
        traceparent: None,
        retries: None,
        payload: payload.into(),
    };
    log.append(record).await.expect("the stream takes anything").get()
}

/// The last sequence of a subject, 0 when there is none.
async fn last(log: &JetStreamLog, subject: &str) -> u64 {
    log.last(subject, Consistency::Leader).await.expect("the stream answers").map_or(0, |last| last.seq.get())
}

async fn until_status(stage: &Stage, order: &str, status: &str) -> Value {
    until(stage, order, &format!("is {status}"), |shown| shown["status"] == status).await
}

async fn until(stage: &Stage, order: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let shown = http::get(stage.address(), &format!("/api/orders/{order}")).await.json();
        if is(&shown) {
            return shown;
        }
        assert!(Instant::now() < deadline, "{order} never {what}: {shown}");
        sleep(POLL).await;
    }
}
