//! Markets in which little happens: who stands by stays so, and time goes on.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fillstream_domain::{
    book::{BookInput, Change, Definition, InputResult, Side, TimeInForce},
    subject::book_definition,
};
use fillstream_matching::Settings;

use crate::{
    odd::OddLog,
    rig::{Rig, eventually, now, until, user},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_pause_whoever_stands_by_leaves_the_first_word_to_who_leads() {
    let rig = Rig::new();
    let takeover_after = Duration::from_secs(1);
    let settings = Settings { takeover_after, ..Settings::default() };
    let one_log = OddLog::new(&rig.log);
    let other_log = OddLog::new(&rig.log);
    let one = rig.matcher_on(Arc::new(one_log.clone()), settings, now);
    let other = rig.matcher_on(Arc::new(other_log.clone()), settings, now);
    until("both are at work", || one.state().loaded && other.state().loaded).await;
    eventually("one of them loses a fence", async || {
        let (_, seq) = rig.place(rig.placed(user(1), Side::Sell, "100", "1"));
        rig.covered(seq).await;
        until("both have followed", || one.state().pending + other.state().pending == 0).await;
        one.state().leading != other.state().leading
    })
    .await;
    // Something that will expire is no reason to take over before it does.
    let mut placed = rig.placed(user(1), Side::Sell, "101", "1");
    placed.time_in_force = TimeInForce::Gtd;
    placed.expires_at = Some(now().after(Duration::from_secs(3600)));
    let (_, seq) = rig.place(placed);
    rig.covered(seq).await;
    until("both have followed", || one.state().pending + other.state().pending == 0).await;
    let leader_is_one = one.state().leading;
    let standby_log = if leader_is_one { &other_log } else { &one_log };
    let asked = standby_log.commits_asked();
    let begun = Instant::now();
    until("a pause is over", || begun.elapsed() > takeover_after + takeover_after / 4).await;
    assert!(one.state().leading == leader_is_one && other.state().leading != leader_is_one);
    let (_, seq) = rig.place(rig.placed(user(1), Side::Sell, "100", "1"));
    rig.covered(seq).await;
    until("both have followed", || one.state().pending + other.state().pending == 0).await;
    assert_eq!(standby_log.commits_asked(), asked, "it has tried to commit");
    one.stop().await;
    other.stop().await;
}

/// An order whose time is over while no matcher is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_at_the_start_expires_soon() {
    let rig = Rig::new();
    let begun = now();
    rig.log.set_time(begun.unix_ms());
    let mut placed = rig.placed(user(1), Side::Sell, "100", "2");
    placed.time_in_force = TimeInForce::Gtd;
    placed.expires_at = Some(begun.after(Duration::from_secs(3600)));
    let (order, seq) = rig.place(placed);
    let at_work = rig.matcher(Settings::default());
    rig.covered(seq).await;
    at_work.stop().await;
    let later = || now().after(Duration::from_secs(7200));
    rig.log.set_time(later().unix_ms());
    let at_work = rig.matcher_on(Arc::new(rig.log.clone()), Settings::default(), later);
    rig.covered(seq + 1).await;
    let commits = rig.commits().await;
    let mut changes =
        commits.iter().flat_map(|(_, commit)| &commit.outcomes).flat_map(|outcome| &outcome.changes);
    assert!(
        changes.any(
            |change| matches!(change, Change::Cancelled { order: ended, .. } if ended.order_id == order)
        )
    );
    at_work.stop().await;
}

