//! Several matchers of one market.

use std::time::{Duration, Instant};

use fillstream_domain::{Seq, book::Side, subject::market_commits};
use fillstream_matching::{Settings, verify};

use crate::rig::{Rig, eventually, until, user};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn matchers_that_race_write_each_commit_once() {
    let rig = Rig::new();
    let settings =
        Settings { takeover_after: Duration::from_millis(1), snapshot_every: 100, ..Settings::default() };
    let crew = [rig.matcher(settings), rig.matcher(settings), rig.matcher(settings)];
    let mut last = 0;
    for round in 0..20 {
        last = rig.flow(round, 100);
        tokio::task::yield_now().await;
    }
    rig.covered(last).await;
    rig.check(2_001).await;
    for at_work in crew {
        at_work.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_takes_over_within_three_seconds() {
    let rig = Rig::new();
    let (one, other) = (rig.matcher(Settings::default()), rig.matcher(Settings::default()));
    let both = || one.matcher.markets().len() == 1 && other.matcher.markets().len() == 1;
    until("both have the market", both).await;
    // One of them loses a fence and stands by.
    let symbol = rig.symbol.clone();
    let mut seq = 0;
    let one_leads_alone = async || {
        seq = rig.place(rig.placed(user(1), Side::Sell, "100", "1")).1;
        rig.covered(seq).await;
        one.leads(&symbol) != other.leads(&symbol)
    };
    eventually("one of them loses a fence", one_leads_alone).await;
    let (leader, standby) = if one.leads(&symbol) { (one, other) } else { (other, one) };
    leader.stop().await;
    let begun = Instant::now();
    let (_, next) = rig.place(rig.placed(user(2), Side::Buy, "100", "1"));
    rig.covered(next).await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(standby.leads(&symbol) && seq < next);
    standby.stop().await;
    let report = verify(&rig.log, None, &mut |_, _| {}).await.unwrap();
    assert!(report.is_clean(), "{report:?}");
}

/// Negative control of the fence: a second matcher whose commit is taken although another one covers the same inputs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_fence_an_input_would_be_applied_twice_and_verify_says_so() {
    let rig = Rig::new();
    let at_work = rig.matcher(Settings::default());
    let (_, seq) = rig.place(rig.placed(user(1), Side::Sell, "100", "1"));
    rig.covered(seq).await;
    at_work.stop().await;
    let commits = rig.commits().await;
    let (_, doubled) = commits.last().unwrap();
    rig.append_raw(market_commits(&rig.symbol), doubled.encode());
    let report = verify(&rig.log, None, &mut |_, _| {}).await.unwrap();
    assert!(!report.is_clean(), "{report:?}");
}

/// Negative control of the cursor: a matcher that trusts acknowledgements goes on behind an input that nobody has applied.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_input_that_is_left_out_is_found_by_verify() {
    let rig = Rig::new();
    let (_, skipped) = rig.place(rig.placed(user(1), Side::Sell, "100", "1"));
    let (_, last) = rig.place(rig.placed(user(2), Side::Sell, "101", "1"));
    let at_work = rig.matcher(Settings::default());
    rig.covered(last).await;
    at_work.stop().await;
    // The same log, and the same but for one outcome.
    for (left_out, is_clean) in [(0, true), (skipped, false)] {
        let twin = rig.twin().await;
        for (_, mut commit) in rig.commits().await {
            commit.outcomes.retain(|outcome| outcome.seq != Seq::new(left_out));
            twin.append_raw(market_commits(&twin.symbol), commit.encode());
        }
        let report = verify(&twin.log, None, &mut |_, _| {}).await.unwrap();
        assert_eq!(report.is_clean(), is_clean, "{report:?}");
    }
}

/// Commits come while it reads: it ends with what was there when it began, though no commit lies right there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_ends_beside_a_market_that_trades() {
    let rig = Rig::new();
    let at_work = rig.matcher(Settings::default());
    for round in 0..40 {
        let verified = async {
            let report = verify(&rig.log, None, &mut |_, _| {}).await.unwrap();
            assert!(report.is_clean(), "{report:?}");
        };
        let trades = async {
            for n in 0..5 {
                rig.place(rig.placed(user(n % 3), Side::Sell, "100", "1"));
                tokio::task::yield_now().await;
            }
        };
        let both = async { tokio::join!(verified, trades) };
        assert!(
            tokio::time::timeout(Duration::from_secs(20), both).await.is_ok(),
            "it never ends, round {round}"
        );
    }
    at_work.stop().await;
}
