//! Many sockets.

use std::collections::HashSet;

use serde_json::Value;

use crate::{
    client::Client,
    orders::sweep,
    rig::{BTC, Rig, settings, until},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_clients_get_a_thousand_trades_each_and_the_same_bytes() {
    let rig = Rig::start(settings()).await;
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(Client::connect(&rig.url("/ws/trades")).await);
    }
    for _ in 0..100 {
        rig.commit(BTC, sweep(10, 1));
    }
    let mut seen = HashSet::new();
    for client in &mut clients {
        client.take(1000).await;
        let texts: Vec<String> = client.all("trade_executed").iter().map(Value::to_string).collect();
        seen.insert(texts);
    }
    assert_eq!(seen.len(), 1);
    assert_eq!(rig.hub.counters().messages_sent.get(), 100_000);
    drop(clients);
    until("all are gone", || rig.hub.counters().connections.get() == 0).await;
    assert_eq!(rig.hub.counters().subscriptions.get(), 0);
}
