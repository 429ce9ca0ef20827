//! What the matchers say: to an amend or a cancel, and of every order that changes.
//!
//! ```text
//!  markets.* from the stream's end ─▶ whole commits ─┬▶ answer of each amend and cancel ─┬▶ who waits for that sequence
//!                                                    │                                  └▶ the last ones, for who comes late
//!                                                    └▶ the last changes of orders, until the read store has them
//! ```

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use fillstream_domain::{
    OrderId, Seq,
    book::{
        BookStatus, CancelReason, Change, Commit, InputResult, OrderState, Outcome, Parts, PartsStep, Symbol,
    },
    subject::{ALL_COMMITS, BookSubject},
};
use fillstream_event_log::{After, EventLog, Follow, LogError, Record};
use fillstream_projections::market::{BookOrderPatch, messages};
use tokio::{task::JoinHandle, time::sleep, time::timeout};
use tracing::warn;

use super::board::{Asked, Board};

/// Records taken from the tail at once.
const TAKEN: usize = 256;
/// Pause before the tail is opened again.
const REOPEN_PAUSE: Duration = Duration::from_millis(500);

/// What became of an amend or a cancel.
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
    /// Follows the commits from the stream's end on: what is asked from now on is answered behind it.
    ///
    /// # Errors
    /// When the stream cannot be reached.
    pub async fn start(log: Arc<dyn EventLog>) -> Result<Self, LogError> {
        let from = log.info().await?.last_seq.next();
        let tail = log.follow(After::Seq(from.prev()), Some(ALL_COMMITS)).await?;
        let board = Arc::new(Board::default());
        let tail = tokio::spawn(keep_reading(log, from, tail, Arc::clone(&board)));
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

async fn keep_reading(log: Arc<dyn EventLog>, from: Seq, mut tail: Box<dyn Follow>, board: Arc<Board>) {
    let mut reader = Reader { parts: HashMap::new(), next: from };
    loop {
        let next = match tail.next(TAKEN).await {
            Ok(records) => reader.take(records, &board),
            Err(error) => {
                warn!(%error, "the tail of the matchers' answers broke");
                sleep(REOPEN_PAUSE).await;
                Some(reader.next)
            }
        };
        while let Some(from) = next {
            match log.follow(After::Seq(from.prev()), Some(ALL_COMMITS)).await {
                Ok(opened) => {
                    tail = opened;
                    break;
                }
                Err(error) => {
                    warn!(%error, "the matchers' answers cannot be read; asked again");
                    sleep(REOPEN_PAUSE).await;
                }
            }
        }
    }
}

/// Commits put together from their parts.
struct Reader {
    parts: HashMap<Symbol, Parts<Arc<Commit>>>,
    /// Where the tail goes on: behind the last record taken.
    next: Seq,
}

impl Reader {
    /// Takes records; answers where to read again when a market's tail began within a commit.
    fn take(&mut self, records: Vec<Record>, board: &Board) -> Option<Seq> {
        for record in records {
            let seq = record.seq;
            self.next = seq.next();
            let Some(BookSubject::Commits(symbol)) = BookSubject::parse(&record.subject) else { continue };
            let reading = record.reading(Commit::decode_shared);
            let Ok(part) = &*reading else {
                warn!(%seq, "a commit cannot be read");
                continue;
            };
            let (step, torn) = self.parts.entry(symbol).or_default().push(seq, Arc::clone(part));
            if let Some(torn) = torn {
                warn!(first = %torn.first, last = %torn.last, "parts of a commit without an end");
            }
            match step {
                PartsStep::Complete(parts) => post(&parts, board),
                PartsStep::Held => {}
                PartsStep::BeganInside { read_again_from } => return Some(read_again_from),
            }
        }
        None
    }
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

/// Whether somebody waits for such an answer.
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
