//! Commits whose answer is late, lost or no, and commits that come before the inputs that they cover.

use std::{sync::Arc, time::Duration};

use fillstream_domain::{
    Seq, Timestamp,
    book::{BookInput, Commit, Side},
    subject::{book_inputs, market_commits},
};
use fillstream_event_log::{After, AppendError, EventLog};
use fillstream_matcher::{COMMIT_BYTES, Pending, Recorded};
use fillstream_matching::{Settings, load};

use crate::{
    odd::{Answer, OddLog},
    rig::{Rig, now, until, user},
};

const NEVER: Duration = Duration::from_secs(1000);

fn takes_over_after(takeover_after: Duration) -> Settings {
    Settings { takeover_after, ..Settings::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_late_or_lost_loses_and_doubles_nothing() {
    let unknown = || [Answer::StoredUnknown, Answer::LostUnknown].into_iter().cycle().take(6);
    let late = Answer::Late(Duration::from_millis(30));
    for answers in [vec![late; 6], unknown().collect()] {
        let rig = Rig::new();
        let log = OddLog::new(&rig.log);
        let at_work = rig.matcher_on(Arc::new(log.clone()), Settings::default(), now);
        let mut last = 0;
        for (round, answer) in (0..).zip(answers.clone()) {
            log.answer([answer]);
            last = rig.flow(round, 40);
            rig.covered(last).await;
        }
        rig.covered(last).await;
        rig.check(1 + 40 * answers.len()).await;
        assert!(log.commits_asked() >= answers.len());
        at_work.stop().await;
    }
}

/// A stream that was restored without its end, under a matcher that goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_matcher_whose_last_commit_is_gone_loads_the_market_anew() {
    let rig = Rig::new();
    let log = OddLog::new(&rig.log);
    let at_work = rig.matcher_on(Arc::new(log.clone()), takes_over_after(NEVER), now);
    rig.covered(1).await;
    log.answer([Answer::Says(AppendError::Fenced { last: Seq::ZERO })]);
    let (_, seq) = rig.place(rig.placed(user(1), Side::Sell, "100", "1"));
    rig.covered(seq).await;
    rig.check(2).await;
    at_work.stop().await;
}

/// One that is behind in its reading hears of a commit over inputs of which it has seen a part. However often it takes
/// over, it waits for the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_committed_before_what_others_have_committed_is_followed() {
    let rig = Rig::new();
    let log = OddLog::new(&rig.log);
    let slow = rig.matcher_on(Arc::new(log.clone()), takes_over_after(Duration::from_millis(300)), now);
    rig.covered(1).await;
    until("its commit is known", || slow.state().pending == 0).await;
    log.hold_commits(true);
    let asked = log.commits_asked();
    let (_, first) = rig.place(rig.placed(user(1), Side::Sell, "100", "1"));
    log.give_inputs_until(first);
    until("a commit is held", || slow.state().position == Seq::new(first) && log.commits_asked() > asked)
        .await;
    let (_, second) = rig.place(rig.placed(user(1), Side::Sell, "101", "1"));
    let quick = rig.matcher(Settings::default());
    rig.covered(second).await;
    quick.stop().await;
    let (_, commit) = rig.commits().await.pop().unwrap();
    assert_eq!(
        (commit.first_input, commit.last_input),
        (Seq::new(first), Seq::new(second)),
        "one commit covers both"
    );
    log.hold_commits(false);
    until("it stands by", || !slow.state().leading).await;
    until("it leads again", || slow.state().leading).await;
    assert_eq!(slow.state().pending, 1, "it has nothing to follow yet");
    log.give_inputs_until(u64::MAX);
    let (_, third) = rig.place(rig.placed(user(1), Side::Sell, "102", "1"));
    rig.covered(third).await;
    rig.check(4).await;
    slow.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_not_what_we_would_have_said_stops_the_market() {
    type Spoil = fn(&mut Commit);
    let spoils: [Spoil; 3] = [
        |commit| commit.hash = Some("0123456789abcdef".to_owned()),
        |commit| commit.hash = None,
        // The cancel that is left out was refused: the state is the same without it.
        |commit| drop(commit.outcomes.remove(0)),
    ];
    for spoil in spoils {
        let rig = Rig::new();
        let log = OddLog::new(&rig.log);
        let at_work = rig.matcher_on(Arc::new(log.clone()), takes_over_after(NEVER), now);
        rig.covered(1).await;
        let (order, seq) = rig.place(rig.placed(user(1), Side::Sell, "100", "1"));
        rig.covered(seq).await;
        until("its commit is known", || at_work.state().pending == 0).await;
        let before = rig.commits().await;
        log.hold_commits(true);
        let refused = rig.cancel(order, user(2));
        let (_, last) = rig.place(rig.placed(user(1), Side::Sell, "101", "1"));
        until("both are applied", || at_work.state().position == Seq::new(last)).await;
        // What another matcher makes of it, spoiled.
        let mut commit = right_commit(&rig, refused, last).await;
        spoil(&mut commit);
        rig.append_raw(market_commits(&rig.symbol), commit.encode());
        log.hold_commits(false);
        until("the market stands still", || !at_work.state().loaded).await;
        rig.place(rig.placed(user(1), Side::Sell, "102", "1"));
        assert_eq!(rig.commits().await.len(), before.len() + 1, "nothing more is committed");
        at_work.stop().await;
    }
}

/// The commit of the inputs behind the last commit.
async fn right_commit(rig: &Rig, first: u64, last: u64) -> Commit {
    let mut machine = load(&rig.log, None, &rig.symbol).await.unwrap().machine;
    let mut inputs =
        rig.log.follow(After::Seq(Seq::new(first).prev()), Some(&book_inputs(&rig.symbol))).await.unwrap();
    let mut pending = Pending::new();
    for record in inputs.next(100).await.unwrap().into_iter().filter(|record| record.seq <= Seq::new(last)) {
        let stored_at = Timestamp::from_unix_ms(record.stored_at);
        let input = Ok(BookInput::decode(&record.payload).unwrap());
        pending.push(machine.apply(&Recorded { seq: record.seq, stored_at, input }).unwrap());
    }
    let parts = pending.cut(&rig.symbol, COMMIT_BYTES);
    Commit::decode(&parts[0].payload).unwrap()
}
