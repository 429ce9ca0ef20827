//! One order that trades with many others, over the whole path.

use std::collections::BTreeSet;

use fillstream_tests::socket::Client;
use serde_json::{Value, json};

use super::{
    ANN, BOB, amount, assert_says,
    desk::{Desk, limit, until, user},
    ear::{Ear, Line},
    past, place, text,
};

/// So many sellers of 1 at 100.
async fn makers(desk: &Desk, count: usize) -> Vec<String> {
    let orders: Vec<_> = (0..count).map(|n| limit(&user(n % 7), "SELL", 1, 100)).collect();
    let mut ids = Vec::new();
    for chunk in orders.chunks(1000) {
        let placed = desk.batch(chunk).await;
        ids.extend(placed.iter().map(|result| text(&result["order"], "order_id").to_owned()));
    }
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_of_50_is_told_once_and_resumed_in_its_middle() {
    let desk = Desk::up(&[]);
    let orders = format!("/ws/orders?user_id={ANN}");
    let mut trades = Ear::open(&desk, "/ws/trades").await;
    let mut ann = Ear::open(&desk, &orders).await;
    let mut book = Ear::open(&desk, "/ws/markets/BTC-USDT").await;
    makers(&desk, 50).await;
    desk.limit(ANN, "BUY", 50, 100).await;

    let told = trades.take(50).await;
    let seq = place(&told[0]).0;
    for (index, trade) in told.iter().enumerate() {
        assert_eq!(place(trade), (seq, index as u64), "{trade}");
        assert_eq!(trade["last"] == true, index == 49, "{trade}");
    }
    let updates = ann.take(51).await;
    for (n, update) in updates.iter().enumerate() {
        let action = ["created", "partially_filled", "filled"][usize::from(n > 0) + usize::from(n == 50)];
        assert_says(update, &json!({"action": action, "filled_quantity": n.to_string(), "index": n}));
    }
    // The top changes with each maker that comes, as far as they were placed apart, and once with the sweep.
    let top = loop {
        let top = book.next().await;
        if top["best_ask"].is_null() && top["snapshot"].is_null() {
            break top;
        }
    };
    assert_eq!((place(&top).0, &top["ask_quantity"]), (seq, &Value::Null));
    resumed(&desk, "/ws/trades", &told).await;
    resumed(&desk, &orders, &updates).await;
    let foreign = format!("/ws/trades?after={}", text(&updates[1], "token"));
    let mut ear = Client::open(desk.address(), &foreign).await.expect("a socket");
    assert_says(&ear.message().await, &json!({"type": "reset", "stream": "trades"}));
}

/// Whoever comes back gets exactly the rest, whatever was said last; with a sequence, what is behind the whole event.
async fn resumed(desk: &Desk, path: &str, told: &[Value]) {
    let mark = if path.contains('?') { '&' } else { '?' };
    for middle in [0, 1, 24, told.len() - 2] {
        let after = format!("{path}{mark}after={}", text(&told[middle], "token"));
        let mut ear =
            Ear::resume(desk.address(), &after, Line::standing(&told[middle])).await.expect("a socket");
        let rest: Vec<_> = ear.take(told.len() - middle - 1).await;
        assert_eq!(rest, told[middle + 1..], "the same bytes behind {middle}");
    }
    let seq = place(&told[0]).0;
    let mut ear =
        Client::open(desk.address(), &format!("{path}{mark}after={}", seq - 1)).await.expect("a socket");
    assert_eq!(ear.message().await["seq"], seq);

    let ahead = format!("{path}{mark}after={}", seq + 1_000);
    let mut ear = Client::open(desk.address(), &ahead).await.expect("a socket");
    assert_says(&ear.message().await, &json!({"type": "reset"}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_makers_are_swept_by_one_order() {
    let desk = Desk::up(&[]);
    let mut trades = Ear::open(&desk, "/ws/trades").await;
    let mut ann = Ear::open(&desk, &format!("/ws/orders?user_id={ANN}")).await;
    let mut swept = BTreeSet::new();
    for count in [999, 1_000, 1_001, 5_001, 3_100] {
        let makers = makers(&desk, count).await;
        let taker = desk.limit(ANN, "BUY", count, 100).await;
        let told = trades.take(count).await;
        assert!(told.iter().all(|trade| trade["taker_order_id"] == *taker), "{count}");
        let hit: BTreeSet<_> = told.iter().map(|trade| text(trade, "maker_order_id").to_owned()).collect();
        assert_eq!(hit, makers.iter().cloned().collect(), "{count}: each once");
        let ids: BTreeSet<_> = told.iter().map(|trade| text(trade, "trade_id").to_owned()).collect();
        assert_eq!(ids.len(), count, "ids of trades");
        fees(&told);
        let updates = ann.take(count + 1).await;
        assert_says(&updates[count], &json!({"action": "filled", "filled_quantity": count.to_string()}));
        let parts = told.iter().filter(|trade| trade["index"] == 0).count();
        println!("{count} makers in {parts} parts, control messages: {}", trades.told.len() + ann.told.len());
        swept.extend(makers);
    }
    desk.limit(BOB, "BUY", 1, 1).await;
    projected(&desk, &swept).await;
    too_far(&desk, &trades.line().heard).await;
    past::equals_a_fold(&desk, 5).await;
    desk.verify();
}

/// 100 a piece: the sum of the parts is what one large fill would cost.
fn fees(told: &[Value]) {
    let sum = |name: &str| told.iter().map(|trade| amount(&trade[name])).sum::<u128>();
    let pieces = told.len() as u128;
    assert_eq!((sum("buyer_fee"), sum("seller_fee")), (pieces * 10_000_000, pieces * 5_000_000));
}

/// Who has missed more than 10,000 messages is sent to HTTP, and misses nothing there.
async fn too_far(desk: &Desk, told: &[Value]) {
    let mut ear = Ear::open(desk, "/ws").await;
    ear.subscribe("trades", Some("BTC/USDT")).await;
    let of_market = ear.told[0]["token"].clone();
    let mut ear = Ear::open(desk, "/ws").await;
    let subscribe =
        json!({"action": "subscribe", "stream": "trades", "symbol": "BTC/USDT", "after": place(&told[0]).0});
    ear.ask(&subscribe).await;
    let reset = ear.next().await;
    assert_says(&reset, &json!({"type": "reset", "reason": "too_far", "token": of_market}));
    let path = format!("/api/v1/markets/BTC-USDT/trades?limit=1000&cursor={}", text(&reset, "cursor"));
    let page = desk.get(&path).await;
    let newest: Vec<_> =
        page["trades"].as_array().expect("trades").iter().map(|trade| &trade["trade_id"]).collect();
    let missed: Vec<_> = told.iter().rev().take(1000).map(|trade| &trade["trade_id"]).collect();
    assert_eq!(newest, missed, "the pages begin where the socket goes on");
}

/// The rows come to the same: every maker filled, every trade there.
async fn projected(desk: &Desk, swept: &BTreeSet<String>) {
    let market = "/api/v1/markets/BTC-USDT/trades?limit=1000";
    let trades = until("all trades are listed", async || {
        Some(desk.pages(market, "trades").await).filter(|trades| trades.len() >= swept.len())
    });
    assert_eq!(trades.await.len(), swept.len());
    let mut filled = BTreeSet::new();
    for n in 0..7 {
        let path = format!("/api/v1/orders?user_id={}&limit=1000", user(n));
        let orders = desk.pages(&path, "orders").await;
        assert!(orders.iter().all(|order| order["status"] == "FILLED"), "{path}");
        filled.extend(orders.iter().map(|order| text(order, "order_id").to_owned()));
    }
    assert_eq!(filled.symmetric_difference(swept).count(), 0);
}
