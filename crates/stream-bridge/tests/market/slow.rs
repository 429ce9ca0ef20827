//! Clients that do not read, or not fast enough.

use std::time::Duration;

use fillstream_stream_bridge::Settings;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::{
    client::{Client, Heard},
    flow::{levels, outcome},
    orders::sweep,
    rig::{BTC, Rig, settings, until},
};

/// Bytes that the server's kernel takes for a client that does not read.
const NARROW: Option<u32> = Some(16_384);

/// Trades and changes of the top, until a client that does not read holds its socket up and is far behind.
async fn much(rig: &Rig, commits: u64) {
    for n in 0..commits {
        let sent = rig.hub.counters().messages_sent.get();
        let mut outcomes = sweep(3, 1);
        outcomes.push(outcome(Vec::new(), levels(&[(50, n + 1)], &[])));
        rig.commit(BTC, outcomes);
        if n % 50 == 0 {
            rig.caught_up().await;
        }
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
    let reading = async {
        other.take(3 * 2500).await;
        other
    };
    let (other, ()) = tokio::join!(reading, much(&rig, 2500));
    assert!(other.all("fell_behind").is_empty(), "others are not disturbed");
    slow.until_type("fell_behind").await;
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
    assert!(slow.places("orderbook_update").len() < 1500, "what nobody needs any more is left out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_stalls_ends_with_a_token_that_repeats_nothing() {
    let settings = Settings { write_timeout: Duration::from_millis(200), ..settings() };
    let rig = Rig::start_with(settings, NARROW).await;
    let mut slow = Client::connect_narrow(&rig.url("/ws/trades")).await;
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
