//! The process is asked to end, and the stream goes away, while clients listen.

use std::time::{Duration, Instant};

use fillstream_tests::socket::Heard;
use serde_json::json;

use super::{
    ANN, BOB, assert_says,
    desk::{Desk, until},
    ear::Ear,
    text,
};

/// An outage is told from here on.
const TOLD_AFTER: Duration = Duration::from_secs(2);

/// Reads to the close 1001; the last message but the channel's own.
async fn ended(ear: &mut Ear) -> serde_json::Value {
    loop {
        match ear.hear().await {
            Heard::Message(_) => {}
            Heard::Closed(1001, _) => break,
            other => panic!("{other:?} at the end"),
        }
    }
    let shutdown = ear.told.last().expect("something was said").clone();
    assert_eq!(shutdown["type"], "shutdown", "{shutdown}");
    shutdown
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_are_told_of_the_end_and_go_on_behind_it() {
    let mut desk = Desk::up(&[]);
    let (path, address) = (format!("/ws/orders?user_id={ANN}"), desk.address().to_owned());
    let mut orders = Ear::open(&desk, &path).await;
    let mut many = Ear::open(&desk, "/ws").await;
    many.subscribe("trades", None).await;
    many.subscribe("depth", Some("BTC/USDT")).await;
    for n in 0..20 {
        desk.limit(ANN, "SELL", 1, 100 + n % 3).await;
        desk.limit(BOB, "BUY", 1, 100).await;
    }
    assert_eq!(desk.0.process.terminate(), Some(0));
    let (shutdown, tokens) = (ended(&mut orders).await, ended(&mut many).await["tokens"].clone());
    let line = orders.line().clone();
    assert_eq!(Some(text(&shutdown, "token")), line.token.as_deref(), "the token of where it stands");
    let streams: Vec<_> =
        tokens.as_array().expect("tokens").iter().map(|place| text(place, "stream")).collect();
    assert_eq!(streams, ["trades", "depth"]);

    desk.0.kill_and_restart();
    let after = format!("{path}&after={}", text(&shutdown, "token"));
    let mut again = Ear::resume(&address, &after, line).await.expect("a socket");
    let last = desk.limit(ANN, "SELL", 1, 200).await;
    while again.take(1).await[0]["order_id"] != *last {}
    let created = again.line().heard.iter().filter(|update| update["action"] == "created").count();
    assert_eq!(created, 21, "gapless over both");

    let mut trades = Ear::open(&desk, "/ws").await;
    let answer =
        trades.ask(&json!({"action": "subscribe", "stream": "trades", "after": tokens[0]["token"]})).await;
    assert_eq!(answer["type"], "subscribed");
    desk.limit(BOB, "BUY", 1, 102).await;
    let known = many.lines["trades"].heard.len();
    let listed = until("all trades are listed", async || {
        let listed = desk.pages("/api/v1/markets/BTC-USDT/trades?limit=9", "trades").await;
        (listed[0]["taker_order_id"] != many.lines["trades"].heard[known - 1]["taker_order_id"])
            .then_some(listed)
    });
    let listed = listed.await;
    let missed = trades.take(listed.len() - known).await;
    let ids: Vec<_> =
        many.lines["trades"].heard.iter().chain(&missed).rev().map(|trade| text(trade, "trade_id")).collect();
    assert_eq!(ids, listed.iter().map(|trade| text(trade, "trade_id")).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_outlive_the_stream_s_absence() {
    let desk = Desk::serve("api,bridge,projector,matcher");
    desk.until_heard("BTC-USDT").await;
    let mut orders = Ear::open(&desk, &format!("/ws/orders?user_id={ANN}")).await;
    let mut many = Ear::open(&desk, "/ws").await;
    many.subscribe("trades", Some("BTC-USDT")).await;
    desk.limit(ANN, "SELL", 1, 100).await;
    orders.take(1).await;

    let nats = desk.0.nats.as_ref().expect("a nats-server of the test's own");
    let lost = Instant::now();
    nats.kill_and_hold();
    for ear in [&mut orders, &mut many] {
        let status = ear.next().await;
        assert_says(&status, &json!({"type": "status"}));
        assert!(!text(&status, "token").is_empty() && !text(&status, "stream").is_empty(), "{status}");
        assert!(lost.elapsed() >= TOLD_AFTER, "an outage that might be none");
    }
    nats.resume().expect("nats-server comes back");
    for ear in [&mut orders, &mut many] {
        assert_says(&ear.next().await, &json!({"type": "status"}));
    }
    desk.limit(BOB, "BUY", 1, 100).await;
    assert_says(&many.take(1).await[0], &json!({"type": "trade_executed"}));
    assert_says(&orders.take(1).await[0], &json!({"action": "filled"}));
}
