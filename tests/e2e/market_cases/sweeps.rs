//! One order that trades with many others, over the whole path.

use std::collections::BTreeSet;

use fillstream_tests::socket::Client;
use serde_json::{Value, json};

use super::{
    ANN, BOB, amount, assert_says,
    desk::{Desk, limit, until, user},
    ear::{Ear, Line},
    place, text,
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
        let mut ear = Ear::resume(desk.address(), &after, Line::standing(&told[middle])).await.expect("a socket");
        let rest: Vec<_> = ear.take(told.len() - middle - 1).await;
        assert_eq!(rest, told[middle + 1..], "the same bytes behind {middle}");
    }
    let seq = place(&told[0]).0;
    let mut ear = Client::open(desk.address(), &format!("{path}{mark}after={}", seq - 1)).await.expect("a socket");
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
    for count in [999, 1_000, 1_001, 5_001] {
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
        println!("{count} makers in {} parts", told.iter().map(place).filter(|place| place.1 == 0).count());
        swept.extend(makers);
    }
    desk.limit(BOB, "BUY", 1, 1).await;
    projected(&desk, &swept).await;
    desk.verify();
}

/// 100 a piece: the sum of the parts is what one large fill would cost.
fn fees(told: &[Value]) {
    let sum = |name: &str| told.iter().map(|trade| amount(&trade[name])).sum::<u128>();
    let pieces = told.len() as u128;
    assert_eq!((sum("buyer_fee"), sum("seller_fee")), (pieces * 10_000_000, pieces * 5_000_000));
}

/// The rows come to the same: every maker filled, every trade there.
async fn projected(desk: &Desk, swept: &BTreeSet<String>) {
    let mut filled = BTreeSet::new();
    for n in 0..7 {
        let path = format!("/api/v1/orders?user_id={}&status=OPEN", user(n));
        until("no maker is open", async || {
            desk.get(&path).await["orders"].as_array().is_some_and(Vec::is_empty).then_some(())
        })
        .await;
        let path = format!("/api/v1/orders?user_id={}&status=FILLED&limit=1000", user(n));
        filled.extend(desk.pages(&path, "orders").await.iter().map(|order| text(order, "order_id").to_owned()));
    }
    assert_eq!(filled, *swept);
    let trades = desk.pages("/api/v1/markets/BTC-USDT/trades?limit=1000", "trades").await;
    assert_eq!(trades.len(), swept.len());
}