/// Many orders whose time is over at once: they end step by step, without a second between the steps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_that_are_due_at_once_end_in_small_commits() {
    const ORDERS: usize = 2_000;
    const MAX_MAKERS: u32 = 100;
    let rig = Rig::new();
    let bounded = Definition { max_makers: MAX_MAKERS, ..Definition::standard(rig.symbol.clone(), now()) };
    rig.append(book_definition(&rig.symbol), &BookInput::Definition(bounded));
    let expires_at = now().after(Duration::from_millis(1_500));
    for owner in 0..ORDERS {
        let mut placed = rig.placed(user(owner as u64 % 7), Side::Sell, "100", "2");
        placed.time_in_force = TimeInForce::Gtd;
        placed.expires_at = Some(expires_at);
        rig.place(placed);
    }
    let at_work = rig.matcher(Settings::default());
    eventually("all have ended", async || cancelled(&rig).await == ORDERS).await;
    let late = now().since(expires_at);
    assert!(late < Duration::from_secs(12), "{late:?}");
    for (_, commit) in rig.commits().await {
        for outcome in &commit.outcomes {
            assert!(outcome.changes.len() <= MAX_MAKERS as usize + 2, "{} changes", outcome.changes.len());
        }
    }
    until("nothing waits", || at_work.state().pending == 0).await;
    at_work.stop().await;
    let report = fillstream_matching::verify(&rig.log, None, &mut |_, _| {}).await.unwrap();
    assert!(report.is_clean(), "{report:?}");
}

/// Clocks that were wrong and are set right: the market says what it waits for, and turns back by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_market_that_ran_ahead_says_so_and_comes_back_once_the_clocks_agree() {
    let rig = Rig::new();
    let ahead = Duration::from_secs(24 * 3_600);
    // The stream's server and the intake are a day ahead, the matcher is not.
    rig.log.set_time(now().after(ahead).unix_ms());
    let mut wrong = rig.placed(user(1), Side::Sell, "100", "1");
    wrong.at = now().after(ahead);
    rig.place(wrong);
    let at_work = rig.matcher(Settings::default());
    until("it says so", || at_work.state().reason.is_some_and(|reason| reason.contains("clock"))).await;
    assert!(
        rig.commits().await.iter().all(|(_, commit)| commit.last_input.get() < 2),
        "nothing is committed"
    );
    rig.log.set_time(now().unix_ms());
    let mut placed = rig.placed(user(2), Side::Buy, "99", "1");
    placed.time_in_force = TimeInForce::Gtd;
    placed.expires_at = Some(now().after(Duration::from_secs(3_600)));
    let (_, seq) = rig.place(placed);
    rig.covered(seq).await;
    until("nothing stands in the way", || at_work.state().reason.is_none()).await;
    let mut next = rig.placed(user(2), Side::Buy, "98", "1");
    next.time_in_force = TimeInForce::Gtd;
    next.expires_at = Some(now().after(Duration::from_secs(3_600)));
    let (_, seq) = rig.place(next);
    let outcome = rig.outcome(seq).await;
    assert_eq!(outcome.result, InputResult::Accepted);
    assert!(outcome.at.since(now()) < Duration::from_secs(60), "{}", outcome.at);
    at_work.stop().await;
}

/// A server whose clock is set back: an expiry waits for the time that the log has reached, and nothing runs back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_back_turns_no_market_back() {
    let rig = Rig::new();
    let begun = now();
    rig.log.set_time(begun.unix_ms());
    let at_work = rig.matcher(Settings::default());
    let mut placed = rig.placed(user(1), Side::Sell, "100", "2");
    placed.time_in_force = TimeInForce::Gtd;
    placed.expires_at = Some(begun.after(Duration::from_millis(100)));
    rig.place(placed);
    rig.log.set_time(begun.unix_ms() - 3_600_000);
    let (_, seq) = rig.place(rig.placed(user(2), Side::Buy, "99", "1"));
    rig.covered(seq).await;
    let outcome = rig.outcome(seq).await;
    assert_eq!(outcome.at, begun);
    rig.log.set_time(begun.unix_ms() + 100);
    let (_, seq) = rig.place(rig.placed(user(2), Side::Buy, "100", "1"));
    let outcome = rig.outcome(seq).await;
    let expired = cancelled(&rig).await;
    assert_eq!(expired, 1, "{outcome:?}");
    at_work.stop().await;
}

/// Orders that were cancelled, for whatever reason.
async fn cancelled(rig: &Rig) -> usize {
    let commits = rig.commits().await;
    let changes =
        commits.iter().flat_map(|(_, commit)| &commit.outcomes).flat_map(|outcome| &outcome.changes);
    changes.filter(|change| matches!(change, Change::Cancelled { .. })).count()
}
