//! Orders that a real matcher works on: what it makes of amends and cancels is what their clients are answered.

use std::sync::Arc;

use axum::http::Method;
use fillstream_matching::{Matcher, Settings};
use tokio_util::sync::CancellationToken;

use crate::desk::{BOB, Desk, Told, noon, order};

async fn place(desk: &Desk, change: &str) -> String {
    let told = desk.ask(Method::POST, "/api/v1/orders", &order(change)).await;
    format!("/api/v1/orders/{}", told.text("/order_id"))
}

async fn amend(desk: &Desk, path: &str, body: &str) -> Told {
    desk.ask(Method::PATCH, path, body).await
}

fn check(told: &Told, status: u16, expected: &[(&str, &str)]) {
    assert_eq!(told.status.as_u16(), status, "{}", told.body);
    for (field, value) in expected {
        assert_eq!(told.text(field), *value, "{field}: {}", told.body);
    }
}

#[tokio::test]
async fn amends_and_cancels_are_answered_by_the_matcher() {
    let desk = Desk::open().matched().await;
    let stop = CancellationToken::new();
    let matcher = Matcher::new(Arc::new(desk.log.clone()), None, Settings::default(), noon);
    let running = tokio::spawn(matcher.run(stop.clone()));
    let maker = place(&desk, "{}").await;

    check(
        &amend(&desk, &maker, r#"{"quantity":3,"price":99}"#).await,
        200,
        &[("/quantity", "3"), ("/price", "99")],
    );
    check(
        &amend(&desk, &maker, r#"{"quantity":"3.0"}"#).await,
        200,
        &[("/quantity", "3"), ("/status", "OPEN")],
    );
    place(&desk, r#"{"side":"SELL","quantity":1,"price":99}"#).await;
    check(&amend(&desk, &maker, r#"{"quantity":"0.5"}"#).await, 409, &[("/code", "below_filled")]);
    check(&amend(&desk, &maker, r#"{"price":"0.01"}"#).await, 422, &[("/code", "min_notional")]);
    // One of three is filled, and the read store knows nothing of all this.
    let filled = [("/filled_quantity", "1"), ("/remaining_quantity", "2"), ("/average_price", "99")];
    check(&desk.get(&maker).await, 200, &filled);
    let ended = amend(&desk, &maker, r#"{"quantity":1}"#).await;
    check(&ended, 200, &[("/status", "FILLED"), ("/remaining_quantity", "0")]);
    check(&desk.ask(Method::DELETE, &maker, "").await, 409, &[("/code", "order_ended")]);

    place(&desk, r#"{"side":"SELL","price":105}"#).await;
    let careful = place(&desk, r#"{"post_only":true}"#).await;
    check(&amend(&desk, &careful, r#"{"price":105}"#).await, 409, &[("/code", "would_take")]);
    let other = desk.send(Method::DELETE, &careful, &[("x-user-id", BOB)], "").await;
    check(&other, 404, &[("/code", "unknown_order")]);
    check(
        &desk.ask(Method::DELETE, &careful, "").await,
        200,
        &[("/status", "CANCELLED"), ("/quantity", "2")],
    );
    check(&desk.get(&careful).await, 200, &[("/status", "CANCELLED")]);

    let crossing = place(&desk, r#"{"price":104}"#).await;
    let crossed = amend(&desk, &crossing, r#"{"price":105}"#).await;
    check(&crossed, 200, &[("/status", "FILLED"), ("/average_price", "105"), ("/filled_quantity", "2")]);
    stop.cancel();
    running.await.expect("no panic").expect("stopped");
}
