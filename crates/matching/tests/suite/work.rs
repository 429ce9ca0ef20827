//! One matcher at its work.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fillstream_domain::{
    Incarnation, Seq,
    book::{Change, InputResult, Side, TimeInForce},
    subject::{ALL_PARKED, book_order},
};
use fillstream_event_log::EventLog;
use fillstream_matching::Settings;

use crate::{
    odd::{Answer, OddLog},
    rig::{Rig, now, until, user},
};

/// A tail that begins too late, as it may on a replica that lags: nothing is committed over what was not heard.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inputs_that_were_not_heard_are_not_committed_over() {
    let rig = Rig::new();
    let last = rig.flow(1, 40);
    let log = OddLog::new(&rig.log);
    log.skip_inputs(5);
    let at_work = rig.matcher_on(Arc::new(log.clone()), Settings::default(), now);
    rig.covered(last).await;
    rig.check(41).await;
    at_work.stop().await;
}

/// A disk that is full, an account at its limit: the market keeps what it has in memory, says why nothing comes of it, and
/// tries again after growing pauses until there is room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_refused_is_tried_again_in_peace() {
    let rig = Rig::new();
    let log = OddLog::new(&rig.log);
    let at_work = rig.matcher_on(Arc::new(log.clone()), Settings::default(), now);
    rig.covered(1).await;
    until("its commit is known", || at_work.state().pending == 0).await;
    let (follows, asked) = (log.followed(), log.commits_asked());
    log.answer([const { Answer::Refused }; 4]);
    let begun = Instant::now();
    let (_, seq) = rig.place(rig.placed(user(1), Side::Sell, "100", "1"));
    until("it says why", || at_work.state().reason.is_some_and(|reason| reason.contains("no room"))).await;
    let state = at_work.state();
    assert!(state.loaded && state.leading && state.pending == 1, "{state:?}");
    rig.covered(seq).await;
    // 100, 200, 400 and 800 ms.
    assert!(begun.elapsed() >= Duration::from_millis(1_400), "{:?}", begun.elapsed());
    assert_eq!(log.commits_asked() - asked, 5);
    until("nothing stands in the way", || at_work.state().reason.is_none()).await;
    assert_eq!(log.followed(), follows, "the market was not loaded anew");
    rig.check(2).await;
    at_work.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_matched_and_every_input_is_covered_once() {
    let rig = Rig::new();
    let at_work = rig.matcher(Settings::default());
    let (_, sell) = rig.place(rig.placed(user(1), Side::Sell, "100", "2"));
    let (_, buy) = rig.place(rig.placed(user(2), Side::Buy, "101", "1"));
    let created = rig.outcome(sell).await;
    assert!(
        matches!(&created.changes[..], [Change::Created(order)] if order.user_id == user(1)),
        "{created:?}"
    );
    let traded = rig.outcome(buy).await;
    let [Change::Created(_), Change::Trade(trade)] = &traded.changes[..] else { panic!("{traded:?}") };
    assert_eq!((trade.price.to_string(), trade.quantity.to_string()), ("100".to_owned(), "1".to_owned()));
    let last = rig.flow(1, 2_000);
    rig.covered(last).await;
    rig.check(2_003).await;
    at_work.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_without_markets_gets_the_contracts() {
    let log = fillstream_event_log::MemoryLog::new(Incarnation::new(7));
    let matcher = fillstream_matching::Matcher::new(Arc::new(log.clone()), None, Settings::default(), now);
    let stop = tokio_util::sync::CancellationToken::new();
    let (running, stopped) = (matcher.clone(), stop.clone());
    let task = tokio::spawn(async move { running.run(stopped).await });
    until("three markets are at work", || {
        matcher.markets().iter().filter(|(_, state)| state.loaded && state.position > Seq::new(0)).count()
            == 3
    })
    .await;
    let defined = fillstream_matching::definitions(&log).await.unwrap();
    let mut names: Vec<_> = defined.iter().map(|(_, definition)| definition.symbol.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["BTC/USDT", "ETH/USDT", "SOL/USDC"]);
    stop.cancel();
    task.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_parked_and_the_market_goes_on() {
    let rig = Rig::new();
    let at_work = rig.matcher(Settings::default());
    let (order, _) = rig.place(rig.placed(user(1), Side::Sell, "100", "2"));
    let garbage = rig.append_raw(book_order(&rig.symbol, order), b"garbage".to_vec());
    let (_, after) = rig.place(rig.placed(user(2), Side::Buy, "100", "2"));
    let outcome = rig.outcome(garbage).await;
    assert!(
        matches!(outcome.result, InputResult::Parked { .. }) && outcome.changes.is_empty(),
        "{outcome:?}"
    );
    assert_eq!(rig.outcome(after).await.changes.len(), 2, "the order behind it trades");
    let parked = rig.log.last_of_each(ALL_PARKED).await.unwrap();
    assert_eq!(
        parked.iter().map(|entry| entry.subject.clone()).collect::<Vec<_>>(),
        [format!("parked.matcher.{garbage}")]
    );
    rig.check(4).await;
    at_work.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_expires_though_nothing_else_happens() {
    let rig = Rig::new();
    let at_work = rig.matcher(Settings::default());
    let mut placed = rig.placed(user(1), Side::Sell, "100", "2");
    placed.time_in_force = TimeInForce::Gtd;
    placed.expires_at = Some(now().after(Duration::from_millis(300)));
    let (order, seq) = rig.place(placed);
    rig.covered(seq + 1).await;
    let commits = rig.commits().await;
    let changes =
        commits.iter().flat_map(|(_, commit)| &commit.outcomes).flat_map(|outcome| &outcome.changes);
    let ended = changes
        .filter(|change| matches!(change, Change::Cancelled { order: ended, .. } if ended.order_id == order));
    assert_eq!(ended.count(), 1);
    at_work.stop().await;
}
