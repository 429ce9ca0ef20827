//! Messages of each socket: fields, types, order, and to whom.

use serde_json::{Value, json};

use super::{ANN, BOB, EVE, assert_says, desk::Desk, ear::Ear, text};

/// All that an order's owner is told, but for what the position adds.
fn update(action: &str, order: &Value, status: &str, filled: &str) -> Value {
    json!({
        "type": "order_update", "action": action, "status": status, "filled_quantity": filled,
        "order_id": order["order_id"], "user_id": order["user_id"], "symbol": order["symbol"],
        "side": order["side"], "quantity": order["quantity"], "price": order["price"],
    })
}

fn top(bid: Option<(&str, &str)>, ask: Option<(&str, &str)>, spread: Option<&str>) -> Value {
    json!({
        "type": "orderbook_update", "symbol": "BTC/USDT", "spread": spread,
        "best_bid": bid.map(|level| level.0), "bid_quantity": bid.map(|level| level.1),
        "best_ask": ask.map(|level| level.0), "ask_quantity": ask.map(|level| level.1),
    })
}

/// As `2026-01-10T07:30:15.123Z`.
fn assert_time(message: &Value, name: &str) {
    let time = text(message, name);
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z", "{name} of {message}");
}

/// Everybody who may hear something.
struct Room {
    ann: Ear,
    bob: Ear,
    eve: Ear,
    trades: Ear,
    books: Vec<Ear>,
}

impl Room {
    async fn new(desk: &Desk) -> Self {
        let orders = |user| format!("/ws/orders?user_id={user}");
        let mut books = Vec::new();
        for spelling in ["BTC/USDT", "BTC-USDT", "BTC%2FUSDT"] {
            let mut book = Ear::open(desk, &format!("/ws/markets/{spelling}")).await;
            let first = book.next().await;
            assert_says(&first, &top(None, None, None));
            assert_time(&first, "timestamp");
            books.push(book);
        }
        Self {
            ann: Ear::open(desk, &orders(ANN)).await,
            bob: Ear::open(desk, &orders(BOB)).await,
            eve: Ear::open(desk, &orders(EVE)).await,
            trades: Ear::open(desk, "/ws/trades").await,
            books,
        }
    }

    /// All spellings are one market.
    async fn top(&mut self, expected: &Value) {
        for book in &mut self.books {
            assert_says(&book.next().await, expected);
        }
    }
}

