//! The decisions, each a function of recorded facts.

use std::time::Duration;

use fillstream_domain::{
    Amount, Atoms, Pair, Price, Seq, Timestamp, VenueId,
    swap::{
        Confirmed, Decider, Failed, InDoubt, NoQuote, Phase, Placed, Prepared, Quote, RetryScheduled,
        ReviewNeeded, Routed, RoutingStarted, Stage, SwapEvent, SwapOrder,
    },
};
use serde::{Deserialize, Serialize};

use crate::{Backoff, Signed};

/// Next step of the shell. Each says what must be on record before it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Append this, and ask the venues meanwhile: asking moves nothing.
    Begin(SwapEvent),
    /// Ask all venues for quotes; the answers go to [`after_quotes`].
    AskQuotes,
    /// Have the chosen venue build and sign; the answer goes to [`after_build`]. Signing moves nothing.
    Build(Routed),
    /// Send the recorded bytes (again) and look what became of them, until [`after_look`] gives an event.
    Deliver(Prepared),
    /// Wait for so long, by a clock that nobody sets; [`next`] is asked again with what is [left](Pause::Left) of it.
    Wait(Duration),
    /// Append this: a record was left out that may have moved money, and only an operator can tell.
    CallOperator(SwapEvent),
    /// Put the order on the operators' list and leave it.
    AskOperator(InDoubt),
    /// Nothing, ever.
    Ended,
}

/// One venue's answer to a question for a quote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The venue.
    pub venue: VenueId,
    /// The output after fees, or why there is none.
    pub amount_out: Result<Atoms, String>,
}

/// A transaction that a venue has built and signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// Its id, known before it is sent.
    pub tx_id: String,
    /// The signed bytes as text (base64).
    pub payload: String,
    /// Height at which it was signed.
    pub built_at_height: u64,
    /// Last height that can hold it.
    pub last_valid_height: u64,
}

/// Result of a look for a transaction at the venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// It landed, with this output.
    Landed(Atoms),
    /// It landed as a failure and moved nothing.
    Reverted(String),
    /// Not decided yet.
    Open,
    /// It can never land any more: proved by the venue.
    Dead,
    /// Nobody can tell, now or later.
    Unknowable(String),
}

/// Rest of the pause before the next attempt, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// Only what the recorded instants say.
    AsRecorded,
    /// So much, by a clock that nobody sets, since the retry was heard of.
    Left(Duration),
}

/// Decides the next step of an order.
#[must_use]
pub fn next(order: &SwapOrder, now: Timestamp, pause: Pause) -> Step {
    match (order.phase(), order.left_out()) {
        (Phase::Review(in_doubt), _) => Step::AskOperator(in_doubt.clone()),
        (Phase::Confirmed | Phase::Failed, _) => Step::Ended,
        (_, Some(seq)) => Step::CallOperator(left_out(order, seq, now)),
        (Phase::Pending, None) => begin(order, now),
        (Phase::Waiting { retry_at, delay, .. }, None) => {
            let left = match pause {
                Pause::AsRecorded => rest(*retry_at, *delay, now),
                Pause::Left(left) => left,
            };
            if left.is_zero() { begin(order, now) } else { Step::Wait(left) }
        }
        (Phase::Routing, None) => Step::AskQuotes,
        (Phase::Building(routed), None) => Step::Build(routed.clone()),
        (Phase::Submitted(prepared), None) => Step::Deliver(prepared.clone()),
    }
}

/// What is left of a pause for who hears of it at `now`: never more than the pause, however far the clocks of who wrote it
/// and who reads it are apart.
#[must_use]
pub fn rest(retry_at: Timestamp, delay: Duration, now: Timestamp) -> Duration {
    retry_at.since(now).min(delay)
}

/// Transactions without a readable record are called this in `swap.review_needed`.
const UNNAMED: &str = "unknown";

fn left_out(order: &SwapOrder, seq: Seq, at: Timestamp) -> SwapEvent {
    let tx_id = match order.phase() {
        Phase::Submitted(prepared) => prepared.tx_id.clone(),
        Phase::Pending
        | Phase::Routing
        | Phase::Building(_)
        | Phase::Waiting { .. }
        | Phase::Review(_)
        | Phase::Confirmed
        | Phase::Failed => UNNAMED.to_owned(),
    };
    SwapEvent::ReviewNeeded(ReviewNeeded {
        order_id: order.placed().order_id,
        attempt: order.attempt(),
        max_attempts: order.placed().max_attempts,
        tx_id,
        reason: format!("the record at sequence {seq} was left out, and it may tell of a transaction"),
        at,
    })
}

