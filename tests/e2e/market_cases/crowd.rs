//! Many clients at once: nothing is lost, and nobody hears of another's orders.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{
    desk::{Desk, ORDERS, limit, user, with},
    ear::Ear,
    text,
};

const CLIENTS: usize = 100;
/// Orders of each; with each one's fill that makes 1,000 messages for all of them together.
const EACH: usize = 5;

/// Places one's orders, all at the same price: every order meets one of another user in the end.
async fn trade(desk: &Desk, n: usize) -> Vec<String> {
    let side = if n.is_multiple_of(2) { "BUY" } else { "SELL" };
    let mut placed = Vec::new();
    for _ in 0..EACH {
        placed.push(desk.limit(&user(n), side, 1, 100).await);
    }
    placed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_users_hear_everything_of_their_own_and_nothing_else() {
    let desk = Desk::up(&[]);
    let open = async |n: usize| {
        let own = Ear::open(&desk, &format!("/ws/orders?user_id={}", user(n))).await;
        (own, Ear::open(&desk, "/ws/trades").await)
    };
    let ears = join_all((0..CLIENTS).map(open)).await;
    let client = async |(n, (mut own, mut trades)): (usize, (Ear, Ear))| {
        let heard = async { (own.take(2 * EACH).await, trades.take(CLIENTS * EACH / 2).await) };
        let (placed, (updates, trades)) = tokio::join!(trade(&desk, n), heard);
        only_one_s_own(&user(n), &placed, &updates);
        (updates, trades)
    };
    let heard = join_all(ears.into_iter().enumerate().map(client)).await;

    assert_eq!(heard.iter().map(|(updates, _)| updates.len()).sum::<usize>(), 1_000);
    for (_, trades) in &heard {
        assert_eq!(trades, &heard[0].1, "everybody hears the same trades, byte by byte");
    }
    desk.verify();
}

/// Each order was created, then filled; and no other is named.
fn only_one_s_own(user: &str, placed: &[String], updates: &[Value]) {
    let mut actions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for update in updates {
        assert_eq!(update["user_id"], *user, "another's: {update}");
        actions.entry(text(update, "order_id")).or_default().push(text(update, "action"));
    }
    let expected = placed.iter().map(|order| (order.as_str(), vec!["created", "filled"])).collect();
    assert_eq!(actions, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_s_order_is_as_if_it_had_never_been_placed() {
    let desk = Desk::up(&[]);
    let (owner, other) = (user(0), user(1));
    let order = desk.limit(&owner, "SELL", 1, 100).await;
    let path = format!("/api/v1/orders/{order}?user_id={other}");
    for method in ["GET", "DELETE"] {
        let answer = desk.ask(method, &path, None).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (404, Some("unknown_order")), "{method}");
    }
    let amend = desk.ask("PATCH", &path, Some(&json!({"quantity": "2"}))).await;
    assert_eq!(amend.status, 404);
    assert_eq!(desk.pages(&format!("/api/v1/orders?user_id={other}"), "orders").await, Vec::<Value>::new());
    for nobody in [json!(""), json!("ann"), json!(7), Value::Null] {
        let order = with(limit(&other, "BUY", 1, 100), &json!({"user_id": nobody}));
        assert_eq!(desk.post(&order).await.status, 400, "{order}");
    }
    assert_eq!(desk.ask("GET", ORDERS, None).await.status, 400);
    let book = desk.get("/api/v1/markets/BTC%2FUSDT/book").await;
    assert!(!book.to_string().contains(&owner), "a book names nobody: {book}");
}
