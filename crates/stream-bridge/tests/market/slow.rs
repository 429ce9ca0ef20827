//! Clients that do not read, or not fast enough.

use std::{ops::Range, time::Duration};

use fillstream_stream_bridge::Settings;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::{
    client::{Client, Heard},
    flow::{levels, outcome},
    orders::sweep,
    rig::{BTC, ETH, Rig, settings, until},
};

/// Bytes that the server's kernel takes for a client that does not read.
const NARROW: Option<u32> = Some(16_384);

/// Commits between two looks whether the tail has handed them out: fewer events than a queue takes.
const AT_ONCE: u64 = 50;

/// Trades and changes of the top, until a client that does not read holds its socket up and is far behind.
async fn much(rig: &Rig, commits: u64) {
    let mut first = 0;
    while first < commits {
        some(rig, first..commits.min(first + AT_ONCE)).await;
        first += AT_ONCE;
    }
}

/// Those commits of [`much`], in which `n` is new.
async fn some(rig: &Rig, commits: Range<u64>) {
    for n in commits {
        let sent = rig.hub.counters().messages_sent.get();
        let mut outcomes = sweep(3, 1);
        outcomes.push(outcome(Vec::new(), levels(&[(50, n + 1)], &[])));
        rig.commit(BTC, outcomes);
        // At first no burst: sockets take each, as long as they can.
        if n < 200 {
            let _ = timeout(Duration::from_millis(10), async {
                while rig.hub.counters().messages_sent.get() == sent {
                    sleep(Duration::from_millis(1)).await;
                }
            })
            .await;
        }
    }
    rig.caught_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_falls_behind_on_trades_is_told_and_gets_everything() {
    let rig = Rig::start_with(settings(), NARROW).await;
    let mut slow = Client::connect_narrow(&rig.url("/ws/trades")).await;
    let mut other = Client::connect(&rig.url("/ws/trades")).await;
    // More than a channel keeps: some of it has to be read from the store.
    for first in (0..2500).step_by(50) {
        some(&rig, first..first + AT_ONCE).await;
        other.take(3 * 50).await;
    }
    assert!(other.all("fell_behind").is_empty(), "others are not disturbed");
    // The store is behind what it is asked for: nothing is missing when it comes.
    rig.stored.hold_at(10);
    slow.until_type("fell_behind").await;
    assert_eq!(slow.until_type("status").await["reason"], "waiting_for_history");
    rig.stored.hold_at(u64::MAX);
    slow.until_type("caught_up").await;
    let seq = rig.commit(BTC, sweep(1, 1));
    while slow.places("trade_executed").last() != Some(&(seq, 0)) {
        slow.text().await;
    }
    assert_eq!(slow.places("trade_executed").len(), 3 * 2500 + 1);
    assert_eq!(slow.places("trade_executed")[..7500], other.places("trade_executed"));
    assert!(rig.stored.pages.load(std::sync::atomic::Ordering::Relaxed) > 0, "some came from the store");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_falls_behind_on_a_book_gets_it_anew() {
    let rig = Rig::start_with(settings(), NARROW).await;
    let mut slow = Client::connect_narrow(&rig.url("/ws/markets/BTC-USDT")).await;
    slow.text().await;
    much(&rig, 1500).await;
    let told = slow.until_type("fell_behind").await;
    assert_eq!(
        (&told["stream"], &told["symbol"], &told["reason"]),
        (&json!("orderbook"), &json!(BTC), &json!("too_slow"))
    );
    let anew = slow.text().await;
    assert_eq!((&anew["type"], &anew["snapshot"]), (&json!("orderbook_update"), &json!(true)));
    assert_eq!(slow.text().await["type"], "caught_up");
    rig.commit(BTC, vec![outcome(Vec::new(), levels(&[(51, 1)], &[]))]);
    while slow.text().await["best_bid"] != "51" {}
    assert_eq!(rig.hub.counters().fell_behind.get(), 1);
    assert!(slow.places("orderbook_update").len() < 1500, "what nobody needs any more is left out");
}

/// On one thread: the client is woken when all of it is there.
#[tokio::test]
async fn what_comes_at_once_is_not_held_against_who_waits() {
    let rig = Rig::start(settings()).await;
    let mut client = Client::connect(&rig.url("/ws/trades")).await;
    for burst in [1, 1, 300, 1, 300] {
        for _ in 0..burst {
            rig.commit(BTC, sweep(1, 1));
        }
        client.take(burst).await;
    }
    assert!(client.all("fell_behind").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_is_behind_on_all_its_streams() {
    let rig = Rig::start_with(settings(), NARROW).await;
    let mut slow = Client::connect_narrow(&rig.url("/ws")).await;
    let streams =
        [("trades", None), ("orderbook", Some(BTC)), ("depth", Some(BTC)), ("orderbook", Some(ETH))];
    for (stream, symbol) in streams {
        slow.subscribe(stream, symbol).await;
    }
    much(&rig, 1500).await;
    for _ in 0..3 {
        slow.until_type("caught_up").await;
    }
    let (told, caught_up) = (slow.all("fell_behind"), slow.all("caught_up"));
    // One after the other in turn: who has much to come keeps nobody waiting.
    let heard: Vec<Value> = slow.texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    let place = |message: &Value| heard.iter().position(|heard| heard == message);
    let trades = caught_up.iter().find(|told| told["stream"] == "trades").unwrap();
    assert!(told.iter().all(|told| place(told) < place(trades)), "{told:?}");
    let mut behind: Vec<_> =
        told.iter().map(|told| (told["stream"].as_str(), told["symbol"].as_str())).collect();
    behind.sort_unstable();
    let expected = [(Some("depth"), Some(BTC)), (Some("orderbook"), Some(BTC)), (Some("trades"), None)];
    assert_eq!(behind, expected, "each once, and none on which nothing came");
    assert_eq!(slow.places("trade_executed").len(), 3 * 1500);
    for kind in ["orderbook_update", "depth_update"] {
        assert!(slow.places(kind).len() < 1500, "{kind}: what nobody needs any more is left out");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_store_has_lost_is_told() {
    let rig = Rig::start_with(settings(), NARROW).await;
    let mut slow = Client::connect_narrow(&rig.url("/ws/trades")).await;
    much(&rig, 2500).await;
    rig.stored.lose();
    slow.until_type("fell_behind").await;
    let reset = slow.until_type("reset").await;
    assert_eq!(reset["reason"], "history_lost");
    // From there on it is whole again.
    slow.until_type("caught_up").await;
    let seq = rig.commit(BTC, sweep(1, 1));
    while slow.places("trade_executed").last() != Some(&(seq, 0)) {
        slow.text().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_stalls_ends_with_a_token_that_repeats_nothing() {
    let settings = Settings { write_timeout: Duration::from_millis(200), ..settings() };
    let rig = Rig::start_with(settings, NARROW).await;
    let mut slow = Client::connect_narrow(&rig.url("/ws/trades")).await;
    until("it follows", || rig.hub.counters().subscriptions.get() == 1).await;
    much(&rig, 400).await;
    until("the socket is given up", || rig.hub.counters().subscriptions.get() == 0).await;
    let (code, token) = slow.until_close().await;
    assert_eq!(code, 4408);
    let mut again = Client::connect(&rig.url(&format!("/ws/trades?after={token}"))).await;
    let known = slow.places("trade_executed").len();
    again.take(1200 - known).await;
    let mut places = [slow.places("trade_executed"), again.places("trade_executed")].concat();
    assert!(places.is_sorted());
    places.dedup();
    assert_eq!(places.len(), 1200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_catches_up_is_closed_after_three_rounds() {
    let rig = Rig::start_with(Settings { queue_events: 3, ..settings() }, NARROW).await;
    let mut slow = Client::connect_narrow(&rig.url("/ws/trades")).await;
    much(&rig, 300).await;
    let mut told = false;
    let (code, token) = loop {
        match slow.next().await {
            Heard::Text(text) if text["type"] == "fell_behind" => told = true,
            // It got through after all: once more, with more behind it.
            Heard::Text(text) if text["type"] == "caught_up" => much(&rig, 300).await,
            Heard::Text(_) => {}
            Heard::Close(code, token) => break (code, token),
            cut @ Heard::Cut => panic!("{cut:?}"),
        }
        // As much comes as it reads: it never gets nearer.
        rig.commit(BTC, sweep(1, 1));
    };
    assert_eq!((told, code), (true, 4408));
    assert_eq!(token, slow.tokens["trades"]);
}
