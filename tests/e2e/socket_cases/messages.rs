//! Every message of both families, field by field.

use std::time::{Duration, Instant};

use fillstream_tests::{http::place, socket::Heard};
use serde_json::Value;

use super::{BOTH, Family, chain, kinds};
use crate::site::Site;

/// Slow enough for a socket to be there before the quotes are.
const QUOTES_LATER: &str = "--quote-delay=200ms";

const GOOD: [(&str, u64); 7] = [
    ("pending", 0),
    ("routing", 10),
    ("routing", 30),
    ("building", 50),
    ("building", 70),
    ("submitted", 75),
    ("confirmed", 100),
];
const DUST: [(&str, u64); 7] = [
    ("pending", 0),
    ("routing", 10),
    ("retrying", 0),
    ("routing", 10),
    ("retrying", 0),
    ("routing", 10),
    ("failed", 0),
];

fn text<'a>(message: &'a Value, name: &str) -> &'a str {
    message[name].as_str().filter(|text| !text.is_empty()).unwrap_or_else(|| panic!("{name} of {message:#}"))
}

fn assert_tells(message: &Value, names: &[&str]) {
    for name in names {
        text(message, name);
    }
}

fn assert_same(message: &Value, other: &Value, names: &[&str]) {
    for name in names {
        assert_eq!(message[name], other[name], "{name} of {message:#}");
    }
}

fn number(message: &Value, name: &str) -> u64 {
    message[name].as_u64().unwrap_or_else(|| panic!("{name} of {message:#}"))
}

/// Family A's fields are on everything it says.
fn assert_family_a(order: &str, message: &Value) {
    assert_eq!(text(message, "orderId"), order, "{message:#}");
    assert!(number(message, "progress") <= 100, "{message:#}");
    assert_tells(message, &["type", "message", "timestamp"]);
}

/// What every message has that stems from an event.
fn assert_positioned(message: &Value) {
    for name in ["seq", "index", "prev_seq", "prev_index"] {
        number(message, name);
    }
    text(message, "token");
}

/// What a family A entry tells beyond its progress; live, replayed, and in the backfill.
fn assert_details(entry: &Value) {
    let told: &[&str] = match (text(entry, "type"), number(entry, "progress")) {
        ("routing", 30) => &["raydiumQuote", "meteoraQuote"],
        ("building", 50) => &["selectedDex"],
        ("confirmed", _) => &["txHash"],
        ("failed", _) => &["error"],
        _ => &[],
    };
    assert_tells(entry, told);
    let (kind, progress) = (text(entry, "type"), number(entry, "progress"));
    if ["submitted", "retrying"].contains(&kind) {
        assert_eq!(number(entry, "maxAttempts"), 3, "{entry:#}");
    }
    let sentence = match (kind, progress) {
        ("routing", 30) => "Received 2 quotes".to_owned(),
        ("building", 70) => "Transaction built, ready to submit".to_owned(),
        ("submitted", _) => format!("Submitting transaction (attempt {}/3)...", number(entry, "attempt")),
        ("retrying", _) => return assert!(number(entry, "delayMs") > 0 && number(entry, "attempt") > 0),
        _ => return,
    };
    assert_eq!(text(entry, "message"), sentence);
}

#[tokio::test]
async fn family_a_tells_every_step() {
    let site = Site::up(&[QUOTES_LATER]);
    for (token_in, expected) in [("SOL", GOOD.to_vec()), ("DUST", DUST.to_vec()), ("RUSH", rush())] {
        let order = place(site.address(), token_in, "USDC").await;
        let messages = Family::A.all(&site, &order, None).await;
        messages.iter().for_each(|message| assert_family_a(&order, message));
        assert_eq!(messages[0]["type"], "connection");
        assert_eq!(messages[0]["message"], "Connected to order status stream");
        assert_eq!(messages[1]["type"], "subscribed");
        text(&messages[1], "token");
        let backfill = &messages[2];
        assert_eq!(backfill["type"], "backfill");
        let logs = backfill["logs"].as_array().expect("logs");
        let last = logs.last().expect("the placed event at least");
        assert_same(backfill, last, &["progress", "message", "seq", "index", "status"]);
        text(backfill, "token");
        let replayed = usize::from(last["status"] != "pending");
        let (again, live) = messages[3..].split_at(replayed);
        for message in again {
            assert_eq!((&message["replayed"], &message["token"]), (&true.into(), &backfill["token"]));
            assert_same(message, last, &["type", "progress", "message", "timestamp", "seq", "index"]);
        }
        assert!(live.len() >= 4, "most of {token_in} was to be seen live");
        for message in again.iter().chain(live) {
            assert_positioned(message);
        }
        assert!(live.iter().all(|message| message.get("replayed").is_none()), "{live:#?}");
        for (message, next) in live.iter().zip(live.iter().skip(1).map(Some).chain([None])) {
            let ends = next.is_none_or(|next| next["seq"] != message["seq"]);
            assert_eq!(message["last"] == true, ends, "{message:#}");
        }
        let entries: Vec<_> = logs.iter().chain(live).collect();
        let steps: Vec<_> =
            entries.iter().map(|entry| (text(entry, "type"), number(entry, "progress"))).collect();
        assert_eq!(steps, expected, "{token_in}");
        entries.into_iter().for_each(assert_details);
        assert_eq!(chain(&messages).entries, Family::A.held(&site, &order).await, "{token_in}");
    }
}

