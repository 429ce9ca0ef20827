//! nats-server dies under load: what was acknowledged is there, and ends once.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use fillstream_domain::{OrderId, subject::SwapSubject};
use fillstream_tests::{Process, http::request, stream};
use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::time::sleep;
use uuid::Uuid;

use super::{stage::Stage, witness::Witness};

const CLIENTS: usize = 12;
const ORDERS_OF_CLIENT: usize = 40;
const KILLS: u64 = 6;
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(2);
/// A client waits for this long before it repeats a request that was not answered well.
const AGAIN: Duration = Duration::from_millis(20);

/// The orders that were answered with 201, each with the sequence in that answer.
type Acknowledged = Mutex<BTreeMap<OrderId, u64>>;

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_nats_server_is_killed() {
    let stage = Stage::new("nats-killed").await;
    let witness = Witness::open(&stage).await;
    let faults = "drop=200,lose_reply=200";
    let _parts = ["executor", "executor", "projector,bridge"]
        .map(|roles| Process::start(stage.command(roles, faults, None)));
    let acknowledged = Acknowledged::default();
    let clients = join_all((0..CLIENTS).map(|_| place_orders(&stage, &acknowledged)));
    tokio::join!(clients, kill_again_and_again(&stage, &acknowledged));

    witness.settle().await;
    witness.assert_exactly_once().await;
    let mut stored = BTreeMap::new();
    for record in stream::all(&witness.log).await {
        if let Some(SwapSubject::Placed(order)) = SwapSubject::parse(&record.subject) {
            stored.insert(order, record.seq.get());
        }
    }
    assert_eq!(stored, *acknowledged.lock(), "each order is where its 201 says");
    assert!(stage.nats().restarts() >= KILLS);
}

/// A client that repeats each request with its key until it is answered with 201.
async fn place_orders(stage: &Stage, acknowledged: &Acknowledged) {
    let body = br#"{"tokenIn":"SOL","tokenOut":"USDC","amount":1}"#;
    for _ in 0..ORDERS_OF_CLIENT {
        let key = Uuid::now_v7().to_string();
        let headers = [("Content-Type", "application/json"), ("Idempotency-Key", &*key)];
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = request(stage.address(), "POST", "/api/orders/execute", &headers, body).await;
            match answer {
                Some(answer) if answer.status == 201 => {
                    let json = answer.json();
                    let order = stage.note(json["orderId"].as_str().unwrap_or_default());
                    acknowledged.lock().insert(order, json["seq"].as_u64().unwrap_or_default());
                    break;
                }
                Some(answer) => assert_eq!(answer.status, 503, "{}", String::from_utf8_lossy(&answer.body)),
                None => {}
            }
            assert!(Instant::now() < deadline, "no order can be placed any more");
            sleep(AGAIN).await;
        }
    }
}

/// Kills the server whenever some more orders were acknowledged, and the former death was got over.
async fn kill_again_and_again(stage: &Stage, acknowledged: &Acknowledged) {
    let share = CLIENTS * ORDERS_OF_CLIENT / usize::try_from(KILLS + 1).expect("a few");
    let deadline = Instant::now() + PATIENCE;
    for kill in 1..=KILLS {
        let due = share * usize::try_from(kill).expect("a few");
        while acknowledged.lock().len() < due || stage.nats().restarts() < kill - 1 {
            assert!(Instant::now() < deadline, "orders are not placed any more");
            sleep(POLL).await;
        }
        stage.nats().kill();
    }
}
