//! One socket with many subscriptions.

use fillstream_domain::book::Side::{Buy, Sell};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    client::{Client, Heard},
    flow::{created, levels, lot, outcome, trade, user},
    rig::{BTC, ETH, Rig, settings, until},
};

/// One trade of user 1 with user 2 that changes the top.
fn one_trade(n: u128) -> Vec<fillstream_domain::book::Outcome> {
    let (maker, taker) = (lot(10 * n, 1, Sell, 100, 1), lot(10 * n + 1, 2, Buy, 100, 1));
    let traded = trade(maker.filled(1), taker.filled(1), 1);
    let level = u64::try_from(n).unwrap();
    vec![outcome(vec![created(maker), created(taker), traded], levels(&[(99, level)], &[]))]
}

#[tokio::test]
async fn everything_over_one_socket() {
    let rig = Rig::start(settings()).await;
    rig.commit(ETH, one_trade(1));
    let mut client = Client::connect(&rig.url(&format!("/ws?user_id={}", user(2)))).await;
    assert_eq!(client.subscribe("orders", None).await["stream"], "orders");
    let trades = client.subscribe("trades", None).await;
    assert_eq!((&trades["seq"], &trades["index"]), (&json!(3), &json!(0)), "the last trade so far");
    for (stream, kind) in [("orderbook", "orderbook_update"), ("depth", "depth_snapshot")] {
        let answer = client.subscribe(stream, Some(BTC)).await;
        let told = client.text().await;
        assert_eq!((&told["type"], &told["token"]), (&json!(kind), &answer["token"]));
        assert_eq!((&answer["seq"], &answer["symbol"]), (&told["seq"], &json!(BTC)));
    }
    assert_eq!(rig.hub.counters().subscriptions.get(), 4);
    let seq = rig.commit(BTC, one_trade(2));
    // The client holds each against the position of its `subscribed`.
    let mut kinds: Vec<_> = client
        .take(5)
        .await
        .iter()
        .map(|told| (told["type"].as_str().unwrap().to_owned(), told["seq"] == seq))
        .collect();
    kinds.sort();
    let expected = ["depth_update", "order_update", "order_update", "orderbook_update", "trade_executed"];
    assert_eq!(kinds, expected.map(|kind| (kind.to_owned(), true)));
}

#[tokio::test]
async fn nothing_follows_an_unsubscribe() {
    let rig = Rig::start(settings()).await;
    let mut client = Client::connect(&rig.url("/ws")).await;
    client.subscribe("trades", None).await;
    client.subscribe("orderbook", Some(BTC)).await;
    rig.commit(BTC, one_trade(1));
    client.until_type("trade_executed").await;
    let answer = client.ask(json!({"action": "unsubscribe", "stream": "trades"})).await;
    assert_eq!((&answer["type"], &answer["stream"]), (&json!("unsubscribed"), &json!("trades")));
    for n in 2..5 {
        rig.commit(BTC, one_trade(n));
    }
    while client.places("orderbook_update").len() < 5 {
        let told = client.text().await;
        assert_eq!(told["type"], "orderbook_update", "{told}");
    }
    // What is not subscribed to can be left, too; and taken up again, from where the channel stands then.
    let answer = client.ask(json!({"action": "unsubscribe", "stream": "depth", "symbol": ETH})).await;
    assert_eq!((&answer["type"], &answer["symbol"]), (&json!("unsubscribed"), &json!(ETH)));
    client.subscribe("trades", None).await;
    let seq = rig.commit(BTC, one_trade(5));
    assert_eq!(client.until_type("trade_executed").await["seq"], json!(seq));
    until("two are left", || rig.hub.counters().subscriptions.get() == 2).await;
}

#[tokio::test]
async fn who_subscribes_twice_is_answered_twice_and_told_once() {
    let rig = Rig::start(settings()).await;
    let mut client = Client::connect(&rig.url("/ws")).await;
    client.subscribe("trades", Some(BTC)).await;
    client.subscribe("depth", Some(BTC)).await;
    client.until_type("depth_snapshot").await;
    client.subscribe("trades", Some("BTC-USDT")).await;
    client.subscribe("depth", Some(BTC)).await;
    assert_eq!(client.text().await["type"], "depth_snapshot");
    assert_eq!(rig.hub.counters().subscriptions.get(), 2);
    rig.commit(ETH, one_trade(1));
    rig.commit(BTC, one_trade(2));
    let mut kinds: Vec<_> =
        client.take(2).await.iter().map(|told| told["type"].as_str().unwrap().to_owned()).collect();
    kinds.sort();
    assert_eq!(kinds, ["depth_update", "trade_executed"], "once each, and nothing of the other market");
}

#[tokio::test]
async fn a_market_that_is_new_is_there_with_its_first_commit() {
    let rig = Rig::start(settings()).await;
    let mut client = Client::connect(&rig.url("/ws")).await;
    let unknown = client.ask(json!({"action": "subscribe", "stream": "depth", "symbol": "SOL/USDC"})).await;
    assert_eq!(unknown["code"], "unknown_market");
    rig.commit("SOL/USDC", vec![outcome(Vec::new(), levels(&[(1, 1)], &[]))]);
    client.subscribe("depth", Some("SOL/USDC")).await;
    assert_eq!(client.text().await["bids"], json!([["1", "1"]]));
}

