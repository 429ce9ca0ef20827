//! Refusals of NATS: what HTTP refuses, with the same words.

use fillstream_tests::{
    http::request,
    nats::{Client, Reply},
};
use serde_json::json;

use super::{ANN, BOB, EXECUTE, GOOD, ask, client, status, url};
use crate::{
    auth_cases::{VERIFIED, good},
    site::Site,
};

const NOBODY_S: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d03";

/// As the convention tells errors, and the same problem as over HTTP.
fn assert_refused(case: &str, reply: &Reply, expected: (u16, &[u8])) {
    let text = String::from_utf8_lossy(&reply.payload);
    assert_eq!((status(reply), &*text), (expected.0, &*String::from_utf8_lossy(expected.1)), "{case}");
    assert_eq!(reply.header("Nats-Service-Error-Code"), Some(&*expected.0.to_string()), "{case}");
    assert_eq!(reply.header("Nats-Service-Error"), reply.json()["detail"].as_str(), "{case}");
    assert_eq!(reply.header("Content-Type"), Some("application/problem+json"), "{case}");
}

#[tokio::test]
async fn each_refusal_is_http_s() {
    let site = Site::up(&[]);
    let mut nats = client(&site, 1).await;
    let (large, unknown) = ("x".repeat((64 << 10) + 1), json!({ "orderId": NOBODY_S }).to_string());
    let of_ann = |name: &str, id: &str| json!({ name: id, "user_id": ANN }).to_string();
    let (book, bad_id) = (of_ann("order_id", NOBODY_S), of_ann("order_id", "x"));
    let path = format!("/api/v1/orders/{NOBODY_S}?user_id={ANN}");
    let swap = format!("/api/orders/{NOBODY_S}");
    for (subject, payload, method, path) in [
        (EXECUTE, "", "POST", "/api/orders/execute"),
        (EXECUTE, "{", "POST", "/api/orders/execute"),
        (EXECUTE, "[]", "POST", "/api/orders/execute"),
        (EXECUTE, &*large, "POST", "/api/orders/execute"),
        (
            EXECUTE,
            r#"{"tokenIn":"SOL","tokenOut":"SOL","amount":0,"slippage":99}"#,
            "POST",
            "/api/orders/execute",
        ),
        ("fillstream.orders.get", &unknown, "GET", &swap),
        ("fillstream.orders.get", r#"{"orderId":"x"}"#, "GET", "/api/orders/x"),
        ("fillstream.book.place", "{}", "POST", "/api/v1/orders"),
        ("fillstream.book.place", r#"{"user_id":"me","symbol":"X"}"#, "POST", "/api/v1/orders"),
        ("fillstream.book.batch", r#"{"orders":7}"#, "POST", "/api/v1/orders/batch"),
        ("fillstream.book.get", &book, "GET", &path),
        ("fillstream.book.cancel", &book, "DELETE", &path),
        ("fillstream.book.cancel", &bad_id, "DELETE", "/api/v1/orders/x"),
        ("fillstream.book.list", "", "GET", "/api/v1/orders"),
        ("fillstream.book.list", r#"{"user_id":"me"}"#, "GET", "/api/v1/orders?user_id=me"),
        ("fillstream.markets.show", r#"{"symbol":"NO/SUCH"}"#, "GET", "/api/v1/markets/NO%2FSUCH"),
        (
            "fillstream.markets.book",
            r#"{"symbol":"BTC-USDT","depth":0}"#,
            "GET",
            "/api/v1/markets/BTC-USDT/book?depth=0",
        ),
    ] {
        let body = if method == "POST" { payload } else { "" };
        let headers = [("Content-Type", "application/json")];
        let over_http =
            request(site.address(), method, path, &headers, body.as_bytes()).await.expect("an answer");
        assert!(over_http.status >= 400, "{subject}: {}", over_http.status);
        let reply = ask(&mut nats, subject, &[], payload).await;
        assert_refused(&format!("{subject} {payload:.80}"), &reply, (over_http.status, &over_http.body));
    }
    let reply = ask(&mut nats, EXECUTE, &[("Idempotency-Key", "a"), ("idempotency-key", "b")], GOOD).await;
    assert_eq!(status(&reply), 422, "two keys: {:?}", reply.json());
}

#[tokio::test]
async fn with_authentication_the_token_is_in_the_message() {
    let site = Site::serve("api", &VERIFIED);
    let mut nats = client(&site, 1).await;
    let (ann, bob) = (good(ANN), good(BOB));
    for (headers, expected) in [
        (&[][..], 401),
        (&[("Authorization", "Bearer x")], 401),
        (&[("X-User-Id", ANN)], 401),
        (&[("Authorization", &*ann), ("X-User-Id", BOB)], 403),
    ] {
        let reply = ask(&mut nats, EXECUTE, headers, GOOD).await;
        assert_eq!(status(&reply), expected, "{headers:?}: {:?}", reply.json());
    }
    let placed = ask(&mut nats, EXECUTE, &[("authorization", &ann)], GOOD).await;
    assert_eq!(status(&placed), 201, "{:?}", placed.json());
    let wanted = json!({ "orderId": placed.json()["orderId"] }).to_string();
    for (token, expected) in [(&ann, 200), (&bob, 404)] {
        let read = ask(&mut nats, "fillstream.orders.get", &[("Authorization", token)], &wanted).await;
        assert_eq!(status(&read), expected);
    }
    let none = Site::serve("api", &[]);
    let mut nats = client(&none, 1).await;
    let reply = ask(&mut nats, EXECUTE, &[("Authorization", &ann)], GOOD).await;
    assert_eq!(reply.json()["code"], "authentication_not_configured");
}

#[tokio::test]
async fn where_requests_are_off_or_no_api_is_nobody_answers() {
    for site in [Site::serve("api", &["--nats-requests=off"]), Site::serve("bridge", &[])] {
        let ready = request(site.address(), "GET", "/ready", &[], b"").await.expect("an answer");
        assert_eq!(ready.status, 200);
        let mut nats = Client::connect(&url(&site)).await;
        for subject in [EXECUTE, "$SRV.PING"] {
            let reply = ask(&mut nats, subject, &[], GOOD).await;
            assert_eq!(reply.status, Some(503), "{subject}");
        }
    }
}
