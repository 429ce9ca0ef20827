//! Refusals at the door and on the socket, and what follows an unsubscribe.

use fillstream_tests::socket::{Client, Heard};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::{ANN, BOB, assert_says, desk::Desk, ear::Ear, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_refuse_what_they_do_not_serve() {
    let desk = Desk::up(&[]);
    for (path, status) in [
        ("/ws/orders", 400),
        ("/ws/orders?user_id=", 400),
        ("/ws/orders?user_id=ann", 400),
        (&*format!("/ws/orders?user_id={ANN}&after=yesterday"), 400),
        ("/ws/trades?after=-1", 400),
        ("/ws/markets/", 400),
        ("/ws/markets", 400),
        ("/ws/markets/NOPE/NOPE", 404),
        ("/ws/markets/NOPE-NOPE", 404),
        ("/ws/markets/BTC", 404),
        ("/ws/markets/BTC/USDT/ETH", 404),
        ("/ws/markets/..%2F..%2Fetc", 404),
        ("/ws/markets/*", 404),
        ("/ws/markets/%00", 404),
        ("/ws/candles", 404),
    ] {
        let opened = Client::open(desk.address(), path).await;
        assert_eq!(opened.err(), Some(status), "{path}");
        assert!(desk.ask("GET", path, None).await.status >= 400, "{path} without an upgrade");
    }
    assert_eq!(desk.ask("GET", "/ws/trades", None).await.status, 426);
    assert_eq!(desk.ask("POST", "/ws/trades", Some(&json!({}))).await.status, 405);
    bad_requests(&desk).await;
}

/// Each is answered by an error that names the field; the connection stays.
async fn bad_requests(desk: &Desk) {
    let mut ear = Ear::open(desk, "/ws").await;
    for (request, field) in [
        ("{", None),
        ("[]", None),
        (r#"{"action":"subscribe","stream":"orderbook"}"#, Some("symbol")),
        (r#"{"action":"subscribe","stream":"depth","symbol":""}"#, Some("symbol")),
        (r#"{"action":"subscribe","stream":"orderbook","symbol":"NOPE/NOPE"}"#, Some("symbol")),
        (r#"{"action":"subscribe","stream":"candles","symbol":"BTC/USDT"}"#, Some("stream")),
        (r#"{"action":"subscribe","stream":"orders"}"#, Some("stream")),
        (r#"{"action":"listen","stream":"trades"}"#, Some("action")),
        (r#"{"stream":"trades"}"#, Some("action")),
        (r#"{"action":"subscribe","stream":"trades","after":"yesterday"}"#, Some("after")),
    ] {
        ear.say(Message::text(request)).await;
        let error = ear.next().await;
        assert_eq!((text(&error, "type"), error["field"].as_str()), ("error", field), "{request}: {error}");
        assert!(!text(&error, "code").is_empty() && !text(&error, "message").is_empty());
    }
    ear.subscribe("trades", Some("BTC-USDT")).await;
    ear.say(Message::binary(vec![1, 2, 3])).await;
    assert!(matches!(ear.hear().await, Heard::Closed(1003, _)), "binary");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_hears_what_it_subscribes_to_and_no_more() {
    let desk = Desk::up(&[]);
    let mut ear = Ear::open(&desk, &format!("/ws?user_id={ANN}")).await;
    for (stream, symbol) in
        [("orders", None), ("trades", None), ("orderbook", Some("BTC-USDT")), ("depth", Some("BTC/USDT"))]
    {
        ear.subscribe(stream, symbol).await;
        if let Some(symbol) = symbol {
            let first = ear.next().await;
            assert_says(&first, &json!({"symbol": symbol.replace('-', "/"), "snapshot": true}));
        }
    }
    assert_eq!(ear.lines["depth BTC/USDT"].heard[0]["bids"], json!([]));
    // Another market's book is not heard, its trades are.
    desk.place(&super::desk::with(super::desk::limit(ANN, "SELL", 1, 50), &json!({"symbol": "ETH/USDT"})))
        .await;
    desk.place(&super::desk::with(super::desk::limit(BOB, "BUY", 1, 50), &json!({"symbol": "ETH/USDT"})))
        .await;
    let eth = ear.take(3).await;
    let mut types: Vec<_> = eth.iter().map(|message| text(message, "type")).collect();
    types.sort_unstable();
    assert_eq!(types, ["order_update", "order_update", "trade_executed"]);
    unsubscribed_is_silent(&desk, &mut ear).await;

    // Where it stopped, it can go on: exactly what it has missed, then live.
    let token = ear.lines["trades"].token.clone();
    let again = ear.ask(&json!({"action": "subscribe", "stream": "trades", "after": token})).await;
    assert_says(&again, &json!({"type": "subscribed", "stream": "trades"}));
    let missed = ear.next().await;
    assert_says(&missed, &json!({"type": "trade_executed", "symbol": "BTC/USDT"}));
}

async fn unsubscribed_is_silent(desk: &Desk, ear: &mut Ear) {
    let answer = ear.ask(&json!({"action": "unsubscribe", "stream": "trades"})).await;
    assert_says(&answer, &json!({"type": "unsubscribed", "stream": "trades"}));
    let answer =
        ear.ask(&json!({"action": "unsubscribe", "stream": "orderbook", "symbol": "BTC/USDT"})).await;
    assert_says(&answer, &json!({"type": "unsubscribed", "stream": "orderbook", "symbol": "BTC/USDT"}));
    desk.limit(ANN, "SELL", 1, 100).await;
    desk.limit(BOB, "BUY", 1, 100).await;
    let last = desk.limit(ANN, "BUY", 2, 90).await;
    let mut heard = Vec::new();
    while !heard.iter().any(|kind| kind == "depth_update 90") || !heard.contains(&last) {
        let message = ear.next().await;
        match text(&message, "type") {
            "order_update" => heard.push(text(&message, "order_id").to_owned()),
            "depth_update" => {
                heard.push(format!("depth_update {}", message["bids"][0][0].as_str().unwrap_or("-")))
            }
            other => panic!("{other} behind its unsubscribe: {message}"),
        }
    }
    assert_eq!(heard.len(), 6, "created, filled, created, and three changes of levels: {heard:?}");
}
