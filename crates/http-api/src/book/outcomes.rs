//! Outcomes told by the matchers: of an amend or a cancel, and of every order that changes.
//!
//! ```text
//!  markets.* from the stream's end ─▶ whole commits ─┬▶ answer of each amend and cancel ─┬▶ who waits for that sequence
//!                                                    │                                  └▶ the last ones, for who comes late
//!                                                    └▶ the last changes of orders, until the read store has them
//! ```

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use fillstream_commit_reader::{CommitReader, OnForeign};
use fillstream_domain::{
    OrderId, Seq,
    book::{BookStatus, CancelReason, Change, Commit, InputResult, OrderState, Outcome},
    subject::ALL_COMMITS,
};
use fillstream_event_log::{After, EventLog, Follow, LogError};
use fillstream_projections::market::{BookOrderPatch, messages};
use fillstream_retry::{Obstacles, Retry};
use tokio::{task::JoinHandle, time::timeout};

use super::board::{Asked, Board};

/// Records taken from the tail at once.
const TAKEN: usize = 256;
/// Before the tail is opened again, at first and at last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Outcome of an amend or a cancel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The answer itself.
    pub result: InputResult,
    /// The order after it; nothing when it has not changed.
    pub order: Option<BookOrderPatch>,
}

/// The matcher's answers, as they come.
#[async_trait]
pub trait Outcomes: Send + Sync + 'static {
    /// The answer to the amend or cancel at sequence `input`; nothing when it has not come within `patience`, or came
    /// so long ago that it is forgotten.
    async fn outcome(&self, input: Seq, patience: Duration) -> Option<Answer>;

    /// The order's last change, when that was a moment ago: the read store may not have it yet.
    fn latest(&self, order: OrderId) -> Option<BookOrderPatch>;
}

/// Answers out of the stream's tail. One for the whole process; the tail is read until it is dropped.
pub struct TailOutcomes {
    board: Arc<Board>,
    tail: JoinHandle<()>,
}

impl Drop for TailOutcomes {
    fn drop(&mut self) {
        self.tail.abort();
    }
}

impl TailOutcomes {
    /// Follows the commits from the stream's end on: what is asked from now on is answered behind it. What stands in its way
    /// later is shown among `obstacles`.
    ///
    /// # Errors
    /// When the stream cannot be reached.
    pub async fn start(log: Arc<dyn EventLog>, obstacles: &Obstacles) -> Result<Self, LogError> {
        let tail = follow(&*log, None).await?;
        let board = Arc::new(Board::default());
        let retry =
            Retry::new("http-api: the matchers' commits are not followed", FIRST_PAUSE, LONGEST_PAUSE);
        let retry = retry.shown_in(obstacles);
        let tail = tokio::spawn(keep_reading(log, tail, Arc::clone(&board), retry));
        Ok(Self { board, tail })
    }
}

#[async_trait]
impl Outcomes for TailOutcomes {
    async fn outcome(&self, input: Seq, patience: Duration) -> Option<Answer> {
        // Dropped behind the place itself, also when the client hangs up and nobody waits any more.
        let _leave = Leave { board: &self.board, input };
        match self.board.ask(input) {
            Asked::Known(answer) => Some(answer),
            Asked::Waiting(waiting) => timeout(patience, waiting).await.ok()?.ok(),
        }
    }

    fn latest(&self, order: OrderId) -> Option<BookOrderPatch> {
        self.board.latest(order)
    }
}

/// Gives up a place on the board.
struct Leave<'a> {
    board: &'a Board,
    input: Seq,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.board.forget(self.input);
    }
}

/// Reads for ever. A tail that breaks goes on behind the last record taken; when the stream has lost that, at its end.
async fn keep_reading(
    log: Arc<dyn EventLog>,
    mut tail: Box<dyn Follow>,
    board: Arc<Board>,
    mut retry: Retry,
) {
    let reader = || CommitReader::new("http-api", OnForeign::PassOver);
    let mut commits = reader();
    loop {
        let error = match tail.next(TAKEN).await {
            Ok(records) => {
                for record in records {
                    for whole in commits.take(&*log, &record).await.into_iter().flatten() {
                        post(whole.parts(), &board);
                    }
                }
                continue;
            }
            Err(error) => error,
        };
        let mut after = tail.reached().map(After::Record).filter(|_| !error.is_final());
        retry.failed(&error).await;
        tail = loop {
            if after.is_none() {
                // Nothing of what was said holds any more.
                board.forget_all();
                commits = reader();
            }
            match follow(&*log, after).await {
                Ok(opened) => break opened,
                Err(error) => {
                    after = after.filter(|_| !error.is_final());
                    retry.failed(&error).await;
                }
            }
        };
        retry.done();
    }
}

