//! Resume: from every position exactly the rest; from nowhere, the whole again and why.

use std::collections::BTreeSet;

use fillstream_tests::{
    http::{place, post},
    socket::Client,
};
use serde_json::Value;

use super::{BOTH, Family, chain, kinds};
use crate::site::Site;

/// An order with three attempts that has ended, watched live on both families.
async fn ended(site: &Site) -> (String, [Vec<Value>; 2]) {
    let order = place(site.address(), "RUSH", "USDC").await;
    let (on_a, on_b) = tokio::join!(Family::A.all(site, &order, None), Family::B.all(site, &order, None));
    (order, [on_a, on_b])
}

/// The entries of the one backfill, and nothing but it beside the greeting and the replayed message.
fn rest(family: Family, messages: &[Value]) -> Vec<(u64, u64, String)> {
    let backfill = messages.iter().find(|message| message["type"] == "backfill").expect("a backfill");
    let logs = backfill["logs"].as_array().expect("logs");
    let greeting: &[&str] = match (family, logs.is_empty()) {
        (Family::A, false) => &["connection", "subscribed", "backfill", "failed"],
        (Family::A, true) => &["connection", "subscribed", "backfill"],
        (Family::B, _) => &["backfill"],
    };
    assert_eq!(kinds(messages), greeting, "{messages:#?}");
    let number = |log: &Value, name: &str| log[name].as_u64().expect("a number");
    let kind = if family == Family::A { "type" } else { "status" };
    let entry = |log: &Value| {
        (number(log, "seq"), number(log, "index"), log[kind].as_str().unwrap_or_default().to_owned())
    };
    logs.iter().map(entry).collect()
}

#[tokio::test]
async fn every_position_leads_to_exactly_the_rest() {
    let site = Site::up(&["--quote-delay=100ms", "--socket-linger=5ms"]);
    let (order, watched) = ended(&site).await;
    for (family, messages) in BOTH.into_iter().zip(watched) {
        let held = family.held(&site, &order).await;
        let end = held.last().map(|(seq, index, _)| (*seq, *index)).expect("an end");
        let mut positions = BTreeSet::new();
        for message in messages.iter().filter(|message| message["token"].is_string()) {
            let (seq, index) = (message["seq"].as_u64(), message["index"].as_u64());
            let at = seq.zip(index).expect("a token has a position");
            let after: Vec<_> = held.iter().filter(|entry| (entry.0, entry.1) > at).cloned().collect();
            let again = family.all(&site, &order, message["token"].as_str()).await;
            assert_eq!(rest(family, &again), after, "{family:?} after {at:?}");
            let backfill = again.iter().find(|message| message["type"] == "backfill").expect("a backfill");
            let says = (backfill["seq"].as_u64(), backfill["index"].as_u64());
            assert_eq!(says, (Some(end.0), Some(end.1)), "{family:?} after {at:?}");
            positions.insert(at);
        }
        // What came before the socket has no token of its own: two entries, before the quotes are there.
        assert!(positions.len() + 2 > held.len(), "{positions:?} of {held:?}");
        let seqs: BTreeSet<_> = held.iter().map(|entry| entry.0).chain([0]).collect();
        for seq in seqs {
            let after: Vec<_> = held.iter().filter(|entry| entry.0 > seq).cloned().collect();
            let again = family.all(&site, &order, Some(&seq.to_string())).await;
            assert_eq!(rest(family, &again), after, "{family:?} after all of {seq}");
        }
    }
}

fn last_token(messages: Vec<Value>) -> String {
    let token = messages.iter().filter_map(|message| message["token"].as_str()).next_back();
    token.expect("a token").to_owned()
}

#[tokio::test]
async fn a_token_from_elsewhere_starts_anew_and_says_why() {
    let (site, other_site) = (Site::up(&["--socket-linger=5ms"]), Site::up(&["--socket-linger=5ms"]));
    let keyed = [("Idempotency-Key", "the-same-on-both")];
    let body = r#"{"tokenIn":"SOL","tokenOut":"USDC","amount":10}"#;
    let mut orders = Vec::new();
    for site in [&site, &other_site] {
        let placed = post(site.address(), "/api/orders/execute", &keyed, body).await.json();
        orders.push(placed["orderId"].as_str().expect("an id").to_owned());
    }
    assert_eq!(orders[0], orders[1]);
    let order = &orders[0];
    let another = place(site.address(), "SOL", "USDC").await;
    for family in BOTH {
        let messages = family.all(&site, order, None).await;
        let sibling = if family == Family::A { Family::B } else { Family::A };
        for (case, after) in [
            ("another order's", last_token(family.all(&site, &another, None).await)),
            ("the other family's", last_token(sibling.all(&site, order, None).await)),
            ("another stream's", last_token(family.all(&other_site, order, None).await)),
            ("ahead of the stream", "999999".to_owned()),
        ] {
            let again = family.all(&site, order, Some(&after)).await;
            let reset = again.iter().position(|message| message["type"] == "reset");
            let reset = reset.unwrap_or_else(|| panic!("{case} on {family:?}: no reset in {again:#?}"));
            assert!(again[reset]["reason"].as_str().is_some_and(|why| !why.is_empty()), "{case}");
            assert!(again[reset]["token"].is_string() && again[reset]["timestamp"].is_string(), "{case}");
            assert_eq!(again[reset + 1]["type"], "backfill", "{case}");
            assert_eq!(chain(&again).entries, chain(&messages).entries, "{case} on {family:?}");
        }
        let token = last_token(messages);
        let (shortened, swapped) = (&token[1..], format!("{}A", &token[..token.len() - 1]));
        for after in ["", "x", "-1", "1.5", "%ff", "18446744073709551616", "null", shortened, &swapped] {
            if after == token {
                continue;
            }
            let refused = Client::open(site.address(), &family.path(order, Some(after))).await.err();
            assert_eq!(refused, Some(400), "{family:?} after {after:?}");
        }
    }
}
