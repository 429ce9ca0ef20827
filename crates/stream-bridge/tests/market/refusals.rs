//! Refusals before the upgrade, and words that a client may not say.

use serde_json::json;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::{
    client::Client,
    flow::user,
    rig::{BTC, ETH, Rig, settings},
};

#[tokio::test]
async fn what_is_refused_is_refused_before_the_upgrade() {
    let rig = Rig::start(settings()).await;
    let a = user(1);
    for (path, status, pointer) in [
        ("/ws/orders".to_owned(), 400, "query:user_id"),
        ("/ws/orders?user_id=".to_owned(), 400, "query:user_id"),
        ("/ws/orders?user_id=me".to_owned(), 400, "query:user_id"),
        (format!("/ws/orders?user_id={a}&after=nonsense"), 400, "query:after"),
        ("/ws/trades?after=-1".to_owned(), 400, "query:after"),
        ("/ws/trades?after=".to_owned(), 400, "query:after"),
        ("/ws/markets/".to_owned(), 400, "path:symbol"),
        ("/ws/markets".to_owned(), 400, "path:symbol"),
        ("/ws/markets/NOPE/NOPE".to_owned(), 404, ""),
        ("/ws/markets/NOPE".to_owned(), 404, ""),
        ("/ws/markets/btc/usdt".to_owned(), 404, ""),
        ("/ws/markets/..%2f..%2fetc".to_owned(), 404, ""),
        ("/ws/markets/BTC-USDT.%3E".to_owned(), 404, ""),
        ("/ws/nothing".to_owned(), 404, ""),
    ] {
        let refused = Client::try_connect(&rig.url(&path), &[]).await.err().unwrap();
        assert_eq!(refused.status, status, "{path}: {refused:?}");
        let named = refused.body["errors"][0]["pointer"].as_str().unwrap_or_default();
        assert_eq!(named, pointer, "{path}: {refused:?}");
    }
    let headers = [("origin", "https://elsewhere.example")];
    let refused = Client::try_connect(&rig.url("/ws/trades"), &headers).await.err().unwrap();
    assert_eq!((refused.status, refused.body["code"].as_str()), (403, Some("origin_not_allowed")));
    assert!(Client::try_connect(&rig.url("/ws"), &[("origin", "https://desk.example")]).await.is_ok());
}

#[tokio::test]
async fn a_market_is_the_same_however_it_is_written() {
    let rig = Rig::start(settings()).await;
    for path in ["BTC/USDT", "BTC-USDT", "BTC%2FUSDT", "BTC%2fUSDT"] {
        let mut client = Client::connect(&rig.url(&format!("/ws/markets/{path}"))).await;
        let told = client.text().await;
        assert_eq!((&told["type"], &told["symbol"]), (&json!("orderbook_update"), &json!(BTC)), "{path}");
    }
}

#[tokio::test]
async fn bad_requests_are_answered_and_the_connection_stays() {
    let rig = Rig::start(settings()).await;
    let mut client = Client::connect(&rig.url("/ws")).await;
    for (text, code, field) in [
        ("{", "malformed_request", None),
        ("[]", "malformed_request", None),
        (r#"{"action":"listen","stream":"trades"}"#, "unknown_action", Some("action")),
        (r#"{"action":"subscribe","stream":"candles"}"#, "unknown_stream", Some("stream")),
        (r#"{"action":"subscribe","stream":"orderbook"}"#, "symbol_required", Some("symbol")),
        (r#"{"action":"subscribe","stream":"depth"}"#, "symbol_required", Some("symbol")),
        (r#"{"action":"subscribe","stream":"depth","symbol":"NO/PE"}"#, "unknown_market", Some("symbol")),
        (r#"{"action":"subscribe","stream":"trades","symbol":"b"}"#, "malformed_request", Some("symbol")),
        (r#"{"action":"subscribe","stream":"orders"}"#, "user_required", Some("stream")),
        (r#"{"action":"subscribe","stream":"trades","after":"x"}"#, "malformed_request", Some("after")),
    ] {
        client.send(Message::text(text)).await;
        let error = client.text().await;
        assert_eq!((error["type"].as_str(), error["code"].as_str()), (Some("error"), Some(code)), "{text}");
        assert_eq!(error["field"].as_str(), field, "{text}");
        assert!(error["message"].as_str().is_some_and(|message| message.len() > 10), "{error}");
    }
    assert_eq!(client.subscribe("orderbook", Some(ETH)).await["symbol"], ETH);
    client.send(Message::Binary(Bytes::from_static(b"{}"))).await;
    assert_eq!(client.until_close().await.0, 1003);
}

#[tokio::test]
async fn single_streams_only_speak() {
    let rig = Rig::start(settings()).await;
    let mut client = Client::connect(&rig.url("/ws/trades")).await;
    for message in [Message::text("hello"), Message::Binary(Bytes::from_static(b"hello"))] {
        client.send(message).await;
        assert_eq!(client.text().await["code"], "unexpected_message");
    }
}

#[tokio::test]
async fn a_message_that_is_too_big_ends_the_socket() {
    let rig = Rig::start(settings()).await;
    let mut client = Client::connect(&rig.url("/ws")).await;
    client.send(Message::text(" ".repeat((1 << 20) + 1))).await;
    assert_eq!(client.until_close().await.0, 1009);
}
