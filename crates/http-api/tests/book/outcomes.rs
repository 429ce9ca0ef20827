//! The matcher's answers out of the stream's tail.

use std::{sync::Arc, time::Duration};

use fillstream_domain::{
    Incarnation, OrderId, Seq,
    book::{
        BookStatus, CancelReason, Change, Commit, InputResult, Levels, OrderState, OrderType, Outcome, Side,
        Trade, trade_id,
    },
};
use fillstream_event_log::MemoryLog;
use fillstream_http_api::{Answer, Outcomes, TailOutcomes};
use fillstream_retry::Obstacles;
use tokio::time::timeout;
use uuid::Uuid;

use crate::desk::{ANN, amount, append, noon, symbol, user};

const MARKET: &str = "markets.BTC-USDT";
/// Far longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(10);

fn state(id: u128, filled: &str) -> OrderState {
    OrderState {
        order_id: OrderId::new(Uuid::from_u128(id)),
        user_id: user(ANN),
        side: Side::Buy,
        order_type: OrderType::Limit,
        price: Some(amount("100")),
        quantity: amount("2"),
        filled_quantity: amount(filled),
        filled_quote: amount("0"),
        fee: amount("0"),
    }
}

fn cancelled(id: u128, reason: CancelReason) -> Change {
    Change::Cancelled { order: state(id, "0"), reason }
}

fn trade(taker: u128, filled: &str) -> Change {
    Change::Trade(Box::new(Trade {
        trade_id: trade_id(&symbol("BTC/USDT"), Seq::new(7), 0),
        price: amount("100"),
        quantity: amount("1"),
        maker_fee: amount("0"),
        taker_fee: amount("0"),
        maker: state(1000, "1"),
        taker: state(taker, filled),
    }))
}

fn outcome(seq: u64, result: InputResult, changes: Vec<Change>) -> Outcome {
    let levels = Levels::default();
    Outcome { seq: Seq::new(seq), at: noon(), result, continued: false, goes_on: false, changes, levels }
}

fn commit(log: &MemoryLog, part: u32, last: bool, outcomes: Vec<Outcome>) -> u64 {
    let (symbol, hash) = (symbol("BTC/USDT"), last.then(|| "0".repeat(16)));
    let commit = Commit {
        rules: fillstream_domain::book::Rules::TODAY,
        symbol,
        first_input: Seq::new(1),
        last_input: Seq::new(9),
        part,
        last,
        hash,
        outcomes,
    };
    append(log, MARKET.to_owned(), commit.encode())
}

async fn follow(log: &MemoryLog) -> TailOutcomes {
    TailOutcomes::start(Arc::new(log.clone()), &Obstacles::default()).await.expect("in memory")
}

fn status(answer: Option<Answer>) -> Option<(u128, BookStatus, u64)> {
    answer?.order.map(|order| (order.order_id.uuid().as_u128(), order.status, order.last_seq.get()))
}

#[tokio::test]
async fn who_waits_and_who_comes_late_get_the_same_answer() {
    let log = MemoryLog::new(Incarnation::new(1));
    let outcomes = follow(&log).await;
    let early = outcomes.outcome(Seq::new(7), PATIENCE);
    let late = async {
        let changes = vec![cancelled(5, CancelReason::Expired), cancelled(6, CancelReason::Requested)];
        commit(&log, 1, true, vec![outcome(7, InputResult::Cancelled, changes)]);
        outcomes.outcome(Seq::new(7), PATIENCE).await
    };
    let (early, late) = tokio::join!(early, late);
    assert_eq!(early, late);
    assert_eq!(
        status(outcomes.outcome(Seq::new(7), Duration::ZERO).await),
        Some((6, BookStatus::Cancelled, 1))
    );
}

#[tokio::test]
async fn the_order_is_told_as_it_is_after_all_of_the_input() {
    for (result, changes, expected) in [
        (InputResult::Amended, vec![Change::Amended(state(5, "1"))], Some((5, BookStatus::Open, 1))),
        (InputResult::Amended, vec![Change::Amended(state(5, "2"))], Some((5, BookStatus::Filled, 1))),
        (
            InputResult::Amended,
            vec![Change::Amended(state(5, "0")), trade(5, "1"), trade(5, "2")],
            Some((5, BookStatus::Filled, 1)),
        ),
        (
            InputResult::Amended,
            vec![Change::Amended(state(5, "0")), trade(5, "1"), cancelled(5, CancelReason::SelfTrade)],
            Some((5, BookStatus::Cancelled, 1)),
        ),
        (InputResult::Unchanged, vec![cancelled(4, CancelReason::Expired)], None),
    ] {
        let log = MemoryLog::new(Incarnation::new(1));
        let outcomes = follow(&log).await;
        commit(&log, 1, true, vec![outcome(7, result.clone(), changes)]);
        let answer = outcomes.outcome(Seq::new(7), PATIENCE).await.unwrap();
        assert_eq!(answer.result, result);
        assert_eq!(status(Some(answer)), expected);
    }
}

