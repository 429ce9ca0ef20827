//! Rights of users when the server asks for tokens.

use axum::http::Method;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use fillstream_http_edge::{Askers, Tokens};

use crate::desk::{ANN, BOB, Desk, noon, order};

const SECRET: &[u8] = b"a secret of thirty-two bytes, or more";

fn bearer(user: &str) -> String {
    let encode = |json: String| URL_SAFE_NO_PAD.encode(json);
    // Tokens are judged by the system's clock: this one by the year 2100.
    let claims = format!(r#"{{"sub":"{user}","exp":4102444800}}"#);
    let signed = format!("{}.{}", encode(r#"{"alg":"HS256","typ":"JWT"}"#.to_owned()), encode(claims));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET);
    let signature = URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, signed.as_bytes()));
    format!("Bearer {signed}.{signature}")
}

#[tokio::test]
async fn orders_need_a_token_and_are_their_owners_alone() {
    let open = Desk::open();
    let (_, placed) = open.placed(&order("{}")).await;
    let before = open.last_seq().await;
    let desk = open.guarded(Askers::verified(Tokens::with_secret(SECRET).expect("long enough"), noon));
    let (path, ann, bob) = (format!("/api/v1/orders/{}", placed.order_id), bearer(ANN), bearer(BOB));
    let [of_ann, of_bob] = [ANN, BOB].map(|user| order(&format!(r#"{{"user_id":"{user}"}}"#)));
    let (orders, batch) = ("/api/v1/orders", "/api/v1/orders/batch");
    let both = format!(r#"{{"orders":[{of_ann},{of_bob}]}}"#);
    for (method, path, token, body, status) in [
        (Method::POST, orders, None, of_ann.as_str(), 401),
        (Method::POST, orders, None, "{", 401),
        (Method::POST, batch, None, &both, 401),
        (Method::GET, orders, None, "", 401),
        (Method::GET, &path, None, "", 401),
        (Method::PATCH, &path, None, r#"{"quantity":1}"#, 401),
        (Method::DELETE, &path, None, "", 401),
        (Method::GET, &path, Some(&bob), "", 404),
        (Method::PATCH, &path, Some(&bob), r#"{"quantity":1}"#, 404),
        (Method::DELETE, &path, Some(&bob), "", 404),
        (Method::POST, orders, Some(&ann), &of_bob, 403),
        (Method::GET, &path, Some(&ann), "", 200),
        (Method::GET, "/api/v1/markets", None, "", 200),
        (Method::GET, "/api/v1/markets/BTC/USDT/book", None, "", 200),
        (Method::GET, "/api/v1/markets/BTC/USDT/trades", Some(&bob), "", 200),
    ] {
        let headers: Vec<_> = token.iter().map(|token| ("authorization", token.as_str())).collect();
        let told = desk.send(method.clone(), path, &headers, body).await;
        assert_eq!(told.status.as_u16(), status, "{method} {path} {body}: {}", told.body);
    }
    assert_eq!(desk.last_seq().await, before);
    let told = desk.send(Method::POST, batch, &[("authorization", &ann)], &both).await;
    assert_eq!(told.text("/results/0/order/user_id"), ANN);
    assert_eq!(told.number("/results/1/problem/status"), 403);
    let told = desk.send(Method::POST, orders, &[("authorization", &bob)], &order("{}")).await;
    assert_eq!((told.status.as_u16(), told.text("/user_id")), (201, BOB));
}
