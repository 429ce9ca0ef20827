//! A market between its definition and its first commit.

use fillstream_tests::{Process, socket::Client};
use serde_json::{Value, json};

use crate::{
    market_cases::{
        ANN, assert_says,
        desk::{Desk, limit, with},
        ear::Ear,
        text,
    },
    site::quiet,
};

const XRP: &str = "XRP/USDT";

fn nothing(message: &Value) {
    let nobody = json!({
        "type": "orderbook_update", "symbol": XRP, "snapshot": true, "spread": null,
        "best_bid": null, "best_ask": null, "bid_quantity": null, "ask_quantity": null,
    });
    assert_says(message, &nobody);
    assert!(text(message, "timestamp").starts_with("20"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_market_can_be_watched_as_soon_as_it_is_added() {
    let desk = Desk::up(&[]);
    let path = "/ws/markets/XRP-USDT";
    assert_eq!(Client::open(desk.address(), path).await.err(), Some(404), "not yet");
    desk.printed(&["market", "add", XRP]);
    let mut book = Ear::open(&desk, path).await;
    nothing(&book.next().await);
    desk.place(&with(limit(ANN, "SELL", 2, 3), &json!({"symbol": XRP}))).await;
    assert_says(&book.next().await, &json!({"best_ask": "3", "ask_quantity": "2"}));
}

/// However long nobody matches.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_market_without_a_matcher_is_an_empty_one() {
    let desk = Desk::serve("api,bridge,projector");
    let url = desk.0.nats.as_ref().expect("a nats-server of the test's own").url();
    let nats = format!("--nats-url={url}");
    desk.printed(&["market", "add", XRP, &nats]);
    let mut book = Ear::open(&desk, "/ws/markets/XRP-USDT").await;
    nothing(&book.next().await);
    let mut many = Ear::open(&desk, "/ws").await;
    many.subscribe("trades", Some(XRP)).await;
    many.subscribe("depth", Some(XRP)).await;
    assert_says(
        &many.next().await,
        &json!({"type": "depth_snapshot", "bids": [], "asks": [], "checksum": 0}),
    );
    desk.place(&with(limit(ANN, "SELL", 2, 3), &json!({"symbol": XRP}))).await;

    // Whoever is there already misses nothing of its first commits.
    let data = format!("--data={}", desk.0.scratch.path().display());
    let _matcher = Process::spawn(quiet(&["serve", "--role=matcher", &nats, &data]));
    assert_says(&book.next().await, &json!({"best_ask": "3", "ask_quantity": "2"}));
    assert_says(&many.next().await, &json!({"type": "depth_update", "asks": [["3", "2"]]}));
    desk.place(&with(limit(ANN, "BUY", 2, 3), &json!({"symbol": XRP}))).await;
    assert_says(&book.next().await, &json!({"best_ask": null}));
    let mut types: Vec<_> = many.take(2).await.iter().map(|told| text(told, "type").to_owned()).collect();
    types.sort();
    assert_eq!(types, ["depth_update", "trade_executed"]);
}