/// The call for an operator when the order's history lacks the record of a transaction that is known to have been signed: the
/// stream has lost it. Nothing for an order that has ended, or is under review already.
#[must_use]
pub fn lost(order: &SwapOrder, signed: &Signed, at: Timestamp) -> Option<SwapEvent> {
    match order.phase() {
        Phase::Review(_) | Phase::Confirmed | Phase::Failed => return None,
        Phase::Pending
        | Phase::Routing
        | Phase::Building(_)
        | Phase::Submitted(_)
        | Phase::Waiting { .. } => {}
    }
    let Transaction { venue, tx_id } = &signed.transaction;
    Some(SwapEvent::ReviewNeeded(ReviewNeeded {
        order_id: order.placed().order_id,
        attempt: order.attempt(),
        max_attempts: order.placed().max_attempts,
        tx_id: tx_id.clone(),
        reason: format!(
            "the stream has lost the record of transaction {tx_id} at {venue}, which may have been sent"
        ),
        at,
    }))
}

fn begin(order: &SwapOrder, at: Timestamp) -> Step {
    let placed = order.placed();
    Step::Begin(SwapEvent::RoutingStarted(RoutingStarted {
        order_id: placed.order_id,
        attempt: order.attempt() + 1,
        max_attempts: placed.max_attempts,
        at,
    }))
}

/// The best offer is taken; without one the attempt has failed. Ties go to the venue that stands first.
#[must_use]
pub fn after_quotes(order: &SwapOrder, offers: &[Offer], backoff: &Backoff, at: Timestamp) -> SwapEvent {
    let placed = order.placed();
    let (quotes, no_quotes) = sort_out(placed, offers);
    let best = quotes.iter().rev().max_by_key(|quote| quote.amount_out);
    let taken = best.and_then(|quote| {
        let least = placed.slippage.least_of(placed.token_out.atoms(quote.amount_out)?)?;
        Some((quote.venue, placed.token_out.amount(least)?))
    });
    match taken {
        Some((venue, min_amount_out)) => SwapEvent::Routed(Routed {
            order_id: placed.order_id,
            attempt: order.attempt(),
            quotes,
            no_quotes,
            venue,
            min_amount_out,
            at,
        }),
        None => attempt_failed(order, Stage::Routing, no_offer(&no_quotes), backoff, at),
    }
}

fn sort_out(placed: &Placed, offers: &[Offer]) -> (Vec<Quote>, Vec<NoQuote>) {
    let mut quotes = Vec::new();
    let mut no_quotes = Vec::new();
    for offer in offers {
        let venue = offer.venue;
        match &offer.amount_out {
            Ok(atoms) => match quote(placed, venue, *atoms) {
                Some(quote) => quotes.push(quote),
                None => {
                    no_quotes.push(NoQuote { venue, reason: "the quote is zero or out of range".to_owned() })
                }
            },
            Err(reason) => no_quotes.push(NoQuote { venue, reason: reason.clone() }),
        }
    }
    (quotes, no_quotes)
}

fn quote(placed: &Placed, venue: VenueId, out: Atoms) -> Option<Quote> {
    let pair = Pair::new(placed.token_in, placed.token_out)?;
    let price = Price::of(pair, placed.token_in.atoms(placed.amount_in)?, out)?;
    let amount_out = placed.token_out.amount(out).filter(|_| out.get() > 0)?;
    Some(Quote { venue, amount_out, price })
}

/// One reason when all venues agree, else each venue's own.
fn no_offer(no_quotes: &[NoQuote]) -> String {
    match no_quotes {
        [] => "No venue was asked".to_owned(),
        [first, rest @ ..] if rest.iter().all(|other| other.reason == first.reason) => first.reason.clone(),
        all => {
            let reasons: Vec<_> = all.iter().map(|none| format!("{}: {}", none.venue, none.reason)).collect();
            reasons.join("; ")
        }
    }
}

/// The built transaction goes on record; a venue that could not build it ends the attempt.
#[must_use]
pub fn after_build(
    order: &SwapOrder,
    routed: &Routed,
    built: Result<Built, String>,
    backoff: &Backoff,
    at: Timestamp,
) -> SwapEvent {
    let placed = order.placed();
    match built {
        Ok(built) => SwapEvent::Prepared(Prepared {
            order_id: placed.order_id,
            attempt: order.attempt(),
            max_attempts: placed.max_attempts,
            venue: routed.venue,
            tx_id: built.tx_id,
            payload: built.payload,
            built_at_height: built.built_at_height,
            last_valid_height: built.last_valid_height,
            at,
        }),
        Err(reason) => attempt_failed(order, Stage::Building, reason, backoff, at),
    }
}

