//! Logs with something in them that does not belong there, and snapshots that are not what they say.

use std::time::Duration;

use fillstream_domain::{
    Incarnation, Seq, Timestamp,
    book::{BookInput, Commit, Definition, InputResult, Levels, Outcome, Side},
    subject::{book_definition, book_order, market_commits},
};
use fillstream_event_log::{Consistency, EventLog, MemoryLog, SnapshotStore};
use fillstream_matcher::{Machine, hash_text};
use fillstream_matching::{Matcher, Report, Settings, load, verify};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    odd::OddLog,
    rig::{Rig, eventually, now, until, user},
};

/// The first part of a commit that has no end.
fn torn(rig: &Rig, first_input: u64, last_input: u64) -> Vec<u8> {
    let outcome = Outcome {
        seq: Seq::new(last_input),
        at: now(),
        result: InputResult::Accepted,
        continued: false,
        goes_on: true,
        changes: Vec::new(),
        levels: Levels::default(),
    };
    let symbol = rig.symbol.clone();
    let outcomes = vec![outcome];
    Commit {
        rules: fillstream_domain::book::Rules::TODAY,
        symbol,
        first_input: Seq::new(first_input),
        last_input: Seq::new(last_input),
        part: 1,
        last: false,
        hash: None,
        outcomes,
    }
    .encode()
}

async fn verified(rig: &Rig) -> Report {
    let mut progress = |_: &_, _| {};
    let verified = verify(&rig.log, None, &mut progress);
    timeout(Duration::from_secs(15), verified).await.expect("verify comes to an end").unwrap()
}

/// A batch torn by a power failure, or a foreign writer's message, lies where the next commit would come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_commit_at_the_logs_end_holds_up_nobody() {
    for is_torn in [true, false] {
        let rig = Rig::new();
        let spoil = |input| {
            let payload = if is_torn { torn(&rig, input, input) } else { b"garbage".to_vec() };
            rig.append_raw(market_commits(&rig.symbol), payload);
        };
        // Before the first commit.
        spoil(1);
        let settings = Settings { takeover_after: Duration::from_millis(50), ..Settings::default() };
        let at_work = rig.matcher(settings);
        let covered = async |input| {
            eventually("the input is covered", async || {
                load(&rig.log, None, &rig.symbol).await.unwrap().machine.cursor() >= input
            })
            .await;
        };
        covered(Seq::new(1)).await;
        until("its commit is known", || at_work.state().pending == 0).await;
        // Under a matcher at work.
        spoil(3);
        let (_, seq) = rig.place(rig.placed(user(1), Side::Sell, "100", "1"));
        covered(Seq::new(seq)).await;
        at_work.stop().await;
        // And at the very end.
        spoil(seq);
        let report = verified(&rig).await;
        assert!(report.is_clean(), "{report:?}");
        assert_eq!(report.markets[0].last_input, Seq::new(seq));
        let end = rig.log.info().await.unwrap().last_seq;
        assert_eq!(load(&rig.log, None, &rig.symbol).await.unwrap().end, end);
    }
}

