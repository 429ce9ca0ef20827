//! The market behind authentication: what is public, what is whose, and tokens that open nothing.

use fillstream_tests::{
    http::{Answer, request},
    socket::Client,
};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{
    ANN, BOB, assert_says,
    desk::{ORDERS, limit},
    text,
};
use crate::{
    auth_cases::{SECRET, VERIFIED, bearer, claims, good},
    site::Site,
};

/// Asks with a token, or with none when it is empty.
async fn ask(site: &Site, method: &str, path: &str, token: &str, body: Option<&Value>) -> Answer {
    let body = body.map(Value::to_string).unwrap_or_default();
    let headers = [("Content-Type", "application/json"), ("Authorization", token)];
    let headers = if token.is_empty() { &headers[..1] } else { &headers[..] };
    request(site.address(), method, path, headers, body.as_bytes()).await.expect("an answer")
}

async fn open(site: &Site, path: &str, token: &str) -> Result<Client, u16> {
    let headers = [("authorization", token)];
    Client::open_with(site.address(), path, if token.is_empty() { &[] } else { &headers }).await
}

/// A limit order that says nothing of its user.
fn order(side: &str) -> Value {
    let mut order = limit(ANN, side, 1, 100);
    order.as_object_mut().expect("fields").remove("user_id");
    order
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_says_whose_orders_are_placed_read_and_heard() {
    let site = Site::up(&VERIFIED);
    let [ann, bob] = [good(ANN), good(BOB)];
    let mut of_ann = open(&site, "/ws/orders", &ann).await.expect("a socket");
    let ticket = ask(&site, "POST", "/api/ws-ticket", &bob, None).await.json();
    let by_ticket = format!("/ws/orders?ticket={}", text(&ticket, "ticket"));
    let mut of_bob = open(&site, &by_ticket, "").await.expect("a ticket opens a socket");
    assert_eq!(open(&site, &by_ticket, "").await.err(), Some(401), "a ticket that is used");
    let mut trades = open(&site, "/ws/trades", "").await.expect("trades are public");

    let placed = ask(&site, "POST", ORDERS, &ann, Some(&order("SELL"))).await;
    assert_eq!(placed.status, 201, "{:?}", placed.json());
    assert_says(&placed.json(), &json!({"user_id": ANN}));
    let path = format!("{ORDERS}/{}", text(&placed.json(), "order_id"));
    for (case, method, path, token, status) in [
        ("its owner's", "GET", path.clone(), &ann, 200),
        ("another's", "GET", path.clone(), &bob, 404),
        ("another's", "DELETE", path.clone(), &bob, 404),
        ("another named", "GET", format!("{path}?user_id={BOB}"), &ann, 403),
        ("another's list", "GET", format!("{ORDERS}?user_id={ANN}"), &bob, 403),
        ("nobody's", "GET", path.clone(), &String::new(), 401),
        ("nobody's", "GET", format!("{ORDERS}?user_id={ANN}"), &String::new(), 401),
    ] {
        assert_eq!(ask(&site, method, &path, token, None).await.status, status, "{case}: {method} {path}");
    }
    let another = ask(&site, "POST", ORDERS, &bob, Some(&limit(ANN, "BUY", 1, 100))).await;
    assert_eq!(another.status, 403);
    let bought = ask(&site, "POST", ORDERS, &bob, Some(&order("BUY"))).await.json();
    for (ear, user, actions) in
        [(&mut of_ann, ANN, ["created", "filled"]), (&mut of_bob, BOB, ["created", "filled"])]
    {
        for action in actions {
            assert_says(&ear.message().await, &json!({"user_id": user, "action": action}));
        }
    }
    assert_eq!(bought["status"], "OPEN", "{bought}");
    assert_says(&trades.message().await, &json!({"taker_order_id": null, "buyer_id": null}));
    for path in [
        "/api/v1/markets",
        "/api/v1/markets/BTC-USDT",
        "/api/v1/markets/BTC-USDT/book",
        "/api/v1/markets/BTC-USDT/trades",
    ] {
        assert_eq!(ask(&site, "GET", path, "", None).await.status, 200, "{path} is public");
    }
    guests_hear_what_is_public(&site).await;
}

async fn guests_hear_what_is_public(site: &Site) {
    let mut guest = open(site, "/ws", "").await.expect("a socket");
    for (stream, answer) in [("orders", "error"), ("trades", "subscribed")] {
        guest.say(Message::text(json!({"action": "subscribe", "stream": stream}).to_string())).await;
        assert_says(&guest.message().await, &json!({"type": answer}));
    }
    assert_eq!(open(site, &format!("/ws?user_id={ANN}"), "").await.err(), Some(401), "named, not proved");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_does_not_hold_opens_nothing_of_the_market() {
    let site = Site::up(&VERIFIED);
    let hs256 = json!({"alg": "HS256"});
    for (case, token) in [
        ("expired", bearer(SECRET, &hs256, &claims(ANN, "fillstream", -60))),
        ("forged", bearer(&SECRET.replace('3', "4"), &hs256, &claims(ANN, "fillstream", 600))),
        ("alg none", bearer(SECRET, &json!({"alg": "none"}), &claims(ANN, "fillstream", 600))),
        ("wrong audience", bearer(SECRET, &hs256, &claims(ANN, "elsewhere", 600))),
        ("no user", bearer(SECRET, &hs256, &claims("ann", "fillstream", 600))),
    ] {
        for (method, path, body) in [
            ("POST", ORDERS, Some(order("BUY"))),
            ("POST", "/api/v1/orders/batch", Some(json!({"orders": [order("BUY")]}))),
            ("GET", ORDERS, None),
            ("GET", "/api/v1/markets", None),
            ("GET", "/api/v1/markets/BTC-USDT/book", None),
        ] {
            let answer = ask(&site, method, path, &token, body.as_ref()).await;
            assert_eq!(answer.status, 401, "{case}: {method} {path}");
        }
        for path in ["/ws/orders", "/ws/trades", "/ws/markets/BTC-USDT", "/ws"] {
            assert_eq!(open(&site, path, &token).await.err(), Some(401), "{case}: {path}");
        }
    }
    let listed = ask(&site, "GET", ORDERS, &good(ANN), None).await.json();
    assert_eq!(listed["orders"], json!([]), "nothing was placed");
}
