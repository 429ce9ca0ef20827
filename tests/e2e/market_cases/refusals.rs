//! Orders that are refused: with which status, naming which field, and without a trace in the stream.

use fillstream_tests::{http::request, stream};
use serde_json::{Value, json};

use super::{
    ANN,
    desk::{Desk, ORDERS, limit, with},
};

#[rustfmt::skip]
const WRONG_NUMBERS: &[&str] = &[
    "0", "-1", "-0", "\"abc\"", "\"\"", "\" 1\"", "\"+1\"", "\"1,5\"", "\"NaN\"", "1e400", "1e-400", "1e99999999999",
    "0.1234567890123456789012345", "true", "{}", "[]", "[1]", "\"1_0\"", "\"0x1\"", "12345678901234567890123456789",
];

/// The text of a good order with one member's text replaced.
fn raw(name: &str, value: &str) -> String {
    let mark = format!("\"{name}\"");
    with(limit(ANN, "BUY", 1, 50), &json!({name: mark}))
        .to_string()
        .replace(&format!("\"\\\"{name}\\\"\""), value)
}

async fn refused(desk: &Desk, body: &str, status: u16, pointers: &[&str]) {
    let headers = [("Content-Type", "application/json")];
    let answer = request(desk.address(), "POST", ORDERS, &headers, body.as_bytes()).await.expect("an answer");
    let problem = answer.json();
    assert_eq!(answer.status, status, "{body}: {problem}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{body}");
    let errors = problem["errors"].as_array().cloned().unwrap_or_default();
    let named: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap_or_default()).collect();
    assert_eq!(named, pointers, "{body}: {problem}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_refused_is_stored() {
    let desk = Desk::up(&[]);
    let log = desk.0.log().await;
    // An answer of the matcher shows that its own first entries are behind us.
    let order = desk.limit(ANN, "BUY", 1, 50).await;
    assert_eq!(desk.ask("DELETE", &format!("{ORDERS}/{order}?user_id={ANN}"), None).await.status, 200);
    let before = stream::last_seq(&log).await;
    for name in ["quantity", "price"] {
        for value in WRONG_NUMBERS {
            refused(&desk, &raw(name, value), 422, &[&format!("/{name}")]).await;
        }
        for broken in ["NaN", "Infinity", "01", "1.", ".5", "0x1", "1_000"] {
            refused(&desk, &raw(name, broken), 400, &[""]).await;
        }
    }
    terms(&desk).await;
    sizes_types_and_methods(&desk).await;
    assert_eq!(stream::last_seq(&log).await, before, "something was stored");
}

async fn terms(desk: &Desk) {
    let good = || limit(ANN, "BUY", 1, 50);
    let without = |name: &str| {
        let mut order = good();
        order.as_object_mut().expect("fields").remove(name);
        order
    };
    for (order, pointers) in [
        (without("quantity"), &["/quantity"][..]),
        (without("price"), &["/price"]),
        (without("side"), &["/side"]),
        (without("type"), &["/type"]),
        (without("symbol"), &["/symbol"]),
        (with(good(), &json!({"price": "50.001"})), &["/price"]),
        (with(good(), &json!({"price": "10000000.01"})), &["/price"]),
        (with(good(), &json!({"quantity": "0.000000001"})), &["/quantity"]),
        (with(good(), &json!({"quantity": "1000000.00000001"})), &["/quantity"]),
        (with(good(), &json!({"quantity": "0.0199"})), &["/quantity"]),
        (with(good(), &json!({"type": "MARKET"})), &["/price"]),
        (with(good(), &json!({"time_in_force": "GTD"})), &["/expires_at"]),
        (with(good(), &json!({"expires_at": "2999-01-01T00:00:00.000Z"})), &["/expires_at"]),
        (
            with(good(), &json!({"time_in_force": "GTD", "expires_at": "2020-01-01T00:00:00Z"})),
            &["/expires_at"],
        ),
        (with(good(), &json!({"time_in_force": "IOC", "post_only": true})), &["/post_only"]),
        (with(good(), &json!({"post_only": "yes"})), &["/post_only"]),
        (with(good(), &json!({"self_trade_prevention": "ALWAYS"})), &["/self_trade_prevention"]),
        (with(good(), &json!({"side": "buy"})), &["/side"]),
        (with(good(), &json!({"symbol": "NOPE/NOPE"})), &["/symbol"]),
        (with(good(), &json!({"client_order_id": ""})), &["/client_order_id"]),
        (with(good(), &json!({"colour": "red"})), &["/colour"]),
    ] {
        refused(desk, &order.to_string(), 422, pointers).await;
    }
    for body in ["", "{", "[]", "null", "\"order\""] {
        refused(desk, body, 400, &[""]).await;
    }
}

async fn sizes_types_and_methods(desk: &Desk) {
    let large = with(limit(ANN, "BUY", 1, 50), &json!({"client_order_id": "x".repeat(65 << 10)}));
    assert_eq!(desk.post(&large).await.status, 413);
    let body = limit(ANN, "BUY", 1, 50).to_string();
    for headers in [&[][..], &[("Content-Type", "text/plain")]] {
        let answer =
            request(desk.address(), "POST", ORDERS, headers, body.as_bytes()).await.expect("an answer");
        assert_eq!(answer.status, 415, "{headers:?}");
    }
    for (method, path, allowed) in [
        ("PUT", ORDERS, ["GET", "POST"].as_slice()),
        ("GET", "/api/v1/orders/batch", &["POST"]),
        ("POST", &format!("{ORDERS}/{ANN}"), &["GET", "PATCH", "DELETE"]),
        ("DELETE", "/api/v1/markets/BTC-USDT", &["GET"]),
    ] {
        let answer = desk.ask(method, path, None).await;
        let allow = answer.header("allow").unwrap_or_default().to_owned();
        assert_eq!(answer.status, 405, "{method} {path}: {:?}", answer.json());
        assert!(allowed.iter().all(|method| allow.contains(method)), "{method} {path}: {allow}");
    }
    for path in ["/api/v1/markets/NOPE/NOPE", "/api/v1/markets/BTC", "/api/v1/candles", "/api/v2/orders"] {
        assert_eq!(desk.ask("GET", path, None).await.status, 404, "{path}");
    }
    let bad: &[Value] = &[json!("not-a-uuid"), json!(1), Value::Null];
    for user in bad {
        assert_eq!(
            desk.post(&with(limit(ANN, "BUY", 1, 50), &json!({"user_id": user}))).await.status,
            400,
            "{user}"
        );
    }
}