/// Decision after a look; nothing while the transaction may still land.
#[must_use]
pub fn after_look(
    order: &SwapOrder,
    prepared: &Prepared,
    look: Look,
    backoff: &Backoff,
    at: Timestamp,
) -> Option<SwapEvent> {
    match look {
        Look::Open => None,
        Look::Landed(out) => {
            Some(landed(order, transaction(prepared), out, Decider::Executor, at).unwrap_or_else(|| {
                review(order, prepared, format!("it landed with {} units, which is no amount", out.get()), at)
            }))
        }
        Look::Reverted(reason) => Some(attempt_failed(order, Stage::Submitted, reason, backoff, at)),
        Look::Dead => {
            let reason =
                format!("the transaction expired at block {} without landing", prepared.last_valid_height);
            Some(attempt_failed(order, Stage::Submitted, reason, backoff, at))
        }
        Look::Unknowable(reason) => Some(review(order, prepared, reason, at)),
    }
}

/// A transaction by its names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Venue where it landed.
    pub venue: VenueId,
    /// Its id.
    pub tx_id: String,
}

fn transaction(prepared: &Prepared) -> Transaction {
    Transaction { venue: prepared.venue, tx_id: prepared.tx_id.clone() }
}

fn landed(
    order: &SwapOrder,
    Transaction { venue, tx_id }: Transaction,
    out: Atoms,
    decided_by: Decider,
    at: Timestamp,
) -> Option<SwapEvent> {
    let placed = order.placed();
    let pair = Pair::new(placed.token_in, placed.token_out)?;
    Some(SwapEvent::Confirmed(Confirmed {
        order_id: placed.order_id,
        attempt: order.attempt(),
        venue,
        tx_id,
        amount_out: placed.token_out.amount(out)?,
        executed_price: Price::of(pair, placed.token_in.atoms(placed.amount_in)?, out)?,
        decided_by,
        at,
    }))
}

fn review(order: &SwapOrder, prepared: &Prepared, reason: String, at: Timestamp) -> SwapEvent {
    SwapEvent::ReviewNeeded(ReviewNeeded {
        order_id: order.placed().order_id,
        attempt: order.attempt(),
        max_attempts: order.placed().max_attempts,
        tx_id: prepared.tx_id.clone(),
        reason,
        at,
    })
}

/// The attempt is over: another one later, or the end when it was the last.
fn attempt_failed(
    order: &SwapOrder,
    stage: Stage,
    reason: String,
    backoff: &Backoff,
    at: Timestamp,
) -> SwapEvent {
    let placed = order.placed();
    let (order_id, attempt, max_attempts) = (placed.order_id, order.attempt(), placed.max_attempts);
    if attempt >= max_attempts {
        let decided_by = Decider::Executor;
        return SwapEvent::Failed(Failed { order_id, attempt, max_attempts, stage, reason, decided_by, at });
    }
    let delay = backoff.delay(order_id, attempt);
    SwapEvent::RetryScheduled(RetryScheduled {
        order_id,
        attempt,
        max_attempts,
        stage,
        reason,
        delay_ms: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
        retry_at: at.after(delay),
        at,
    })
}

/// Verdict of an operator about a transaction that nobody else could decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It landed and brought this amount; `named` when the record does not name it, or another one than that landed.
    Landed {
        /// Amount that was received.
        amount_out: Amount,
        /// The transaction, by the operator's word.
        named: Option<Transaction>,
    },
    /// It never landed and never will.
    Dead,
}

/// Reasons why a verdict cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerdictError {
    /// The order is not under review.
    #[error("it is not under review: only an undecided order is resolved")]
    NotUnderReview,
    /// The amount is none of the token received.
    #[error("the amount does not fit: it must be greater than 0 and have no more decimals than the token")]
    Amount,
    /// The record of the transaction could not be read.
    #[error("no readable record names the transaction: say its venue and id")]
    Unnamed,
}

/// An operator's verdict on an order whose outcome nobody could tell, as its terminal event.
///
/// # Errors
/// See [`VerdictError`].
pub fn resolve(order: &SwapOrder, verdict: Verdict, at: Timestamp) -> Result<SwapEvent, VerdictError> {
    let Phase::Review(in_doubt) = order.phase() else { return Err(VerdictError::NotUnderReview) };
    let placed = order.placed();
    match verdict {
        Verdict::Landed { amount_out, named } => {
            let known = || {
                let InDoubt { venue, tx_id } = in_doubt.clone();
                Some(Transaction { venue: venue?, tx_id: tx_id? })
            };
            let transaction = named.or_else(known).ok_or(VerdictError::Unnamed)?;
            let atoms = placed.token_out.atoms(amount_out).filter(|atoms| atoms.get() > 0);
            let event = atoms.and_then(|out| landed(order, transaction, out, Decider::Operator, at));
            event.ok_or(VerdictError::Amount)
        }
        Verdict::Dead => Ok(SwapEvent::Failed(Failed {
            order_id: placed.order_id,
            attempt: order.attempt(),
            max_attempts: placed.max_attempts,
            stage: Stage::Submitted,
            reason: "an operator decided that the transaction is dead".to_owned(),
            decided_by: Decider::Operator,
            at,
        })),
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