#[tokio::test]
async fn parts_are_held_back_until_the_last() {
    let log = MemoryLog::new(Incarnation::new(1));
    let outcomes = follow(&log).await;
    let begun = |changes| Outcome { goes_on: true, ..outcome(7, InputResult::Amended, changes) };
    let ended = |changes| Outcome { continued: true, ..outcome(7, InputResult::Amended, changes) };
    // Torn: nothing of it counts.
    commit(
        &log,
        1,
        false,
        vec![outcome(6, InputResult::Cancelled, vec![cancelled(9, CancelReason::Requested)])],
    );
    commit(&log, 1, false, vec![begun(vec![Change::Amended(state(5, "0")), trade(5, "1")])]);
    commit(&log, 2, true, vec![ended(vec![trade(5, "2")]), outcome(8, InputResult::Unchanged, vec![])]);
    assert!(outcomes.outcome(Seq::new(8), PATIENCE).await.is_some());
    assert_eq!(status(outcomes.outcome(Seq::new(7), PATIENCE).await), Some((5, BookStatus::Filled, 3)));
    assert_eq!(outcomes.outcome(Seq::new(6), Duration::ZERO).await, None);
}

#[tokio::test]
async fn a_tail_that_begins_within_a_commit_reads_it_from_its_beginning() {
    let log = MemoryLog::new(Incarnation::new(1));
    commit(
        &log,
        1,
        false,
        vec![outcome(6, InputResult::Cancelled, vec![cancelled(9, CancelReason::Requested)])],
    );
    let outcomes = follow(&log).await;
    commit(&log, 2, true, vec![outcome(7, InputResult::Unchanged, vec![])]);
    assert_eq!(status(outcomes.outcome(Seq::new(6), PATIENCE).await), Some((9, BookStatus::Cancelled, 1)));
}

#[tokio::test]
async fn no_answer_in_time_is_none_and_the_next_one_still_comes() {
    let log = MemoryLog::new(Incarnation::new(1));
    let outcomes = follow(&log).await;
    assert_eq!(outcomes.outcome(Seq::new(7), Duration::from_millis(1)).await, None);
    commit(&log, 1, true, vec![outcome(7, InputResult::Unchanged, vec![])]);
    assert!(outcomes.outcome(Seq::new(7), PATIENCE).await.is_some());
}

#[tokio::test]
async fn the_last_change_of_an_order_is_known_at_once() {
    let log = MemoryLog::new(Incarnation::new(1));
    let outcomes = follow(&log).await;
    let id = |id: u128| OrderId::new(Uuid::from_u128(id));
    let created = outcome(7, InputResult::Accepted, vec![Change::Created(state(5, "0")), trade(5, "1")]);
    commit(&log, 1, true, vec![created, outcome(8, InputResult::Unchanged, vec![])]);
    assert!(outcomes.outcome(Seq::new(8), PATIENCE).await.is_some());
    // One user's channel: created, then the taker's and the maker's update.
    let taker = outcomes.latest(id(5)).expect("known");
    assert_eq!((taker.filled_quantity, taker.last_seq, taker.last_index), (amount("1"), Seq::new(1), 1));
    assert_eq!(
        outcomes.latest(id(1000)).map(|maker| (maker.last_seq, maker.last_index)),
        Some((Seq::new(1), 2))
    );
    assert_eq!(outcomes.latest(id(6)), None);
}

#[tokio::test]
async fn what_stands_in_the_way_is_shown_until_it_is_gone() {
    let log = MemoryLog::new(Incarnation::new(1));
    let obstacles = Obstacles::default();
    commit(&log, 1, true, vec![outcome(6, InputResult::Unchanged, vec![])]);
    commit(&log, 1, true, vec![outcome(7, InputResult::Unchanged, vec![])]);
    let outcomes = TailOutcomes::start(Arc::new(log.clone()), &obstacles).await.expect("in memory");
    let until = async |shown: bool| {
        timeout(PATIENCE, async {
            while obstacles.all().is_empty() == shown {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .expect("in time")
    };
    log.put_back(Seq::new(1));
    until(true).await;
    until(false).await;
    commit(&log, 1, true, vec![outcome(8, InputResult::Unchanged, vec![])]);
    assert!(outcomes.outcome(Seq::new(8), PATIENCE).await.is_some());
}
