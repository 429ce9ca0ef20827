//! The stream cannot be reached for a while.

use serde_json::json;

use crate::{
    client::Client,
    orders::sweep,
    rig::{BTC, Rig, settings},
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