/// The commits behind a place; behind the stream's end when there is none.
async fn follow(log: &dyn EventLog, after: Option<After>) -> Result<Box<dyn Follow>, LogError> {
    let after = match after {
        Some(after) => after,
        None => log.last_matching(">").await?.map_or(After::START, |last| After::Record(last.reference())),
    };
    log.follow(after, Some(ALL_COMMITS)).await
}

/// Tells all that a commit says. Orders come first: who is answered finds the order as the answer says.
fn post(parts: &[(Seq, Arc<Commit>)], board: &Board) {
    for (seq, part) in parts {
        messages(*seq, part).orders.iter().for_each(|update| board.note(update.into()));
    }
    answers(parts).into_iter().for_each(|(input, answer)| board.tell(input, answer));
}

/// The answers to amends and cancels in a commit. An outcome may begin in one part and end in a later one.
fn answers(parts: &[(Seq, Arc<Commit>)]) -> Vec<(Seq, Answer)> {
    let mut answers: Vec<(Seq, Answer)> = Vec::new();
    for (seq, part) in parts {
        for outcome in &part.outcomes {
            if !outcome.continued {
                if is_awaited(&outcome.result) {
                    let order = changed(asked_order(outcome), *seq, outcome);
                    answers.push((outcome.seq, Answer { result: outcome.result.clone(), order }));
                }
            } else if let Some((_, answer)) = answers.last_mut().filter(|(input, _)| *input == outcome.seq) {
                // Whose order it is stands behind the expiries, which may have filled a whole part.
                let order = answer.order.as_ref().map(|order| order.order_id);
                let later = changed(order.or_else(|| asked_order(outcome)), *seq, outcome);
                answer.order = later.or(answer.order.take());
            }
        }
    }
    answers
}

/// True when somebody waits for such an answer.
const fn is_awaited(result: &InputResult) -> bool {
    match result {
        InputResult::Amended
        | InputResult::Unchanged
        | InputResult::Cancelled
        | InputResult::Refused(_)
        | InputResult::Parked { .. } => true,
        InputResult::Accepted | InputResult::Rejected(_) | InputResult::Defined | InputResult::Ticked => {
            false
        }
    }
}

/// The order that the input asked to change. Expiries that the input's time brought come before it.
fn asked_order(outcome: &Outcome) -> Option<OrderId> {
    outcome.changes.iter().find_map(|change| match change {
        Change::Amended(order) | Change::Cancelled { order, reason: CancelReason::Requested } => {
            Some(order.order_id)
        }
        Change::Created(_) | Change::Rejected(_) | Change::Trade(_) | Change::Cancelled { .. } => None,
    })
}

/// The order after the last change that it is part of.
fn changed(order: Option<OrderId>, seq: Seq, outcome: &Outcome) -> Option<BookOrderPatch> {
    let order = order?;
    let (state, status) = outcome.changes.iter().rev().find_map(|change| after(change, order))?;
    Some(BookOrderPatch {
        order_id: order,
        status,
        price: state.price,
        quantity: state.quantity,
        filled_quantity: state.filled_quantity,
        filled_quote: state.filled_quote,
        fee: state.fee,
        updated_at: outcome.at,
        last_seq: seq,
        // Behind all that the part has told of the order before.
        last_index: u32::MAX,
    })
}

fn after(change: &Change, wanted: OrderId) -> Option<(&OrderState, BookStatus)> {
    let open = |order: &OrderState| if order.is_filled() { BookStatus::Filled } else { BookStatus::Open };
    let (order, status) = match change {
        Change::Created(order) => (order, BookStatus::Open),
        Change::Rejected(order) => (order, BookStatus::Rejected),
        Change::Cancelled { order, .. } => (order, BookStatus::Cancelled),
        Change::Amended(order) => (order, open(order)),
        Change::Trade(trade) => {
            let order = if trade.taker.order_id == wanted { &trade.taker } else { &trade.maker };
            (order, open(order))
        }
    };
    (order.order_id == wanted).then_some((order, status))
}
