//! POST by a user who has as many open orders as the market allows.

use std::sync::atomic::Ordering;

use axum::http::{Method, StatusCode};
use fillstream_domain::{
    Seq,
    book::{BookStatus, Definition, InputResult},
};
use fillstream_http_api::Answer;
use fillstream_projections::market::BookOrderRow;

use crate::desk::{ANN, BOB, Desk, Told, define, noon, order, symbol};

const ORDERS: &str = "/api/v1/orders";

/// A market in which a user may have so many.
fn desk(most: u32) -> Desk {
    let desk = Desk::open();
    let limit = Some(most);
    define(
        &desk.log,
        Definition { max_open_orders_per_user: limit, ..Definition::standard(symbol("BTC/USDT"), noon()) },
    );
    desk
}

/// Places an order of Ann's, which the matcher takes into the book at once.
async fn rests(desk: &Desk, body: &str) -> BookOrderRow {
    let (seq, placed) = desk.placed(body).await;
    let row = BookOrderRow::new(Seq::new(seq), &placed);
    desk.store.orders.lock().push(BookOrderRow { last_seq: Seq::new(seq + 1), ..row.clone() });
    row
}

async fn post(desk: &Desk, user: &str, headers: &[(&str, &str)], change: &str) -> Told {
    let headers = [&[("x-user-id", user)], headers].concat();
    desk.send(Method::POST, ORDERS, &headers, &order(change)).await
}

#[tokio::test]
async fn one_more_open_order_than_the_market_allows_is_not_stored() {
    let desk = desk(2);
    let first = rests(&desk, &order(r#"{"client_order_id":"first"}"#)).await;
    rests(&desk, &order("{}")).await;
    let before = desk.last_seq().await;
    for _ in 0..3 {
        let told = post(&desk, ANN, &[], "{}").await;
        assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", told.body);
        assert_eq!(told.text("/code"), "too_many_open_orders");
        assert!(told.text("/detail").contains("at most 2 open orders"), "{}", told.body);
    }
    let batch = format!(r#"{{"orders":[{},{}]}}"#, order("{}"), order(r#"{"symbol":"ETH/USDT"}"#));
    let told = desk.ask(Method::POST, "/api/v1/orders/batch", &batch).await;
    assert_eq!(told.text("/results/0/problem/code"), "too_many_open_orders");
    assert_eq!(told.text("/results/1/order/symbol"), "ETH/USDT");
    // A repetition is no new order.
    let again = post(&desk, ANN, &[], r#"{"client_order_id":"first"}"#).await;
    assert_eq!((again.status, again.text("/order_id")), (StatusCode::CREATED, &*first.order_id.to_string()));
    assert_eq!(desk.last_seq().await, before + 1);

    // Nor are these open orders of hers in this market.
    for (user, change) in [
        (BOB, "{}"),
        (ANN, r#"{"symbol":"ETH/USDT"}"#),
        (ANN, r#"{"time_in_force":"IOC"}"#),
        (ANN, r#"{"type":"MARKET","price":null}"#),
    ] {
        let told = post(&desk, user, &[], change).await;
        assert_eq!(told.status, StatusCode::CREATED, "{user} {change}: {}", told.body);
    }
    // With one cancelled there is room, from the answer on.
    desk.matcher.answers.lock().push_back(Answer { result: InputResult::Cancelled, order: None });
    desk.store.orders.lock()[0].status = BookStatus::Open;
    let path = format!("{ORDERS}/{}", first.order_id);
    assert_eq!(desk.ask(Method::DELETE, &path, "").await.status, StatusCode::OK);
    desk.store.orders.lock()[0].status = BookStatus::Cancelled;
    assert_eq!(post(&desk, ANN, &[], "{}").await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn rows_that_do_not_tell_refuse_nobody() {
    // The matcher has not come to any of them: some may trade or be refused.
    let pending = desk(2);
    for _ in 0..5 {
        let (seq, placed) = pending.placed(&order("{}")).await;
        pending.store.orders.lock().push(BookOrderRow::new(Seq::new(seq), &placed));
    }
    // They are behind: what they know is of long ago.
    let behind = desk(2);
    for _ in 0..2 {
        rests(&behind, &order("{}")).await;
    }
    *behind.store.checkpoint.lock() = Some(1);
    assert_eq!(post(&behind, ANN, &[], "{}").await.status, StatusCode::CREATED);
    let away = desk(2);
    *away.store.broken.lock() = true;
    for _ in 0..5 {
        assert_eq!(post(&away, ANN, &[], "{}").await.status, StatusCode::CREATED);
    }
}

#[tokio::test]
async fn rows_are_asked_when_nothing_is_left_and_not_for_each_order() {
    let desk = desk(100);
    for _ in 0..100 {
        rests(&desk, &order("{}")).await;
    }
    assert_eq!(desk.store.counted.load(Ordering::Relaxed), 1);
    for _ in 0..50 {
        assert_eq!(post(&desk, ANN, &[], "{}").await.text("/code"), "too_many_open_orders");
    }
    let counted = desk.store.counted.load(Ordering::Relaxed);
    assert!(counted < 20, "counted {counted} times for a user who may place none");
}
