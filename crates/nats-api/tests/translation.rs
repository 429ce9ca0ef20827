//! A message becomes the request that it stands for, and an answer the reply that tells the same.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "tests: their names say what they show, a panic is a failure"
)]

use std::sync::Arc;

use axum::{
    Json, Router,
    body::{Bytes, to_bytes},
    extract::Request,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use fillstream_event_log::{Answers, Pairs, ServiceReply, ServiceRequest};
use fillstream_http_edge::Problem;
use fillstream_nats_api::{MAX_IN_HAND, NatsApi, definition};
use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinSet};

/// Tells what it was asked.
async fn echo(request: Request) -> Json<Value> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let headers = parts.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or("?")));
    let headers: Pairs = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let body = String::from_utf8_lossy(&body);
    Json(json!({ "asked": format!("{} {}", parts.method, parts.uri), "headers": headers, "body": body }))
}

fn endpoint(subject: &str) -> usize {
    let endpoints = definition("1.2.3", "http://x").endpoints;
    endpoints.iter().position(|endpoint| endpoint.subject == subject).unwrap_or_else(|| panic!("{subject}"))
}

async fn ask(router: Router, subject: &str, headers: &[(&str, &str)], payload: &str) -> ServiceReply {
    let pairs = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let request = ServiceRequest { headers: pairs, payload: Bytes::copy_from_slice(payload.as_bytes()) };
    NatsApi::new(router, 1 << 20).answer(endpoint(subject), request).await
}

fn told(reply: &ServiceReply) -> Value {
    serde_json::from_slice(&reply.payload).unwrap_or_default()
}

fn header<'a>(reply: &'a ServiceReply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