async fn hears(ear: &mut Ear, expected: &Value) {
    let message = ear.next().await;
    assert_says(&message, expected);
    assert_time(&message, "timestamp");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_hear_of_their_orders_and_everybody_of_trades() {
    let desk = Desk::up(&[]);
    let mut room = Room::new(&desk).await;

    let sell = desk.place(&super::desk::limit(ANN, "SELL", "2.0", "100.50")).await;
    assert_says(
        &sell,
        &json!({
            "client_order_id": null, "user_id": ANN, "symbol": "BTC/USDT", "side": "SELL", "type": "LIMIT",
            "time_in_force": "GTC", "post_only": false, "status": "OPEN", "price": "100.5", "quantity": "2",
            "filled_quantity": "0", "remaining_quantity": "2", "average_price": null,
        }),
    );
    assert_time(&sell, "created_at");
    assert_time(&sell, "updated_at");
    hears(&mut room.ann, &update("created", &sell, "OPEN", "0")).await;
    room.top(&top(None, Some(("100.5", "2")), None)).await;

    let buy = desk.place(&super::desk::limit(BOB, "BUY", 0.5, 101)).await;
    assert_says(&buy, &json!({"status": "OPEN", "filled_quantity": "0", "price": "101"}));
    hears(&mut room.bob, &update("created", &buy, "OPEN", "0")).await;
    hears(&mut room.bob, &update("filled", &buy, "FILLED", "0.5")).await;
    hears(&mut room.ann, &update("partially_filled", &sell, "OPEN", "0.5")).await;
    trade(&mut room.trades, &sell, &buy).await;
    room.top(&top(None, Some(("100.5", "1.5")), None)).await;

    let bought = desk.until_status(BOB, text(&buy, "order_id"), "FILLED").await;
    assert_says(
        &bought,
        &json!({"remaining_quantity": "0", "average_price": "100.5", "filled_quantity": "0.5"}),
    );
    only_the_top(&desk, &mut room).await;
    market_order(&desk, &mut room).await;
    nothing_was_missed(room).await;
}

/// 0.5 at 100.5 are 50.25: 0.1 % for who took, 0.05 % for who made.
async fn trade(trades: &mut Ear, sell: &Value, buy: &Value) {
    let trade = trades.next().await;
    assert_says(
        &trade,
        &json!({
            "type": "trade_executed", "symbol": "BTC/USDT", "price": "100.5", "quantity": "0.5",
            "buyer_id": BOB, "seller_id": ANN, "buyer_fee": "0.05025", "seller_fee": "0.025125",
            "maker_order_id": sell["order_id"], "taker_order_id": buy["order_id"], "last": true,
            "index": 0, "prev_seq": 0, "prev_index": 0,
        }),
    );
    assert_time(&trade, "executed_at");
    let id = text(&trade, "trade_id");
    assert!(id.len() == 36 && id.as_bytes()[14] == b'5', "{id} is derived");
}

/// Orders behind the best price change no top; the next one is that of a better order.
async fn only_the_top(desk: &Desk, room: &mut Room) {
    let deep = desk.limit(ANN, "SELL", 1, 110).await;
    desk.limit(BOB, "BUY", 3, 99).await;
    desk.limit(BOB, "BUY", 4, 98).await;
    let path = format!("/api/v1/orders/{deep}?user_id={ANN}");
    assert_eq!(desk.ask("DELETE", &path, None).await.json()["status"], "CANCELLED");
    desk.limit(BOB, "BUY", 1, "99.00").await;
    room.top(&top(Some(("99", "3")), Some(("100.5", "1.5")), Some("1.5"))).await;
    room.top(&top(Some(("99", "4")), Some(("100.5", "1.5")), Some("1.5"))).await;
    room.ann.take(2).await;
    room.bob.take(3).await;
}

/// Sweeps both bids at 99, then finds more at 98; what it leaves over is cancelled.
async fn market_order(desk: &Desk, room: &mut Room) {
    let order = json!({
        "user_id": EVE, "symbol": "BTC-USDT", "side": "SELL", "type": "MARKET", "quantity": "10",
    });
    let sell = desk.place(&order).await;
    assert_says(
        &sell,
        &json!({"price": null, "time_in_force": "IOC", "type": "MARKET", "symbol": "BTC/USDT"}),
    );
    hears(&mut room.eve, &update("created", &sell, "OPEN", "0")).await;
    for filled in ["3", "4", "8"] {
        hears(&mut room.eve, &update("partially_filled", &sell, "OPEN", filled)).await;
    }
    hears(&mut room.eve, &update("cancelled", &sell, "CANCELLED", "8")).await;
    let prices: Vec<_> =
        room.trades.take(3).await.iter().map(|trade| text(trade, "price").to_owned()).collect();
    assert_eq!(prices, ["99", "99", "98"]);
    room.bob.take(3).await;
    room.top(&top(None, Some(("100.5", "1.5")), None)).await;
    let shown = desk.until_status(EVE, text(&sell, "order_id"), "CANCELLED").await;
    assert_says(&shown, &json!({"remaining_quantity": "0", "filled_quantity": "8", "average_price": "98.5"}));
}

/// Everybody heard of their own orders alone, and of each change once.
async fn nothing_was_missed(room: Room) {
    for (ear, user, count) in [(&room.ann, ANN, 4), (&room.bob, BOB, 8), (&room.eve, EVE, 5)] {
        assert_eq!(ear.line().heard.len(), count, "{user}");
        assert!(ear.line().heard.iter().all(|update| update["user_id"] == user));
    }
    assert_eq!(room.trades.line().heard.len(), 4);
}