#[tokio::test]
async fn a_shutdown_names_the_token_of_each_subscription() {
    let rig = Rig::start(settings()).await;
    let mut client = Client::connect(&rig.url("/ws")).await;
    client.subscribe("trades", None).await;
    client.subscribe("orderbook", Some(BTC)).await;
    rig.commit(BTC, one_trade(1));
    client.until_type("trade_executed").await;
    let mut single = Client::connect(&rig.url("/ws/trades")).await;
    rig.hub.stop();
    let told = client.until_type("shutdown").await;
    let tokens = told["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), 2);
    assert_eq!(tokens[0]["token"].as_str(), Some(&*client.tokens["trades"]));
    assert_eq!(client.until_close().await.0, 1001);
    let told = single.until_type("shutdown").await;
    assert_eq!(told["token"].as_str(), Some(&*client.tokens["trades"]));
    let Heard::Close(1001, token) = single.next().await else { panic!("no close") };
    assert_eq!(told["token"], json!(token));
    let refused = Client::try_connect(&rig.url("/ws"), &[]).await.err().unwrap();
    assert_eq!(refused.status, 503);
}

#[tokio::test]
async fn orders_of_one_market_have_a_chain_of_their_own() {
    let rig = Rig::start(settings()).await;
    rig.commit(ETH, one_trade(1));
    let btc = rig.commit(BTC, one_trade(2));
    rig.commit(ETH, one_trade(3));
    rig.caught_up().await;
    let mut client = Client::connect(&rig.url(&format!("/ws?user_id={}", user(2)))).await;
    let answer = client.subscribe("orders", Some(BTC)).await;
    assert_eq!((&answer["symbol"], &answer["seq"], &answer["index"]), (&json!(BTC), &json!(btc), &json!(1)));
    rig.commit(ETH, one_trade(4));
    let seq = rig.commit(BTC, one_trade(5));
    let told = client.take(2).await;
    assert!(told.iter().all(|one| one["symbol"] == BTC && one["seq"] == seq), "{told:?}");
}

#[tokio::test]
async fn coming_and_going_leaves_nothing() {
    let rig = Rig::start(settings()).await;
    let mut client = Client::connect(&rig.url(&format!("/ws?user_id={}", user(2)))).await;
    for _ in 0..30 {
        for stream in ["orders", "depth"] {
            client.subscribe(stream, Some(BTC)).await;
            client.ask(json!({"action": "unsubscribe", "stream": stream, "symbol": BTC})).await;
        }
    }
    assert_eq!(rig.hub.counters().subscriptions.get(), 0);
    client.subscribe("orders", None).await;
    rig.commit(BTC, one_trade(1));
    assert_eq!(client.take(2).await[1]["action"], "filled");
}

#[tokio::test]
async fn a_process_that_has_just_started_names_where_channels_stand() {
    let rig = Rig::start(settings()).await;
    let btc = rig.commit(BTC, one_trade(1));
    let eth = rig.commit(ETH, one_trade(2));
    rig.caught_up().await;
    let twin = rig.twin().await;
    for (stream, symbol, seq, index) in [
        ("orders", None, eth, 1),
        ("orders", Some(BTC), btc, 1),
        ("trades", None, eth, 0),
        ("trades", Some(BTC), btc, 0),
    ] {
        let mut client = Client::connect(&twin.url(&format!("/ws?user_id={}", user(2)))).await;
        let answer = client.subscribe(stream, symbol).await;
        assert_eq!((&answer["seq"], &answer["index"]), (&json!(seq), &json!(index)), "{stream} {symbol:?}");
    }
}

#[tokio::test]
async fn a_socket_has_so_many_subscriptions_and_no_more() {
    const MOST: usize = 256;
    let rig = Rig::start(settings()).await;
    let markets: Vec<_> = (0..=MOST / 3).map(|n| format!("M{n}/USDT")).collect();
    for market in &markets {
        rig.commit(market, Vec::new());
    }
    let mut client = Client::connect(&rig.url("/ws")).await;
    let wanted =
        markets.iter().flat_map(|market| ["trades", "orderbook", "depth"].map(|stream| (stream, market)));
    let mut asked = 0;
    for (stream, market) in wanted {
        let request = json!({"action": "subscribe", "stream": stream, "symbol": market});
        client.send(Message::text(request.to_string())).await;
        asked += 1;
    }
    for n in 0..asked {
        let answer = loop {
            let answer = client.text().await;
            if answer.get("snapshot").is_none() {
                break answer;
            }
        };
        let expected = if n < MOST { "subscribed" } else { "error" };
        assert_eq!(answer["type"], expected, "{n}: {answer}");
        assert!(n < MOST || answer["code"] == "too_many_subscriptions", "{answer}");
    }
    // With one given up there is room for another one.
    client.ask(json!({"action": "unsubscribe", "stream": "depth", "symbol": markets[0]})).await;
    client.subscribe("trades", None).await;
}
