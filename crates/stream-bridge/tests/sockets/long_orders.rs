//! Orders with more events than one message may hold, or memory.

use std::sync::atomic::Ordering;

use fillstream_stream_bridge::Settings;

use crate::{
    client::Client,
    life::{self, GOOD, order},
    rig::{Rig, settings},
};

/// Entries that a process keeps of an order.
const KEPT: usize = 10_000;

fn append_pairs(rig: &Rig, kinds: [&str; 2], events: usize) {
    let pair = kinds.map(|kind| life::event(order(1), kind, ""));
    for at in 0..events {
        rig.append_now(&pair[at % 2]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_of_fifty_thousand_events_is_cut_and_says_so() {
    for every_step in [true, false] {
        let rig = Rig::start(settings()).await;
        rig.append(order(1), &GOOD[..1]).await;
        append_pairs(&rig, ["routing_started", "prepared"], 50_000);
        let twin = rig.twin().await;
        let mut client = Client::connect(&twin.url(every_step, order(1))).await;
        let backfill = client.until_type("backfill").await;
        assert_eq!(backfill["truncated"], true);
        let first = client.shown[0];
        assert_eq!(backfill["cursor"], first.0.to_string(), "what is before it is paged over HTTP");
        assert!((KEPT / 4..=KEPT).contains(&client.shown.len()), "{}", client.shown.len());
        assert!(client.texts.last().unwrap().len() < 8 << 20);
        rig.append(order(1), &["confirmed"]).await;
        assert_eq!(client.until_close().await.0, 1000);
        let channel = rig.channel(order(1), every_step).await;
        let cut = channel.iter().position(|place| *place == first).unwrap();
        assert!(cut == 0 || channel[cut - 1].0 < first.0, "an event is in it whole or not at all");
        assert_eq!(client.shown, channel[cut..], "gapless forward");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_behind_all_that_is_kept_is_served_from_the_log() {
    for every_step in [true, false] {
        let rig = Rig::start_with(settings(), Some(4096)).await;
        rig.append(order(1), &GOOD[..1]).await;
        rig.caught_up().await;
        let mut client = Client::connect_narrow(&rig.url(every_step, order(1))).await;
        client.until_type("backfill").await;
        assert_eq!(rig.log.pages_read.load(Ordering::Relaxed), 0, "the order was placed since the start");
        append_pairs(&rig, ["routing_started", "prepared"], 2 * KEPT);
        rig.caught_up().await;
        client.until_type("fell_behind").await;
        client.until_type("caught_up").await;
        assert!(rig.log.pages_read.load(Ordering::Relaxed) > 0);
        rig.append(order(1), &["confirmed"]).await;
        assert_eq!(client.until_close().await.0, 1000);
        assert_eq!(client.shown, rig.channel(order(1), every_step).await);
    }
}

/// The changes of status are older than all that is kept; still nothing is missing on their channel.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_current_socket_is_not_behind_what_its_channel_never_shows() {
    let rig = Rig::start(Settings { queue_events: 1_000_000, ..settings() }).await;
    rig.append(order(1), &GOOD[..1]).await;
    rig.caught_up().await;
    let mut early = Client::connect(&rig.url(false, order(1))).await;
    early.until_type("backfill").await;
    append_pairs(&rig, ["routing_started", "retry_scheduled"], 2);
    // It is current before all the rest comes: who is late may well have to read again.
    early.until_type("status_update").await;
    append_pairs(&rig, ["routing_started", "retry_scheduled"], KEPT + 498);
    rig.caught_up().await;
    let mut late = Client::connect(&format!("{}after={}", rig.url(false, order(1)), early.token)).await;
    let backfill = late.until_type("backfill").await;
    assert_eq!((&backfill["truncated"].is_null(), backfill["token"].as_str()), (&true, Some(&*early.token)));
    let mut anew = Client::connect(&rig.url(false, order(1))).await;
    assert_eq!(anew.until_type("backfill").await["truncated"], true);
    rig.append(order(1), &["confirmed"]).await;
    early.until_close().await;
    late.until_close().await;
    assert_eq!(rig.log.pages_read.load(Ordering::Relaxed), 0, "nothing had to be read again");
    let channel = rig.channel(order(1), false).await;
    assert_eq!((&early.shown, late.shown.as_slice()), (&channel, &channel[2..]));
    assert!(!early.types().contains(&"fell_behind".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_in_the_middle_of_a_catch_up_is_waited_out_or_ends_with_the_token() {
    for comes_back in [true, false] {
        let rig = Rig::start_with(settings(), Some(4096)).await;
        rig.append(order(1), &GOOD[..1]).await;
        rig.caught_up().await;
        let mut client = Client::connect_narrow(&rig.url(true, order(1))).await;
        client.until_type("backfill").await;
        append_pairs(&rig, ["routing_started", "prepared"], KEPT);
        rig.caught_up().await;
        rig.log.let_reads_through(false);
        client.until_type("fell_behind").await;
        while client.until_type("status").await["reason"] != "waiting_for_history" {}
        if comes_back {
            rig.log.let_reads_through(true);
            client.until_type("caught_up").await;
            assert_eq!(client.shown, rig.channel(order(1), true).await);
        } else {
            assert_eq!(client.until_close().await, (1013, client.token.clone()));
        }
    }
}
