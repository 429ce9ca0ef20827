//! Clients that do not read, or not fast enough.

use fillstream_domain::{Incarnation, Position, Seq};
use std::time::Duration;

use fillstream_stream_bridge::{Channel, Family, Settings};
use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    client::{Client, Heard},
    life::{self, GOOD, order},
    rig::{INCARNATION, Rig, settings, until},
};

/// Bytes that the server's kernel takes for a client that does not read.
const NARROW: Option<u32> = Some(4096);

/// Appends attempts that fail, with much to say: two events each, three messages on the channel of every step.
fn say_much(rig: &Rig, attempts: usize) {
    let prepared = life::event(order(1), "prepared", "");
    let retry = life::event(order(1), "retry_scheduled", &" and so on".repeat(100));
    for _ in 0..attempts {
        rig.append_now(&prepared);
        rig.append_now(&retry);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_falls_behind_is_told_and_gets_everything() {
    for every_step in [true, false] {
        let rig = Rig::start_with(settings(), NARROW).await;
        rig.append(order(1), &GOOD[..3]).await;
        let mut client = Client::connect_narrow(&rig.url(every_step, order(1))).await;
        client.until_type("backfill").await;
        if every_step {
            say_much(&rig, 400);
        } else {
            change_much(&rig, 400);
        }
        rig.caught_up().await;
        // Reads again.
        client.until_type("fell_behind").await;
        client.until_type("caught_up").await;
        rig.append(order(1), &["confirmed"]).await;
        assert_eq!(client.until_close().await.0, 1000);
        assert_eq!(client.shown, rig.channel(order(1), every_step).await);
        assert_eq!(rig.hub.counters().fell_behind.get(), 1);
        let controls =
            client.types().iter().filter(|kind| kind.ends_with('p') || kind.ends_with("nd")).count();
        assert_eq!(controls, 2, "told once: {:?}", client.types());
    }
}

/// Appends attempts, so that the status changes with each event.
fn change_much(rig: &Rig, attempts: usize) {
    let events = ["routing_started", "prepared"].map(|kind| life::event(order(1), kind, ""));
    for event in (0..attempts).flat_map(|_| &events) {
        rig.append_now(event);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_stalls_ends_with_a_token_that_repeats_nothing() {
    for every_step in [true, false] {
        let rig =
            Rig::start_with(Settings { write_timeout: Duration::from_millis(200), ..settings() }, NARROW)
                .await;
        rig.append(order(1), &GOOD[..3]).await;
        let mut client = Client::connect_narrow(&rig.url(every_step, order(1))).await;
        client.until_type("backfill").await;
        // It is counted once the backfill is out: zero would be seen before that, too.
        until("the socket follows", || rig.hub.counters().subscriptions.get() == 1).await;
        if every_step {
            say_much(&rig, 300)
        } else {
            change_much(&rig, 300)
        };
        until("the socket is given up", || rig.hub.counters().subscriptions.get() == 0).await;
        let (code, token) = client.until_close().await;
        assert_eq!(code, 4408);
        let family = if every_step { Family::Progress } else { Family::Status };
        let (seq, index) = *client.shown.last().unwrap();
        let named = Channel { order: order(1), family }.after(Incarnation::new(INCARNATION), &token);
        let last = Position::new(Seq::new(seq), index);
        assert_eq!(named.unwrap().position(), Some(last), "the last message that it got");

        rig.append(order(1), &["confirmed"]).await;
        // A process with the contract's times: what is shown here is that nothing is missing.
        let twin = rig.twin().await;
        let mut again = Client::connect(&format!("{}after={token}", twin.url(every_step, order(1)))).await;
        assert_eq!(again.until_close().await.0, 1000);
        assert_eq!([client.shown, again.shown].concat(), rig.channel(order(1), every_step).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_catches_up_is_closed_after_three_rounds() {
    let rig = Rig::start_with(Settings { queue_events: 3, ..settings() }, NARROW).await;
    rig.append(order(1), &GOOD[..3]).await;
    let mut client = Client::connect_narrow(&rig.url(true, order(1))).await;
    client.until_type("backfill").await;
    say_much(&rig, 100);
    let one_more = life::event(order(1), "routing_started", "");
    let mut told = false;
    let (code, token) = loop {
        match client.next().await {
            Heard::Text(text) if text["type"] == "fell_behind" => told = true,
            // It got through after all: once more, with more behind it.
            Heard::Text(text) if text["type"] == "caught_up" => say_much(&rig, 100),
            Heard::Text(_) => {}
            Heard::Close(code, token) => break (code, token),
            Heard::Ping => continue,
            cut @ Heard::Cut => panic!("{cut:?}"),
        }
        // As much comes as it reads: it never gets nearer.
        rig.append_now(&one_more);
    };
    assert_eq!((told, code), (true, 4408));
    assert_eq!(token, client.token);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_talks_and_never_listens_is_closed() {
    let rig =
        Rig::start_with(Settings { write_timeout: Duration::from_millis(200), ..settings() }, NARROW).await;
    rig.append(order(1), &GOOD[..1]).await;
    let mut other = Client::connect(&rig.url(true, order(1))).await;
    other.until_type("backfill").await;
    until("it is subscribed", || rig.hub.counters().subscriptions.get() == 1).await;
    let mut client = Client::connect_narrow(&rig.url(true, order(1))).await;
    client.until_type("backfill").await;
    until("it is subscribed", || rig.hub.counters().subscriptions.get() == 2).await;
    // Each is answered with an error, until the answers do not get through.
    while rig.hub.counters().subscriptions.get() == 2 {
        let said = client.socket.send(Message::text("listen!"));
        if tokio::time::timeout(Duration::from_millis(50), said).await.is_ok_and(|sent| sent.is_err()) {
            break;
        }
    }
    assert_eq!(client.until_close().await.0, 4408);
    rig.append(order(1), &GOOD[1..]).await;
    assert_eq!(other.until_close().await.0, 1000);
    assert_eq!(other.shown, rig.channel(order(1), true).await);
}
