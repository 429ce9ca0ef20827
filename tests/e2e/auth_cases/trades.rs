//! Names of trades: the public learns prices and quantities, each side its own part.

use fillstream_tests::{http::request, socket::Client};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};
use tokio_tungstenite::tungstenite::Message;

use super::{ANN, BOB, JSON, VERIFIED, good};
use crate::site::Site;

const PARTIES: [&str; 6] =
    ["buyer_id", "seller_id", "buyer_fee", "seller_fee", "maker_order_id", "taker_order_id"];

/// A limit order; its id.
async fn trade(site: &Site, token: Option<&str>, user: &str, side: &str, quantity: &str) -> String {
    let order = json!({ "user_id": user, "symbol": "BTC/USDT", "side": side, "type": "LIMIT", "quantity": quantity,
                        "price": "100" });
    let headers: Vec<_> = std::iter::once(JSON).chain(token.map(|token| ("Authorization", token))).collect();
    let answer =
        request(site.address(), "POST", "/api/v1/orders", &headers, order.to_string().as_bytes()).await;
    let answer = answer.expect("an answer").json();
    answer["order_id"].as_str().unwrap_or_else(|| panic!("no order: {answer}")).to_owned()
}

/// The trades of a list, once there are as many.
async fn list(site: &Site, path: &str, token: Option<&str>, count: usize) -> Vec<Value> {
    let headers: Vec<_> = token.map(|token| ("Authorization", token)).into_iter().collect();
    let until = Instant::now() + super::PATIENCE;
    loop {
        let answer = request(site.address(), "GET", path, &headers, b"").await.expect("an answer");
        assert_eq!(answer.status, 200, "{path}: {}", answer.json());
        let trades = answer.json()["trades"].as_array().cloned().unwrap_or_default();
        if trades.len() >= count {
            return trades;
        }
        assert!(Instant::now() < until, "{path}: {trades:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Names that a trade tells of those who made it.
fn told(trade: &Value) -> Vec<(&'static str, Value)> {
    let there = |name: &&'static str| {
        let value = trade.get(*name).unwrap_or_else(|| panic!("{name} is missing in {trade}"));
        (!value.is_null()).then(|| (*name, value.clone()))
    };
    PARTIES.iter().filter_map(there).collect()
}

async fn subscribed(site: &Site, token: Option<&str>, query: &str, more: Value) -> Client {
    let headers: Vec<_> = token.map(|token| ("authorization", token)).into_iter().collect();
    let mut socket =
        Client::open_with(site.address(), &format!("/ws{query}"), &headers).await.expect("it opens");
    let mut request = json!({ "action": "subscribe", "stream": "fills" });
    request.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    socket.say(Message::text(request.to_string())).await;
    let answer = socket.message().await;
    assert_eq!((&answer["type"], &answer["stream"]), (&json!("subscribed"), &json!("fills")), "{answer}");
    socket
}

#[tokio::test(flavor = "multi_thread")]
async fn with_authentication_nobody_learns_who_traded_but_those_who_did() {
    let site = Site::up(&VERIFIED);
    let (ann, bob) = (good(ANN), good(BOB));
    let mut public = Client::open(site.address(), "/ws/trades").await.expect("trades are public");
    let mut hers = subscribed(&site, Some(&ann), "", json!({})).await;
    let mut his = subscribed(&site, Some(&bob), "", json!({ "symbol": "BTC/USDT" })).await;
    let sold = trade(&site, Some(&ann), ANN, "SELL", "2").await;
    let bought = trade(&site, Some(&bob), BOB, "BUY", "1").await;
    let her_side =
        vec![("seller_id", json!(ANN)), ("seller_fee", json!("0.05")), ("maker_order_id", json!(sold))];
    let his_side =
        vec![("buyer_id", json!(BOB)), ("buyer_fee", json!("0.1")), ("taker_order_id", json!(bought))];
    let seen = public.message().await;
    assert_eq!(
        (&seen["type"], &seen["price"], &seen["quantity"]),
        (&json!("trade_executed"), &json!("100"), &json!("1"))
    );
    assert_eq!(told(&seen), [], "{seen}");
    let (to_her, to_him) = (hers.message().await, his.message().await);
    for (fill, side) in [(&to_her, &her_side), (&to_him, &his_side)] {
        assert_eq!(&told(fill), side, "{fill}");
        assert_eq!(
            (&fill["type"], &fill["stream"], &fill["last"]),
            (&json!("trade_executed"), &json!("fills"), &json!(true))
        );
        assert_eq!((&fill["trade_id"], &fill["seq"]), (&seen["trade_id"], &seen["seq"]));
    }
    for path in ["/api/v1/markets/BTC/USDT/trades", "/api/v1/markets/BTC-USDT/trades?limit=1"] {
        assert_eq!(told(&list(&site, path, None, 1).await[0]), [], "{path}");
        assert_eq!(told(&list(&site, path, Some(&ann), 1).await[0]), [], "{path}, also to who traded");
    }
    for (user, token, side) in [(ANN, &ann, &her_side), (BOB, &bob, &his_side)] {
        for path in [format!("/api/v1/trades?user_id={user}"), "/api/v1/trades?symbol=BTC-USDT".to_owned()] {
            let trades = list(&site, &path, Some(token), 1).await;
            assert_eq!((trades.len(), &told(&trades[0])), (1, side), "{path}");
        }
    }
    for (path, token, status) in [
        (format!("/api/v1/trades?user_id={ANN}"), None, 401),
        (format!("/api/v1/trades?user_id={ANN}"), Some(&bob), 403),
        ("/api/v1/trades?symbol=btc".to_owned(), Some(&bob), 400),
    ] {
        let headers: Vec<_> = token.map(|token| ("Authorization", token.as_str())).into_iter().collect();
        let answer = request(site.address(), "GET", &path, &headers, b"").await.expect("an answer");
        assert_eq!(answer.status, status, "{path}: {}", answer.json());
    }
    // A trade with oneself is told once, with both sides; the chain goes on.
    let crossed = trade(&site, Some(&ann), ANN, "BUY", "1").await;
    let own = hers.message().await;
    assert_eq!(told(&own).len(), 6, "{own}");
    assert_eq!(own["taker_order_id"], json!(crossed));
    assert_eq!([&own["prev_seq"], &own["prev_index"]], [&to_her["seq"], &to_her["index"]]);
    assert_eq!(list(&site, "/api/v1/trades", Some(&ann), 2).await.len(), 2);
    // Resumed from the rows: the same messages, byte for byte; a token of another's channel says nothing.
    let seq = to_her["seq"].as_u64().expect("a sequence");
    let mut again = subscribed(&site, Some(&ann), "", json!({ "after": seq - 1 })).await;
    assert_eq!([again.message().await, again.message().await], [to_her.clone(), own.clone()]);
    let mut rest = subscribed(&site, Some(&ann), "", json!({ "after": to_her["token"] })).await;
    assert_eq!(rest.message().await, own);
    let mut foreign = subscribed(&site, Some(&bob), "", json!({ "after": to_her["token"] })).await;
    let reset = foreign.message().await;
    assert_eq!((&reset["type"], &reset["reason"]), (&json!("reset"), &json!("other_channel")), "{reset}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_fills_come_from_the_rows() {
    let mut site = Site::up(&VERIFIED);
    let (ann, bob) = (good(ANN), good(BOB));
    let mut hers = subscribed(&site, Some(&ann), "", json!({})).await;
    trade(&site, Some(&ann), ANN, "SELL", "1").await;
    trade(&site, Some(&ann), ANN, "SELL", "1").await;
    trade(&site, Some(&bob), BOB, "BUY", "2").await;
    let live = [hers.message().await, hers.message().await];
    assert_eq!([&live[0]["index"], &live[1]["index"]], [&json!(0), &json!(1)], "of one commit");
    list(&site, "/api/v1/trades", Some(&ann), 2).await;
    site.kill_and_restart();
    site.process.until_ready();
    for (after, expected) in [(json!(1), &live[..]), (live[0]["token"].clone(), &live[1..])] {
        let mut again = subscribed(&site, Some(&ann), "", json!({ "after": after })).await;
        for fill in expected {
            assert_eq!(again.message().await, *fill, "after {after}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_authentication_trades_are_told_as_ever() {
    let site = Site::up(&[]);
    let mut public = Client::open(site.address(), "/ws/trades").await.expect("trades are public");
    let mut hers = subscribed(&site, None, &format!("?user_id={ANN}"), json!({})).await;
    trade(&site, None, ANN, "SELL", "1").await;
    trade(&site, None, BOB, "BUY", "1").await;
    assert_eq!(told(&public.message().await).len(), 6);
    assert_eq!(told(&list(&site, "/api/v1/markets/BTC/USDT/trades", None, 1).await[0]).len(), 6);
    assert_eq!(told(&hers.message().await).len(), 3, "own ids and the own fee");
    assert_eq!(told(&list(&site, &format!("/api/v1/trades?user_id={ANN}"), None, 1).await[0]).len(), 3);
}