/// Its inputs are covered: a matcher that cannot read it must not cover them again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_committed_over_a_commit_of_another_version() {
    for at_work_before in [true, false] {
        let rig = Rig::new();
        let matcher =
            || rig.matcher(Settings { takeover_after: Duration::from_millis(1), ..Settings::default() });
        let at_work = matcher();
        rig.covered(1).await;
        until("its commit is known", || at_work.state().pending == 0).await;
        let at_work = if at_work_before {
            Some(at_work)
        } else {
            at_work.stop().await;
            None
        };
        let (_, commit) = rig.commits().await.pop().unwrap();
        let text = String::from_utf8(commit.encode()).unwrap();
        let later = text.replace("\"version\":2", "\"version\":3");
        let seq = rig.append_raw(market_commits(&rig.symbol), later.into_bytes());
        let at_work = at_work.unwrap_or_else(matcher);
        rig.place(rig.placed(user(1), Side::Sell, "100", "1"));
        until("the market stands still", || at_work.matcher.markets().iter().any(|(_, state)| !state.loaded))
            .await;
        let report = verified(&rig).await;
        assert_eq!(
            report.markets[0].difference.as_ref().map(|difference| difference.seq),
            Some(Seq::new(seq))
        );
        let last = rig.log.last(&market_commits(&rig.symbol), Consistency::Leader).await.unwrap().unwrap();
        assert_eq!(last.seq, Seq::new(seq));
        at_work.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_ends_where_a_commit_covers_what_is_no_input() {
    for beyond in [1, 1_000_000] {
        let rig = Rig::new();
        let at_work = rig.matcher(Settings::default());
        rig.covered(1).await;
        at_work.stop().await;
        let (seq, commit) = rig.commits().await.pop().unwrap();
        // The commit's own place, which is no input's, or one far behind the stream's end.
        let last_input = seq + beyond - 1;
        let outcomes = vec![Outcome { seq: Seq::new(last_input), ..commit.outcomes[0].clone() }];
        let foreign = Commit {
            first_input: Seq::new(last_input),
            last_input: Seq::new(last_input),
            outcomes,
            ..commit
        };
        rig.append_raw(market_commits(&rig.symbol), foreign.encode());
        let report = verified(&rig).await;
        let difference = report.markets[0].difference.as_ref().unwrap();
        assert_eq!(difference.seq, Seq::new(last_input), "{difference:?}");
    }
}

/// Without it, the state is the same: only the coverage says that an input has no outcome.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_input_without_effect_that_is_left_out_is_found_by_verify() {
    let rig = Rig::new();
    let (order, _) = rig.place(rig.placed(user(1), Side::Sell, "100", "1"));
    let refused = rig.cancel(order, user(2));
    rig.place(rig.placed(user(1), Side::Sell, "101", "1"));
    let at_work = rig.matcher(Settings::default());
    rig.covered(4).await;
    at_work.stop().await;
    let twin = rig.twin().await;
    for (_, mut commit) in rig.commits().await {
        commit.outcomes.retain(|outcome| outcome.seq != Seq::new(refused));
        twin.append_raw(market_commits(&twin.symbol), commit.encode());
    }
    let report = verified(&twin).await;
    assert_eq!(
        report.markets[0].difference.as_ref().map(|difference| difference.seq),
        Some(Seq::new(refused))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_looks_at_a_market_whose_definition_cannot_be_read() {
    let rig = Rig::new();
    let at_work = rig.matcher(Settings::default());
    let garbage = rig.append_raw(book_definition(&rig.symbol), b"garbage".to_vec());
    rig.covered(garbage).await;
    at_work.stop().await;
    let report = verified(&rig).await;
    assert_eq!(report.markets.len(), 1, "{report:?}");
}

/// A reason quotes the input; neither the parked entry nor the commit may become too large for the log by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_input_that_fills_its_message_with_nonsense_is_parked_like_any_other() {
    let rig = Rig::new();
    let at_work = rig.matcher(Settings::default());
    let (order, _) = rig.place(rig.placed(user(1), Side::Sell, "100", "2"));
    let payload = format!(r#"{{"type":"{}","version":1}}"#, r"\\".repeat(400_000));
    let garbage = rig.append_raw(book_order(&rig.symbol, order), payload.into_bytes());
    let outcome = rig.outcome(garbage).await;
    assert!(matches!(outcome.result, InputResult::Parked { .. }), "{:.200}", format!("{outcome:?}"));
    rig.check(3).await;
    at_work.stop().await;
}

/// A stream that has lost its end may have another commit where a snapshot was taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_is_not_its_commits_state_is_passed_over() {
    let rig = Rig::new();
    let at_work = rig.matcher(Settings { snapshot_every: 1, ..Settings::default() });
    rig.covered(1).await;
    let names = async || rig.snapshots.names("").await.unwrap();
    let kept = async || names().await.iter().any(|name| name.contains("/machine/"));
    eventually("a snapshot is kept", kept).await;
    let early = names().await.into_iter().find(|name| name.contains("/machine/")).unwrap();
    let (_, seq) = rig.place(rig.placed(user(1), Side::Sell, "100", "2"));
    rig.covered(seq).await;
    at_work.stop().await;
    let (commit, _) = rig.commits().await.pop().unwrap();
    let (home, _) = early.rsplit_once('/').unwrap();
    let bytes = rig.snapshots.get(&early).await.unwrap().unwrap();
    rig.snapshots.put(&format!("{home}/{commit:020}"), bytes).await.unwrap();
    let loaded = load(&rig.log, Some(&*rig.snapshots), &rig.symbol).await.unwrap();
    assert_eq!((loaded.machine.cursor(), loaded.commit), (Seq::new(seq), Seq::new(commit)));
}

/// Also while more is pending than one commit can hold.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_snapshot_is_the_state_of_its_commit() {
    let rig = Rig::new();
    let last = rig.flow(1, 5_000);
    let settings = Settings { snapshot_every: 1, snapshots_kept: usize::MAX, ..Settings::default() };
    let at_work = rig.matcher(settings);
    rig.covered(last).await;
    until("its commit is known", || at_work.state().pending == 0).await;
    at_work.stop().await;
    let commits = rig.commits().await;
    assert!(commits.len() > 2, "more was pending than one commit holds");
    let machines = async || {
        let names = rig.snapshots.names("").await.unwrap();
        names.into_iter().filter(|name| name.contains("/machine/")).collect::<Vec<_>>()
    };
    eventually("a snapshot is kept", async || !machines().await.is_empty()).await;
    for name in machines().await {
        let machine = Machine::restore(&rig.snapshots.get(&name).await.unwrap().unwrap()).unwrap();
        let seq: u64 = name.rsplit_once('/').unwrap().1.parse().unwrap();
        let commit = commits.iter().find(|(commit, _)| *commit == seq).unwrap();
        assert_eq!(commit.1.hash, Some(hash_text(machine.hash())), "{name}");
    }
}