fn rush() -> Vec<(&'static str, u64)> {
    let attempt = |submitted, end| {
        [
            ("routing", 10),
            ("routing", 30),
            ("building", 50),
            ("building", 70),
            ("submitted", submitted),
            (end, 0),
        ]
    };
    let attempts = [attempt(75, "retrying"), attempt(80, "retrying"), attempt(85, "failed")];
    [("pending", 0)].into_iter().chain(attempts.into_iter().flatten()).collect()
}

/// A change of status, with what family B tells of it.
fn assert_family_b(order: &str, message: &Value) {
    assert_eq!(message["type"], "status_update", "{message:#}");
    assert_eq!(text(message, "orderId"), order);
    text(message, "timestamp");
    assert_positioned(message);
    assert_eq!((number(message, "index"), &message["last"]), (0, &Value::Bool(true)), "{message:#}");
    let told: &[&str] = match text(message, "status") {
        "building" => &["raydiumQuote", "meteoraQuote", "selectedDex"],
        "confirmed" => &["txHash", "executedPrice", "amountOut", "dexUsed"],
        "failed" => &["failureReason"],
        _ => &[],
    };
    assert_tells(message, told);
    if message["status"] == "failed" {
        assert_eq!((number(message, "attempt"), number(message, "maxAttempts")), (3, 3));
    }
}

#[tokio::test]
async fn family_b_tells_every_change_and_nothing_else() {
    let site = Site::up(&[QUOTES_LATER]);
    let attempt = ["routing", "building", "submitted"];
    for (token_in, expected) in [
        ("SOL", [&["pending"], &attempt[..], &["confirmed"]].concat()),
        ("DUST", vec!["pending", "routing", "failed"]),
        ("RUSH", [&["pending"], &attempt[..], &attempt, &attempt, &["failed"]].concat()),
    ] {
        let order = place(site.address(), token_in, "USDC").await;
        let messages = Family::B.all(&site, &order, None).await;
        let (backfill, live) = messages.split_first().expect("a backfill");
        assert_eq!(backfill["type"], "backfill");
        assert_eq!(text(backfill, "orderId"), order);
        let logs = backfill["logs"].as_array().expect("logs");
        assert_eq!(backfill["status"], logs.last().expect("the placed event")["status"]);
        for log in logs {
            assert_tells(log, &["timestamp", "status", "message"]);
            number(log, "seq");
        }
        assert!(!live.is_empty(), "{token_in} was to be seen live");
        live.iter().for_each(|message| assert_family_b(&order, message));
        let chain = chain(&messages);
        assert_eq!(chain.kinds(), expected, "{token_in}");
        assert_eq!(chain.entries, Family::B.held(&site, &order).await, "{token_in}");
        let reason = live.last().map(|message| message["failureReason"].clone()).unwrap_or_default();
        match token_in {
            "DUST" => assert_eq!(reason, "Insufficient liquidity in pool"),
            "RUSH" => assert!(reason.as_str().is_some_and(|text| text.to_lowercase().contains("slippage"))),
            _ => assert_eq!(reason, Value::Null),
        }
    }
}

#[tokio::test]
async fn an_ended_order_is_told_and_closed() {
    let site = Site::up(&[]);
    for token_in in ["SOL", "DUST", "RUSH"] {
        let order = place(site.address(), token_in, "USDC").await;
        let live = Family::A.all(&site, &order, None).await;
        let end = live.last().expect("an end");
        for family in BOTH {
            let mut client = family.open(&site, &order, None).await;
            let expected: &[&str] = match family {
                Family::A => &["connection", "subscribed", "backfill", text(end, "type")],
                Family::B => &["backfill"],
            };
            let mut messages = Vec::new();
            while messages.len() < expected.len() {
                messages.push(client.message().await);
            }
            let closed = client.hear().await;
            assert!(matches!(closed, Heard::Closed(1000, _)), "{closed:?} is not the close");
            assert_eq!(kinds(&messages), expected, "{family:?}");
            assert_eq!(
                chain(&messages).entries,
                family.held(&site, &order).await,
                "{family:?} of {token_in}"
            );
            if family == Family::A {
                assert_eq!((&messages[3]["replayed"], &messages[3]["token"]), (&true.into(), &end["token"]));
            }
        }
    }
}

#[tokio::test]
async fn a_socket_lingers_after_the_end() {
    let site = Site::up(&["--socket-linger=1s"]);
    let order = place(site.address(), "SOL", "USDC").await;
    let watching = Instant::now();
    Family::B.all(&site, &order, None).await;
    assert!(watching.elapsed() >= Duration::from_secs(1), "closed after {:?}", watching.elapsed());
}

#[tokio::test]
async fn an_order_that_waits_is_told_and_nothing_more() {
    let site = Site::serve("api,bridge", &["--ping-interval=50ms", "--silence-limit=5s"]);
    let order = place(site.address(), "SOL", "USDC").await;
    for (family, greeting) in
        [(Family::A, &["connection", "subscribed", "backfill"][..]), (Family::B, &["backfill"])]
    {
        let mut client = family.open(&site, &order, None).await;
        for kind in greeting {
            assert_eq!(client.message().await["type"], *kind);
        }
        assert_eq!(client.hear_within(Duration::from_millis(500)).await, Heard::Silence, "{family:?}");
    }
}
