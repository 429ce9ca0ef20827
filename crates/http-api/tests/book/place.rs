//! POST /api/v1/orders

use axum::http::{Method, StatusCode};
use fillstream_domain::book::Definition;
use serde_json::{Value, json};

use crate::desk::{ANN, BOB, Desk, Told, amount, define, noon, order, symbol};

const ORDERS: &str = "/api/v1/orders";

async fn post(desk: &Desk, headers: &[(&str, &str)], body: &str) -> Told {
    desk.send(Method::POST, ORDERS, headers, body).await
}

#[tokio::test]
async fn an_order_is_answered_once_the_stream_has_it() {
    let desk = Desk::open();
    let body = order(r#"{"client_order_id":"mine","post_only":true,"price":100.50}"#);
    let told = desk.ask(Method::POST, ORDERS, &body).await;
    assert_eq!(told.status, StatusCode::CREATED, "{}", told.body);
    let id = told.text("/order_id").to_owned();
    assert_eq!(told.header("location"), Some(format!("/api/v1/orders/{id}").as_str()));
    assert_eq!(told.header("idempotent-replayed"), None);
    let expected = json!({
        "order_id": id, "client_order_id": "mine", "user_id": ANN, "symbol": "BTC/USDT", "side": "BUY",
        "type": "LIMIT", "time_in_force": "GTC", "post_only": true, "status": "OPEN", "price": "100.5",
        "quantity": "2", "filled_quantity": "0", "remaining_quantity": "2", "average_price": null,
        "created_at": "2026-01-10T12:00:00.000Z", "updated_at": "2026-01-10T12:00:00.000Z",
        "seq": desk.last_seq().await,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&told.body[name], value, "{name}");
    }
    // The read store does not know it yet.
    let found = desk.get(&format!("{ORDERS}/{id}")).await;
    assert_eq!((found.status, &found.body), (StatusCode::OK, &told.body));
}

#[tokio::test]
async fn the_user_may_be_named_anywhere_and_everywhere_the_same() {
    let desk = Desk::open();
    let (query, body) = (format!("{ORDERS}?user_id={ANN}"), order(&format!(r#"{{"user_id":"{ANN}"}}"#)));
    for (path, headers, body, status) in [
        (ORDERS, &[][..], body.as_str(), 201),
        (&query, &[], &order("{}"), 201),
        (ORDERS, &[("x-user-id", ANN)], &order("{}"), 201),
        (&query, &[("x-user-id", ANN)], &body, 201),
        (ORDERS, &[], &order("{}"), 400),
        (ORDERS, &[], &order(r#"{"user_id":null}"#), 400),
        (ORDERS, &[], &order(r#"{"user_id":"ann"}"#), 400),
        (ORDERS, &[], &order(r#"{"user_id":7}"#), 400),
        ("/api/v1/orders?user_id=", &[], &order("{}"), 400),
        (ORDERS, &[("x-user-id", "ann")], &order("{}"), 400),
        (ORDERS, &[("x-user-id", BOB)], &body, 422),
        (ORDERS, &[("x-user-id", ANN), ("authorization", "Bearer x")], &order("{}"), 401),
    ] {
        let before = desk.last_seq().await;
        let told = desk.send(Method::POST, path, headers, body).await;
        assert_eq!(told.status.as_u16(), status, "{path} {headers:?} {body}: {}", told.body);
        assert_eq!(desk.last_seq().await - before, u64::from(status == 201));
    }
}

#[tokio::test]
async fn what_is_refused_is_named_and_not_stored() {
    let desk = Desk::open();
    let before = desk.last_seq().await;
    let changed = |change: &str, pointers: &'static [&str]| (order(change), 422, pointers);
    for (body, status, pointers) in [
        ("{".to_owned(), 400, &[""][..]),
        ("[]".to_owned(), 400, &[""]),
        (r#"{"side":"BUY","side":"SELL"}"#.to_owned(), 400, &[""]),
        (r#"{"quantity":NaN}"#.to_owned(), 400, &[""]),
        ("{}".to_owned(), 422, &["/symbol", "/side", "/type", "/quantity"]),
        changed(r#"{"price":null}"#, &["/price"]),
        changed(r#"{"symbol":"NOPE/NOPE"}"#, &["/symbol"]),
        changed(r#"{"symbol":"btc"}"#, &["/symbol"]),
        changed(r#"{"quantity":0}"#, &["/quantity"]),
        changed(r#"{"quantity":-1}"#, &["/quantity"]),
        changed(r#"{"quantity":"abc"}"#, &["/quantity"]),
        changed(r#"{"quantity":"1e400"}"#, &["/quantity"]),
        changed(r#"{"quantity":"NaN"}"#, &["/quantity"]),
        changed(r#"{"quantity":"0.1234567890123456789012345"}"#, &["/quantity"]),
        changed(r#"{"quantity":null}"#, &["/quantity"]),
        changed(r#"{"quantity":"1000001"}"#, &["/quantity"]),
        changed(r#"{"price":"100.001"}"#, &["/price"]),
        changed(r#"{"price":"20000000"}"#, &["/price"]),
        changed(r#"{"price":"0.01","quantity":"0.01"}"#, &["/quantity"]),
        changed(r#"{"type":"MARKET"}"#, &["/price"]),
        changed(r#"{"expires_at":"2026-01-10T12:00:01Z"}"#, &["/expires_at"]),
        changed(r#"{"time_in_force":"GTD"}"#, &["/expires_at"]),
        changed(r#"{"time_in_force":"GTD","expires_at":"2026-01-10T12:00:00Z"}"#, &["/expires_at"]),
        changed(r#"{"time_in_force":"GTD","type":"MARKET","price":null}"#, &["/time_in_force"]),
        changed(r#"{"time_in_force":"IOC","post_only":true}"#, &["/post_only"]),
        changed(r#"{"time_in_force":"FOK","post_only":true}"#, &["/post_only"]),
        changed(r#"{"type":"MARKET","price":null,"post_only":true}"#, &["/post_only"]),
        changed(r#"{"self_trade_prevention":"YES"}"#, &["/self_trade_prevention"]),
        changed(r#"{"leverage":10,"a/b~c":1}"#, &["/a~1b~0c", "/leverage"]),
        changed(r#"{"client_order_id":"two words"}"#, &["/client_order_id"]),
        changed(r#"{"client_order_id":7}"#, &["/client_order_id"]),
        changed(
            r#"{"side":"HOLD","quantity":0,"price":"0","x":1,"client_order_id":""}"#,
            &["/side", "/quantity", "/price", "/x", "/client_order_id"],
        ),
    ] {
        let told = desk.ask(Method::POST, ORDERS, &body).await;
        assert_eq!(told.status.as_u16(), status, "{body}: {}", told.body);
        assert_eq!(told.pointers(), pointers, "{body}");
        assert_eq!(told.header("content-type"), Some("application/problem+json"));
    }
    assert_eq!(desk.last_seq().await, before);
}

#[tokio::test]
async fn numbers_are_read_by_their_text() {
    let desk = Desk::open();
    let body = r#"{"symbol":"BTC-USDT","side":"SELL","type":"LIMIT","quantity":0.30000001e0,"price":1e7}"#;
    let told = desk.ask(Method::POST, ORDERS, body).await;
    assert_eq!((told.text("/quantity"), told.text("/price")), ("0.30000001", "10000000"));
    let tail =
        r#"{"symbol":"BTC-USDT","side":"SELL","type":"MARKET","quantity":0.1234567890123456789012345}"#;
    assert_eq!(desk.ask(Method::POST, ORDERS, tail).await.pointers(), ["/quantity"]);
}

#[tokio::test]
async fn an_unknown_market_is_told_which_there_are_until_it_is_added() {
    let desk = Desk::open();
    let body = order(r#"{"symbol":"AAPL/USD"}"#);
    let told = desk.ask(Method::POST, ORDERS, &body).await;
    assert_eq!(told.text("/errors/0/detail"), "must be one of BTC/USDT, ETH/USDT, SOL/USDC");
    define(&desk.log, Definition::standard(symbol("AAPL/USD"), noon()));
    let told = desk.ask(Method::POST, ORDERS, &body).await;
    assert_eq!(told.status, StatusCode::CREATED, "at once: {}", told.body);
}

#[tokio::test]
async fn orders_are_judged_by_the_last_good_definition() {
    let desk = Desk::open();
    let mut coarse = Definition::standard(symbol("BTC/USDT"), noon());
    coarse.min_quantity = amount("5");
    define(&desk.log, coarse.clone());
    // Neither another unit nor nonsense comes into force.
    let mut other = Definition { tick_size: amount("1"), ..coarse.clone() };
    define(&desk.log, other.clone());
    (other.tick_size, other.max_makers) = (coarse.tick_size, 0);
    define(&desk.log, other);
    let told = desk.ask(Method::POST, ORDERS, &order("{}")).await;
    assert_eq!(told.text("/errors/0/detail"), "must be at least 5 (min_quantity)");
    let good = desk.ask(Method::POST, ORDERS, &order(r#"{"quantity":5,"price":"100.01"}"#)).await;
    assert_eq!(good.status, StatusCode::CREATED, "{}", good.body);
}

#[tokio::test]
async fn a_repetition_gets_the_same_order_and_answer() {
    let desk = Desk::open();
    let body = order(r#"{"quantity":10}"#);
    let keyed = [("x-user-id", ANN), ("idempotency-key", "k-1")];
    let first = post(&desk, &keyed, &body).await;
    let stored = desk.last_seq().await;
    let quoted = [("x-user-id", ANN), ("idempotency-key", "\"k-1\"")];
    let both = order(r#"{"quantity":"10.0","client_order_id":"k-1"}"#);
    for (headers, body) in [
        (&keyed[..], order(r#"{"quantity":"1e1","time_in_force":"GTC"}"#)),
        (&quoted, order(r#"{"quantity":"10","symbol":"BTC-USDT"}"#)),
        (&keyed, both.clone()),
        (&keyed[..1], both),
    ] {
        let again = post(&desk, headers, &body).await;
        assert_eq!((again.status, &again.body), (StatusCode::CREATED, &first.body), "{body}");
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.header("location"), first.header("location"));
    }
    for (body, code, pointer) in [
        (order(r#"{"quantity":11}"#), "key_reused", "header:Idempotency-Key"),
        (order(r#"{"quantity":10,"side":"SELL"}"#), "key_reused", "header:Idempotency-Key"),
        (order(r#"{"quantity":10,"client_order_id":"k-2"}"#), "invalid_fields", "/client_order_id"),
    ] {
        let refused = post(&desk, &keyed, &body).await;
        assert_eq!((refused.status.as_u16(), refused.text("/code")), (422, code), "{body}");
        assert_eq!(refused.pointers(), [pointer]);
    }
    assert_eq!(desk.last_seq().await, stored);
}

#[tokio::test]
async fn a_key_is_of_one_user_and_one_market() {
    let desk = Desk::open();
    let ann = [("x-user-id", ANN), ("idempotency-key", "k-1")];
    let bob = [("x-user-id", BOB), ("idempotency-key", "k-1")];
    let mut ids = Vec::new();
    for (headers, body) in
        [(&ann, order("{}")), (&bob, order("{}")), (&ann, order(r#"{"symbol":"ETH/USDT"}"#))]
    {
        let told = post(&desk, headers, &body).await;
        assert_eq!(told.header("idempotent-replayed"), None);
        ids.push(told.text("/order_id").to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn a_repetition_is_answered_after_a_restart_and_when_it_would_be_refused_by_now() {
    let desk = Desk::open();
    let keyed = [("x-user-id", ANN), ("idempotency-key", "k-1")];
    let body = order(r#"{"time_in_force":"GTD","expires_at":"2026-01-10T12:30:00Z"}"#);
    let first = post(&desk, &keyed, &body).await;
    assert_eq!(first.status, StatusCode::CREATED);
    let mut dear = Definition::standard(symbol("BTC/USDT"), noon());
    dear.min_price = amount("1000");
    define(&desk.log, dear);
    let stored = desk.last_seq().await;
    let later = desk.restarted();
    let again = post(&later, &keyed, &body).await;
    assert_eq!((again.status, &again.body), (StatusCode::CREATED, &first.body));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let other = order(r#"{"time_in_force":"GTD","expires_at":"2026-01-10T12:30:01Z"}"#);
    assert_eq!(post(&later, &keyed, &other).await.pointers(), ["/price", "/expires_at"]);
    let new = [("x-user-id", ANN), ("idempotency-key", "k-2")];
    assert_eq!(post(&later, &new, &body).await.pointers(), ["/price", "/expires_at"]);
    assert_eq!(later.last_seq().await, stored);
}

#[tokio::test]
async fn fifty_at_once_make_one_order() {
    let desk = Desk::open();
    let before = desk.last_seq().await;
    let body = order("{}");
    let keyed = [("x-user-id", ANN), ("idempotency-key", "k-1")];
    let told = futures_util::future::join_all((0..50).map(|_| post(&desk, &keyed, &body))).await;
    assert_eq!(desk.last_seq().await, before + 1);
    let bodies: Vec<&Value> = told.iter().map(|told| &told.body).collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    assert_eq!(told.iter().filter(|told| told.header("idempotent-replayed").is_none()).count(), 1);
}

#[tokio::test]
async fn the_envelope_is_checked() {
    let desk = Desk::open();
    let before = desk.last_seq().await;
    let large = order(&format!(r#"{{"client_order_id":"{}"}}"#, "k".repeat(64 << 10)));
    for (method, path, headers, body, status) in [
        (Method::POST, ORDERS, &[("content-type", "text/plain")][..], order("{}"), 415),
        (Method::POST, ORDERS, &[], large, 413),
        (Method::PUT, ORDERS, &[], order("{}"), 405),
        (Method::DELETE, ORDERS, &[], String::new(), 405),
        (Method::GET, "/api/v1/orders/batch", &[], String::new(), 405),
        (Method::POST, "/api/v1/markets", &[], "{}".to_owned(), 405),
        (Method::DELETE, "/api/v1/markets/BTC/USDT/book", &[], String::new(), 405),
        (Method::GET, "/api/v1/nothing", &[], String::new(), 404),
    ] {
        let headers = [headers, &[("x-user-id", ANN)]].concat();
        let told = desk.send(method.clone(), path, &headers, &body).await;
        assert_eq!(told.status.as_u16(), status, "{method} {path}");
        assert_eq!(told.header("content-type"), Some("application/problem+json"));
        assert_eq!(told.headers.contains_key("allow"), status == 405, "{method} {path}");
    }
    assert_eq!(desk.last_seq().await, before);
}
