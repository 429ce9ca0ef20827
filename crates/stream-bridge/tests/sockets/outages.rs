//! The stream cannot be reached, or does not answer.

use fillstream_stream_bridge::Settings;
use tokio::time::Instant;

use crate::{
    client::Client,
    life::{GOOD, order},
    rig::{Rig, settings, until},
    rough_log::Weather,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_and_its_end_are_told_and_nothing_is_missed() {
    for weather in [Weather::Cut, Weather::Hung] {
        for every_step in [true, false] {
            let rig = Rig::start(settings()).await;
            rig.append(order(1), &GOOD[..2]).await;
            let mut client = Client::connect(&rig.url(every_step, order(1))).await;
            client.until_type("backfill").await;
            rig.log.set_weather(weather);
            assert_eq!(client.until_type("status").await["reason"], "stream_unreachable");
            // The stream goes on; we do not see it.
            rig.append(order(1), &GOOD[2..]).await;
            rig.log.set_weather(Weather::Fair);
            assert_eq!(client.until_close().await.0, 1000);
            assert_eq!(client.shown, rig.channel(order(1), every_step).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_an_outage_is_told() {
    let rig = Rig::start(settings()).await;
    rig.append(order(1), &GOOD[..2]).await;
    let mut client = Client::connect(&rig.url(true, order(1))).await;
    client.until_type("backfill").await;
    rig.log.set_weather(Weather::Cut);
    assert_eq!(client.until_type("status").await["reason"], "stream_unreachable");
    rig.log.set_weather(Weather::Fair);
    assert_eq!(client.until_type("status").await["reason"], "stream_reachable");
    assert_eq!(client.types().iter().filter(|kind| *kind == "status").count(), 2);
}

/// The stream answers and goes on, and nothing of it arrives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_that_is_stuck_is_told_as_well() {
    let rig = Rig::start(settings()).await;
    rig.append(order(1), &GOOD[..2]).await;
    let mut client = Client::connect(&rig.url(true, order(1))).await;
    client.until_type("backfill").await;
    rig.log.let_tail_through(false);
    rig.append(order(2), &GOOD[..1]).await;
    assert_eq!(client.until_type("status").await["reason"], "stream_unreachable");
    rig.log.let_tail_through(true);
    assert_eq!(client.until_type("status").await["reason"], "stream_reachable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_cut_is_nobody_s_business() {
    let rig =
        Rig::start(Settings { unreachable_after: std::time::Duration::from_secs(60), ..settings() }).await;
    rig.append(order(1), &GOOD[..2]).await;
    let mut client = Client::connect(&rig.url(true, order(1))).await;
    client.until_type("backfill").await;
    rig.log.set_weather(Weather::Cut);
    rig.append(order(1), &GOOD[2..3]).await;
    rig.log.set_weather(Weather::Fair);
    rig.append(order(1), &GOOD[3..]).await;
    assert_eq!(client.until_close().await.0, 1000);
    assert!(!client.types().contains(&"status".to_owned()));
}

/// The order is in memory, so the socket opens; that nothing can follow is told at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_during_an_outage_is_told_too() {
    for every_step in [true, false] {
        let rig = Rig::start(settings()).await;
        rig.append(order(1), &GOOD[..2]).await;
        let mut early = Client::connect(&rig.url(every_step, order(1))).await;
        early.until_type("backfill").await;
        rig.log.set_weather(Weather::Cut);
        early.until_type("status").await;
        let mut late = Client::connect(&rig.url(every_step, order(1))).await;
        assert_eq!(late.until_type("status").await["reason"], "stream_unreachable");
        rig.log.set_weather(Weather::Fair);
        rig.append(order(1), &GOOD[2..]).await;
        late.until_close().await;
        assert_eq!(late.shown, rig.channel(order(1), every_step).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_cannot_be_looked_up_is_closed_with_an_error() {
    for weather in [Weather::Cut, Weather::Hung] {
        let rig = Rig::start(settings()).await;
        rig.append(order(1), &GOOD[..2]).await;
        // Not in memory there.
        let twin = rig.twin().await;
        twin.log.set_weather(weather);
        let asked = Instant::now();
        let mut client = Client::connect(&twin.url(true, order(1))).await;
        assert!(asked.elapsed() >= settings().unreachable_after, "it was tried for as long as that");
        let (code, token) = client.until_close().await;
        assert_eq!(client.types(), ["connection", "subscribed", "error"]);
        assert!(client.texts[2].contains(r#""code":"stream_unreachable""#), "{}", client.texts[2]);
        assert_eq!((code, token), (1013, client.token.clone()));
        let mut plain = Client::connect(&twin.url(false, order(1))).await;
        assert_eq!(plain.until_close().await.0, 1013);
        assert_eq!(plain.types(), ["error"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_cut_does_not_refuse_anybody() {
    let rig = Rig::start(settings()).await;
    rig.append(order(1), &GOOD).await;
    let twin = rig.twin().await;
    twin.log.set_weather(Weather::Cut);
    let url = twin.url(true, order(1));
    let connecting = tokio::spawn(async move { Client::connect(&url).await });
    until("it waits", || twin.hub.counters().connections.get() == 1).await;
    twin.log.set_weather(Weather::Fair);
    let mut client = connecting.await.unwrap();
    assert_eq!(client.until_close().await.0, 1000);
    assert_eq!(client.shown, rig.channel(order(1), true).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_that_does_not_come_is_told_and_given_up() {
    for weather in [Weather::Fair, Weather::Cut, Weather::Hung] {
        let rig = Rig::start(settings()).await;
        rig.append(order(1), &GOOD[..2]).await;
        let twin = rig.twin().await;
        // Known to exist, and then the history does not come.
        twin.log.let_reads_through(false);
        let mut client = Client::connect(&twin.url(true, order(1))).await;
        twin.log.set_weather(weather);
        while client.until_type("status").await["reason"] != "waiting_for_history" {}
        let (code, token) = client.until_close().await;
        assert_eq!((code, token), (1013, client.token.clone()), "{weather:?}");
        twin.log.set_weather(Weather::Fair);
        twin.log.let_reads_through(true);
        let mut again = Client::connect(&twin.url(true, order(1))).await;
        again.until_type("backfill").await;
        assert_eq!(again.shown, rig.channel(order(1), true).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_recreated_ends_all_sockets() {
    let rig = Rig::start(settings()).await;
    rig.append(order(1), &GOOD[..2]).await;
    let mut client = Client::connect(&rig.url(true, order(1))).await;
    client.until_type("backfill").await;
    rig.log.recreate();
    client.until_type("shutdown").await;
    assert_eq!(client.until_close().await.0, 1001);
}