/// Matchers that never live long enough to do all that lies between two snapshots.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_lives_add_up_to_a_snapshot() {
    let rig = Rig::new();
    for round in 0..4 {
        let at_work = rig.matcher(Settings { snapshot_every: 100, ..Settings::default() });
        let last = rig.flow(round, 60);
        rig.covered(last).await;
        until("its commit is known", || at_work.state().pending == 0).await;
        at_work.stop().await;
    }
    let kept = async || !rig.snapshots.names("").await.unwrap().is_empty();
    eventually("a snapshot is kept", kept).await;
}

/// What an operator has defined is never changed, whatever a replica says that is behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_markets_replace_nothing() {
    let log = MemoryLog::new(Incarnation::new(7));
    let symbol = "BTC/USDT".parse().unwrap();
    let mut defined = Definition::standard(symbol, now());
    defined.max_quantity = defined.min_quantity;
    fillstream_matching::define(&log, defined.clone()).await.unwrap();
    let matcher = Matcher::new(std::sync::Arc::new(OddLog::behind(&log)), None, Settings::default(), now);
    let stop = CancellationToken::new();
    let (running, stopped) = (matcher.clone(), stop.clone());
    let task = tokio::spawn(async move { running.run(stopped).await });
    until("the other markets are there", || matcher.markets().len() == 3).await;
    let last = log.last(&book_definition(&defined.symbol), Consistency::Leader).await.unwrap().unwrap();
    assert_eq!(BookInput::decode(&last.payload).unwrap(), BookInput::Definition(defined));
    stop.cancel();
    task.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_market_whose_task_panics_comes_back() {
    use std::sync::atomic::{AtomicU32, Ordering};
    static ASKED: AtomicU32 = AtomicU32::new(0);
    fn clock() -> Timestamp {
        // Asked first about the default markets, then for the first commit.
        assert_ne!(ASKED.fetch_add(1, Ordering::SeqCst), 1, "this time it breaks");
        now()
    }
    let rig = Rig::new();
    let at_work = rig.matcher_on(std::sync::Arc::new(rig.log.clone()), Settings::default(), clock);
    until("it has broken", || ASKED.load(Ordering::SeqCst) > 1).await;
    rig.covered(1).await;
    at_work.stop().await;
}
