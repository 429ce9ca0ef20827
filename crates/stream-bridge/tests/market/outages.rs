//! The stream, or the rows, cannot be reached for a while.

use fillstream_domain::Seq;
use fillstream_event_log::NewRecord;
use serde_json::json;
use uuid::Uuid;

use crate::{
    client::{Client, Heard},
    life,
    orders::sweep,
    rig::{BTC, Rig, settings, until},
    rough_log::Weather,
};

#[tokio::test]
async fn an_outage_and_its_end_are_told_on_each_subscription() {
    let rig = Rig::start(settings()).await;
    let mut client = Client::connect(&rig.url("/ws")).await;
    client.subscribe("trades", None).await;
    client.subscribe("orderbook", Some(BTC)).await;
    client.text().await;
    rig.log.set_weather(Weather::Cut);
    for (stream, symbol) in [("trades", json!(null)), ("orderbook", json!(BTC))] {
        let told = client.text().await;
        assert_eq!((&told["type"], &told["reason"]), (&json!("status"), &json!("stream_unreachable")));
        assert_eq!((&told["stream"], &told["symbol"]), (&json!(stream), &symbol));
    }
    let seq = rig.commit(BTC, sweep(2, 1));
    let answer = client.ask(json!({"action": "subscribe", "stream": "depth", "symbol": "NO/PE"})).await;
    assert_eq!(answer["code"], "stream_unreachable", "nobody knows whether there is such a market");
    rig.log.set_weather(Weather::Fair);
    client.until_type("trade_executed").await;
    client.until_type("trade_executed").await;
    assert_eq!(client.places("trade_executed"), [(seq, 0), (seq, 1)]);
    while client.all("status").len() < 4 {
        client.text().await;
    }
    let back = client.all("status").split_off(2);
    assert!(back.iter().all(|told| told["reason"] == "stream_reachable"), "{back:?}");
}

/// The next typed message of an order: its type and sequence.
async fn step(client: &mut Client) -> (String, u64) {
    loop {
        let Heard::Text(told) = client.next().await else { panic!("the socket ended") };
        let kind = told["type"].as_str().unwrap();
        if !["connection", "subscribed", "backfill", "status"].contains(&kind) {
            return (kind.to_owned(), told["seq"].as_u64().unwrap());
        }
    }
}

#[tokio::test]
async fn swaps_are_told_while_the_rows_are_away_and_markets_once_they_are_back() {
    let rig = Rig::start(settings()).await;
    let swap = async |kind: &str| {
        let event = life::event(life::order(1), kind, "");
        let record = NewRecord {
            subject: life::subject(life::order(1), &event),
            after: Seq::ZERO,
            event_id: Uuid::now_v7(),
            event_type: event.event_type().cloud_event_type(),
            time: event.at().to_string(),
            traceparent: None,
            retries: None,
            payload: event.encode().into(),
        };
        rig.log.calm.append_now(record).get()
    };
    swap("placed").await;
    let mut process = Rig::without_tail(&rig.log.calm, settings(), None);
    process.stored.hold_at(1);
    process.stored.go_away(true);
    process.run_tail();
    let mut client = Client::connect(&process.url(&format!("/api/orders/status/{}", life::order(1)))).await;
    let routing = swap("routing_started").await;
    assert_eq!(step(&mut client).await, ("routing".to_owned(), routing));
    let traded = rig.commit(BTC, sweep(1, 1));
    assert_eq!(process.hub.book(&BTC.parse().unwrap(), 1), None, "nobody knows it");
    until("it says so", || process.hub.obstacles().all().iter().any(|(what, _)| what.contains("books")))
        .await;

    // Rows that are behind: what lies between is told to markets, and to swaps not again.
    process.stored.go_away(false);
    until("books are told", || process.hub.book(&BTC.parse().unwrap(), 1).is_some()).await;
    process.caught_up().await;
    assert!(process.hub.obstacles().all().is_empty());
    let mut trades = Client::connect(&process.url("/ws/trades?after=1")).await;
    assert_eq!(trades.until_type("trade_executed").await["seq"], json!(traded));
    let next = swap("routed").await;
    assert_eq!(step(&mut client).await, ("routing".to_owned(), next), "no gap, and nothing twice");
    let again = rig.commit(BTC, sweep(1, 1));
    assert_eq!(trades.until_type("trade_executed").await["seq"], json!(again));
}
