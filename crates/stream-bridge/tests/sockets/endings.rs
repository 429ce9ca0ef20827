//! Ends of sockets; nothing of them stays.

use std::time::Duration;

use fillstream_stream_bridge::Settings;
use tokio::{io::AsyncReadExt, time::Instant};

use crate::{
    client::{Client, Heard},
    life::{GOOD, order},
    rig::{Rig, settings, until},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_has_ended_is_closed_after_the_linger() {
    let linger = Duration::from_millis(300);
    for every_step in [true, false] {
        let rig = Rig::start(Settings { linger, ..settings() }).await;
        rig.append(order(1), &GOOD[..4]).await;
        let mut watching = Client::connect(&rig.url(every_step, order(1))).await;
        watching.until_type("backfill").await;
        rig.append(order(1), &GOOD[4..]).await;
        let last = *rig.channel(order(1), every_step).await.last().unwrap();
        watching.until_shown(last).await;
        let told = Instant::now();
        assert_eq!(watching.until_close().await.0, 1000);
        assert!(told.elapsed() >= linger - Duration::from_millis(50), "{:?}", told.elapsed());
        let mut late = Client::connect(&rig.url(every_step, order(1))).await;
        let connected = Instant::now();
        assert_eq!(late.until_close().await.0, 1000);
        assert!(connected.elapsed() >= linger - Duration::from_millis(50));
        assert_eq!(late.shown, rig.channel(order(1), every_step).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_shutdown_each_socket_is_told_and_closed_with_its_token() {
    for every_step in [true, false] {
        let rig = Rig::start(settings()).await;
        rig.append(order(1), &GOOD[..3]).await;
        let mut client = Client::connect(&rig.url(every_step, order(1))).await;
        client.until_type("backfill").await;
        rig.hub.stop();
        let told = client.until_type("shutdown").await;
        let (code, token) = client.until_close().await;
        assert_eq!((code, told["token"].as_str()), (1001, Some(token.as_str())));
        // Another process takes it up where this one left.
        let twin = rig.twin().await;
        rig.append(order(1), &GOOD[3..]).await;
        let mut again = Client::connect(&format!("{}after={token}", twin.url(every_step, order(1)))).await;
        assert_eq!(again.until_close().await.0, 1000);
        assert_eq!([client.shown, again.shown].concat(), rig.channel(order(1), every_step).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_waits_for_its_history_is_told_of_the_shutdown() {
    let rig = Rig::start(settings()).await;
    rig.append(order(1), &GOOD[..3]).await;
    let twin = rig.twin().await;
    twin.log.let_reads_through(false);
    let mut client = Client::connect(&twin.url(true, order(1))).await;
    client.until_type("subscribed").await;
    twin.hub.stop();
    client.until_type("shutdown").await;
    assert_eq!(client.until_close().await.0, 1001);
}

/// Without a tail sockets would be silent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_the_tail_ends_sockets_are_told() {
    let mut rig = Rig::start(settings()).await;
    rig.append(order(1), &GOOD[..3]).await;
    let mut client = Client::connect(&rig.url(false, order(1))).await;
    client.until_type("backfill").await;
    rig.abort_tail().await;
    client.until_type("shutdown").await;
    assert_eq!(client.until_close().await.0, 1001);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_is_pinged_and_one_that_says_nothing_is_closed() {
    let (ping_interval, silence_limit) = (Duration::from_millis(100), Duration::from_millis(350));
    let rig = Rig::start(Settings { ping_interval, silence_limit, ..settings() }).await;
    rig.append(order(1), &GOOD[..1]).await;
    let mut alive = Client::connect(&rig.url(true, order(1))).await;
    // A peer of which only the kernel is left: it takes everything and says nothing.
    let mut dead = Client::connect(&rig.url(true, order(1))).await.socket.into_inner();
    // Reading answers pings by itself.
    let reading = tokio::spawn(async move {
        let mut pings = 0;
        loop {
            match alive.next().await {
                Heard::Ping => pings += 1,
                Heard::Text(_) => {}
                Heard::Close(code, _) => return (pings, code),
                Heard::Cut => panic!("cut"),
            }
        }
    });
    let mut all = Vec::new();
    dead.read_to_end(&mut all).await.unwrap();
    assert!(all.windows(2).any(|bytes| bytes == 1008_u16.to_be_bytes()), "it was told why");
    assert!(all.windows(2).filter(|bytes| bytes == &[0x89, 0]).count() >= 3, "it was pinged");
    until("it is freed", || rig.hub.counters().connections.get() == 1).await;
    rig.append(order(1), &GOOD[1..]).await;
    let (pings, code) = reading.await.unwrap();
    assert!((pings >= 3, code) == (true, 1000), "{pings} pings, then {code}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn constant_news_do_not_keep_pings_and_the_peer_waiting() {
    let rig = Rig::start(Settings { ping_interval: Duration::from_millis(50), ..settings() }).await;
    rig.append(order(1), &GOOD[..2]).await;
    let mut client = Client::connect(&rig.url(true, order(1))).await;
    client.until_type("backfill").await;
    let retry = crate::life::event(order(1), "retry_scheduled", "");
    // There are always some on their way, fewer than the queue holds.
    for _ in 0..50 {
        rig.append_now(&retry);
    }
    let (mut pings, mut told) = (0, 0);
    while pings < 5 {
        match client.next().await {
            Heard::Ping => pings += 1,
            Heard::Text(_) => {
                told += 1;
                rig.append_now(&retry);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(told > 100, "{told}");
    client.socket.close(None).await.unwrap();
    until("it is gone", || rig.hub.counters().connections.get() == 0).await;
}
