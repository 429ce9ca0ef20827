//! Commits of several messages.

use fillstream_domain::Seq;
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use crate::{
    client::Client,
    flow::{levels, outcome, parts},
    orders::{orders_of, sweep},
    rig::{BTC, Rig, settings},
};

/// One sweep in three parts, of 20 trades each.
fn three_parts() -> Vec<fillstream_domain::book::Commit> {
    let mut outcomes: Vec<_> = (0..3).flat_map(|_| sweep(20, 7)).collect();
    outcomes[0].levels = levels(&[], &[(100, 0)]);
    parts(BTC, outcomes)
}

#[tokio::test]
async fn nothing_is_told_of_a_commit_before_its_last_part() {
    let rig = Rig::start(settings()).await;
    rig.commit(BTC, vec![outcome(Vec::new(), levels(&[], &[(100, 60)]))]);
    let mut trades = Client::connect(&rig.url("/ws/trades")).await;
    let mut top = Client::connect(&rig.url("/ws/markets/BTC-USDT")).await;
    top.text().await;
    rig.caught_up().await;
    let [first, second, third] = three_parts().try_into().unwrap();
    let before = rig.hub.position();
    let seq = rig.append(&first);
    rig.append(&second);
    assert!(timeout(Duration::from_millis(100), trades.next()).await.is_err(), "{:?}", trades.texts);
    assert_eq!(rig.hub.position(), before, "no position passes the sequence before part 1");
    // Whoever comes now begins before the commit.
    let mut amid = Client::connect(&orders_of(&rig, 7)).await;
    rig.append(&third);
    trades.take(60).await;
    let expected: Vec<_> = (0..3).flat_map(|part| (0..20).map(move |index| (seq + part, index))).collect();
    assert_eq!(trades.places("trade_executed"), expected);
    amid.take(63).await;
    assert_eq!(amid.places("order_update").first(), Some(&(seq, 0)));
    let told = top.text().await;
    assert_eq!(
        (&told["best_ask"], &told["seq"]),
        (&json!(null), &json!(seq + 2)),
        "once, when the input ends"
    );
    rig.caught_up().await;
}

#[tokio::test]
async fn a_process_that_starts_at_any_part_tells_all_of_it() {
    for started_at in 0..=3 {
        let rig = Rig::start(settings()).await;
        let commits = three_parts();
        let mut seq = 0;
        for commit in &commits[..started_at] {
            seq = rig.append(commit);
        }
        let mut twin = Rig::without_tail(&rig.log.calm, settings(), None);
        twin.run_tail();
        crate::rig::until("it follows", || twin.hub.position() > Seq::new(0)).await;
        let mut trades = Client::connect(&twin.url("/ws/trades?after=2")).await;
        for commit in &commits[started_at..] {
            seq = rig.append(commit);
        }
        trades.take(60).await;
        let expected: Vec<_> =
            (0..3).flat_map(|part| (0..20).map(move |index| (seq - 2 + part, index))).collect();
        assert_eq!(trades.places("trade_executed"), expected, "started at {started_at}");
    }
}

#[tokio::test]
async fn a_batch_that_power_loss_has_torn_is_told_to_nobody() {
    let rig = Rig::start(settings()).await;
    let mut trades = Client::connect(&rig.url("/ws/trades")).await;
    rig.append(&three_parts()[0]);
    let seq = rig.commit(BTC, sweep(1, 7));
    assert_eq!(trades.text().await["seq"], json!(seq));
    rig.caught_up().await;
}
