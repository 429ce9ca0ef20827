//! `after`: what followed, from the store behind its checkpoint, then live.

use fillstream_domain::{Incarnation, Position, Seq};
use std::time::Duration;

use fillstream_domain::book::Side::Buy;
use fillstream_stream_bridge::MarketChannel;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    client::Client,
    flow::{cancelled, created, levels, lot, outcome, user},
    orders::{orders_of, sweep},
    rig::{BTC, INCARNATION, Rig, settings},
};

fn mine(n: u128) -> Vec<fillstream_domain::book::Outcome> {
    vec![outcome(vec![created(lot(n, 1, Buy, 50, 1))], levels(&[], &[]))]
}

#[tokio::test]
async fn a_bare_sequence_stands_for_all_of_its_event() {
    let rig = Rig::start(settings()).await;
    let first = rig.commit(BTC, sweep(3, 1));
    let other = rig.commit(BTC, Vec::new());
    let second = rig.commit(BTC, sweep(1, 1));
    rig.caught_up().await;
    for after in [first, other] {
        let mut client = Client::connect(&rig.url("/ws")).await;
        let request = json!({"action": "subscribe", "stream": "trades", "after": after});
        let subscribed = client.ask(request).await;
        assert_eq!(
            (&subscribed["seq"], &subscribed["index"]),
            (&json!(first), &json!(2)),
            "the message before"
        );
        let told = client.text().await;
        assert_eq!(
            (&told["seq"], &told["prev_seq"], &told["prev_index"]),
            (&json!(second), &json!(first), &json!(2))
        );
        let mut orders = Client::connect(&format!("{}&after={after}", orders_of(&rig, 1))).await;
        let told = orders.text().await;
        assert_eq!(
            (&told["seq"], &told["prev_seq"], &told["prev_index"]),
            (&json!(second), &json!(first), &json!(3))
        );
    }
}