#[tokio::test]
async fn each_subject_is_its_request() {
    let check = async |subject: &str, payload: &str, asked: &str, body: &str| {
        let reply = ask(Router::new().fallback(echo), subject, &[], payload).await;
        assert_eq!(reply.error, None, "{subject} {payload}");
        let told = told(&reply);
        assert_eq!((&told["asked"], &told["body"]), (&asked.into(), &body.into()), "{subject} {payload}");
        let kind = told["headers"].as_array().unwrap().iter().any(|pair| pair[1] == "application/json");
        assert_eq!(kind, !asked.starts_with("GET"), "{subject}");
    };
    let odd = "{\"a\" : 1.10,  \"a\":2} trailing";
    check("fillstream.orders.execute", odd, "POST /api/orders/execute", odd).await;
    check("fillstream.orders.execute", "", "POST /api/orders/execute", "").await;
    check("fillstream.orders.get", r#"{"orderId":"x"}"#, "GET /api/orders/x", "").await;
    check("fillstream.book.place", "[]", "POST /api/v1/orders", "[]").await;
    check("fillstream.book.batch", "{", "POST /api/v1/orders/batch", "{").await;
    check("fillstream.book.get", r#"{"user_id":"u","order_id":"x"}"#, "GET /api/v1/orders/x?user_id=u", "")
        .await;
    check("fillstream.book.list", "", "GET /api/v1/orders", "").await;
    let filters = r#"{"symbol":"BTC/USDT","limit":10,"status":null,"cursor":"a b&c=ü"}"#;
    let query = "symbol=BTC%2FUSDT&limit=10&cursor=a%20b%26c%3D%C3%BC";
    check("fillstream.book.list", filters, &format!("GET /api/v1/orders?{query}"), "").await;
    let amend = r#"{"order_id":"x/../y","price":1.10,"price":"2","user_id":"u"}"#;
    let rest = r#"{"price":1.10,"price":"2","user_id":"u"}"#;
    check("fillstream.book.amend", amend, "PATCH /api/v1/orders/x%2F..%2Fy", rest).await;
    check("fillstream.book.amend", r#"{"order_id":"x"}"#, "PATCH /api/v1/orders/x", "{}").await;
    check("fillstream.book.cancel", r#"{"order_id":"x"}"#, "DELETE /api/v1/orders/x", "").await;
    check("fillstream.book.cancel", r#"{"order_id":"x","a":1}"#, "DELETE /api/v1/orders/x", r#"{"a":1}"#)
        .await;
    check("fillstream.markets.list", "{}", "GET /api/v1/markets", "").await;
    check("fillstream.markets.show", r#"{"symbol":"BTC/USDT"}"#, "GET /api/v1/markets/BTC%2FUSDT", "").await;
    let book = r#"{"depth":5,"symbol":"BTC-USDT"}"#;
    check("fillstream.markets.book", book, "GET /api/v1/markets/BTC-USDT/book?depth=5", "").await;
    let trades = "GET /api/v1/markets/BTC-USDT/trades";
    check("fillstream.markets.trades", r#"{"symbol":"BTC-USDT"}"#, trades, "").await;
}

#[tokio::test]
async fn what_cannot_be_put_as_http_is_refused_by_name() {
    let check = async |subject: &str, payload: &str, pointer: &str| {
        let reply = ask(Router::new().fallback(echo), subject, &[], payload).await;
        assert_eq!(told(&reply)["errors"][0]["pointer"], pointer, "{subject} {payload}");
        assert_eq!(header(&reply, "Http-Status"), Some("400"));
        assert_eq!(header(&reply, "Content-Type"), Some("application/problem+json"));
        assert_eq!(reply.error, Some((400, "The request cannot be read.".to_owned())));
    };
    check("fillstream.orders.get", "", "/orderId").await;
    check("fillstream.orders.get", r#"{"orderId":7}"#, "/orderId").await;
    check("fillstream.book.amend", r#"{"order_id":""}"#, "/order_id").await;
    check("fillstream.markets.show", r#"{"symbol":null}"#, "/symbol").await;
    for none in ["[]", "{", "1", "\"x\"", "{} {}"] {
        check("fillstream.markets.list", none, "").await;
    }
    check("fillstream.book.list", r#"{"symbol":["BTC"]}"#, "/symbol").await;
}

#[tokio::test]
async fn who_asks_and_with_which_key_is_passed_on_and_nothing_else() {
    let given = [
        ("idempotency-key", "k 1"),
        ("AUTHORIZATION", "Bearer x"),
        ("X-User-Id", "u"),
        ("traceparent", "00-1-2-3"),
        ("Host", "evil.example"),
        ("X-Forwarded-Host", "evil.example"),
        ("Accept", "text/event-stream"),
        ("Nats-Msg-Id", "1"),
    ];
    let reply = ask(Router::new().fallback(echo), "fillstream.book.list", &given, "").await;
    let expected = json!([
        ["idempotency-key", "k 1"],
        ["authorization", "Bearer x"],
        ["x-user-id", "u"],
        ["traceparent", "00-1-2-3"]
    ]);
    assert_eq!(told(&reply)["headers"], expected);
}

#[tokio::test]
async fn answers_keep_their_status_headers_and_problems() {
    let created = async || -> Response {
        let headers = [
            (header::LOCATION, "/api/orders/x"),
            (header::HeaderName::from_static("idempotent-replayed"), "true"),
        ];
        (StatusCode::CREATED, headers, "{}").into_response()
    };
    let reply = ask(Router::new().fallback(created), "fillstream.orders.execute", &[], "{}").await;
    assert_eq!((header(&reply, "Http-Status"), &reply.payload[..]), (Some("201"), &b"{}"[..]));
    assert_eq!(
        (header(&reply, "Location"), header(&reply, "Idempotent-Replayed")),
        (Some("/api/orders/x"), Some("true"))
    );
    let refused = async || Problem::new(StatusCode::NOT_FOUND, "unknown_order", "There is no order x.");
    let reply =
        ask(Router::new().fallback(refused), "fillstream.orders.get", &[], r#"{"orderId":"x"}"#).await;
    assert_eq!(
        (reply.error.clone(), told(&reply)["code"].clone()),
        (Some((404, "There is no order x.".to_owned())), "unknown_order".into())
    );
    let large = async || "x".repeat(1 << 20);
    let reply = ask(Router::new().fallback(large), "fillstream.markets.list", &[], "").await;
    assert_eq!(
        (header(&reply, "Http-Status"), told(&reply)["code"].clone()),
        (Some("500"), "answer_too_large".into())
    );
}

#[tokio::test]
async fn more_than_can_be_held_is_refused_at_once() {
    let gate = Arc::new(Semaphore::new(0));
    let (entered, waiting) = (Arc::new(Semaphore::new(0)), Arc::clone(&gate));
    let told_entered = Arc::clone(&entered);
    let slow = async move || {
        told_entered.add_permits(1);
        drop(waiting.acquire().await.unwrap());
        "done"
    };
    let api = Arc::new(NatsApi::new(Router::new().fallback(slow), 1 << 20));
    let mut asked = JoinSet::new();
    let ask = |api: Arc<NatsApi>| async move {
        let request = ServiceRequest { headers: Pairs::new(), payload: Bytes::new() };
        api.answer(endpoint("fillstream.markets.list"), request).await
    };
    for _ in 0..MAX_IN_HAND {
        asked.spawn(ask(Arc::clone(&api)));
    }
    drop(entered.acquire_many(u32::try_from(MAX_IN_HAND).unwrap()).await.unwrap());
    let refused = ask(Arc::clone(&api)).await;
    assert_eq!(
        (refused.error.as_ref().unwrap().0, told(&refused)["code"].clone()),
        (503, "too_many_requests".into())
    );
    gate.add_permits(1);
    while let Some(answered) = asked.join_next().await {
        assert_eq!(answered.unwrap().payload, "done");
    }
    assert_eq!(ask(api).await.payload, "done");
}

#[test]
fn the_service_says_what_its_endpoints_are() {
    let service = definition("1.2.3", "http://127.0.0.1:3000/openapi.json");
    let names: Vec<_> = service.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
    assert_eq!(names[..3], ["orders-execute", "orders-get", "book-place"]);
    assert_eq!(names.len(), 12);
    for endpoint in &service.endpoints {
        let of = |name: &str| {
            endpoint.metadata.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
        };
        serde_json::from_str::<Value>(of("example").unwrap()).unwrap();
        assert!(of("schema").unwrap().starts_with("http://127.0.0.1:3000/openapi.json#/paths/~1api~1"));
        assert!(
            endpoint.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'),
            "{}",
            endpoint.name
        );
    }
}