#[tokio::test]
async fn tokens_of_elsewhere_are_answered_with_a_reset_and_live() {
    let rig = Rig::start(settings()).await;
    let seq = rig.commit(BTC, sweep(2, 1));
    rig.caught_up().await;
    let at = |seq| Position { seq, index: 0 };
    let trades = MarketChannel::Trades(None);
    let orders = MarketChannel::Orders(user(2), None);
    for (after, reason) in [
        (orders.token(Incarnation::new(INCARNATION), at(Seq::new(1))), "other_channel"),
        (
            MarketChannel::Trades(Some(BTC.parse().unwrap()))
                .token(Incarnation::new(INCARNATION), at(Seq::new(1))),
            "other_channel",
        ),
        (trades.token(Incarnation::new(INCARNATION + 1), at(Seq::new(1))), "other_stream"),
        (trades.token(Incarnation::new(INCARNATION), at(Seq::new(seq + 1000))), "ahead_of_stream"),
        ((seq + 1000).to_string(), "ahead_of_stream"),
    ] {
        let mut client = Client::connect(&rig.url(&format!("/ws/trades?after={after}"))).await;
        let reset = client.text().await;
        assert_eq!((&reset["type"], &reset["reason"]), (&json!("reset"), &json!(reason)));
        assert_eq!(reset["cursor"].as_str(), Some(&*format!("before-{}-{}", reset["seq"], reset["index"])));
        let next = rig.commit(BTC, sweep(1, 1));
        let told = client.text().await;
        assert_eq!((&told["seq"], &told["prev_seq"]), (&json!(next), &reset["seq"]));
        rig.caught_up().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_are_sent_and_one_more_is_too_far() {
    let rig = Rig::start(settings()).await;
    let first = rig.commit(BTC, sweep(1, 1));
    for _ in 0..10 {
        rig.commit(BTC, sweep(1000, 1));
    }
    rig.caught_up().await;
    let token =
        MarketChannel::Trades(None).token(Incarnation::new(INCARNATION), Position::new(Seq::new(first), 0));
    let url = rig.url(&format!("/ws/trades?after={token}"));
    let mut client = Client::connect(&url).await;
    client.take(10_000).await;
    let expected: Vec<_> = (1..=10).flat_map(|n| (0..1000).map(move |index| (first + n, index))).collect();
    assert_eq!(client.places("trade_executed"), expected);

    rig.commit(BTC, sweep(1, 1));
    rig.caught_up().await;
    let mut late = Client::connect(&url).await;
    let reset = late.text().await;
    assert_eq!((&reset["type"], &reset["reason"]), (&json!("reset"), &json!("too_far")));
    assert_eq!(client.text().await["seq"], reset["seq"], "whoever was there goes on");
}

#[tokio::test]
async fn who_joins_while_the_store_is_behind_gets_it_all() {
    let rig = Rig::start(settings()).await;
    let seqs: Vec<u64> = (1..=3).map(|n| rig.commit(BTC, mine(n))).collect();
    rig.caught_up().await;
    rig.stored.hold_at(seqs[0]);
    let mut fresh = Client::connect(&orders_of(&rig, 1)).await;
    let mut resumed = Client::connect(&format!("{}&after={}", orders_of(&rig, 1), seqs[0])).await;
    // The subscription is complete when the upgrade is answered, whatever the store has.
    let live = rig.commit(BTC, mine(4));
    rig.caught_up().await;
    for client in [&mut fresh, &mut resumed] {
        let told = client.text().await;
        assert_eq!((&told["type"], &told["reason"]), (&json!("status"), &json!("waiting_for_history")));
    }
    rig.stored.hold_at(seqs[2]);
    let told = fresh.text().await;
    assert_eq!((&told["seq"], &told["prev_seq"]), (&json!(live), &json!(seqs[2])));
    let told: Vec<Value> = resumed.take(3).await.into_iter().map(|told| told["seq"].clone()).collect();
    assert_eq!(told, [json!(seqs[1]), json!(seqs[2]), json!(live)]);
}

#[tokio::test]
async fn a_store_that_never_comes_is_given_up() {
    let rig = Rig::start(settings()).await;
    rig.commit(BTC, mine(1));
    rig.caught_up().await;
    rig.stored.hold_at(1);
    let mut client = Client::connect(&orders_of(&rig, 1)).await;
    let (code, token) = client.until_close().await;
    assert_eq!(code, 1013);
    rig.stored.hold_at(u64::MAX);
    let seq = rig.commit(BTC, vec![outcome(vec![cancelled(lot(1, 1, Buy, 50, 1))], levels(&[], &[]))]);
    let mut again = Client::connect(&format!("{}&after={token}", orders_of(&rig, 1))).await;
    assert_eq!(again.text().await["seq"], json!(seq), "nothing of what it knows, all behind it");
}

#[tokio::test]
async fn resume_with_nothing_missed_is_silent() {
    let rig = Rig::start(settings()).await;
    rig.commit(BTC, mine(1));
    rig.caught_up().await;
    let mut client = Client::connect(&format!("{}&after=2", orders_of(&rig, 1))).await;
    let token = client.text().await["token"].as_str().unwrap().to_owned();
    let mut again = Client::connect(&format!("{}&after={token}", orders_of(&rig, 1))).await;
    assert!(timeout(Duration::from_millis(100), again.next()).await.is_err(), "{:?}", again.texts);
    let seq = rig.commit(BTC, mine(2));
    assert_eq!(again.text().await["seq"], json!(seq));
}

#[tokio::test]
async fn before_the_tail_runs_sockets_are_told_to_come_back() {
    let rig = Rig::start(settings()).await;
    let idle = Rig::without_tail(&rig.log.calm, settings(), None);
    for path in ["/ws/trades", "/ws", "/ws/markets/BTC-USDT"] {
        let mut client = Client::connect(&idle.url(path)).await;
        assert_eq!(client.text().await["code"], "stream_unreachable", "{path}");
        assert_eq!(client.until_close().await.0, 1013, "{path}");
    }
}
