//! The decisions, each a function of recorded facts.

use fillstream_domain::{
    Amount, Atoms, Pair, Price, Timestamp, VenueId,
    swap::{
        Confirmed, Decider, Failed, NoQuote, Phase, Placed, Prepared, Quote, RetryScheduled, ReviewNeeded,
        Routed, RoutingStarted, Stage, SwapEvent, SwapOrder,
    },
};

use crate::Backoff;

/// What the shell does next. Each says what must be on record before it starts.
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
    /// Nothing before this instant.
    Wait(Timestamp),
    /// Put the order on the operators' list and leave it.
    AskOperator(Prepared),
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

/// What a look at the venue showed of a transaction.
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

/// What to do next with an order.
#[must_use]
pub fn next(order: &SwapOrder, now: Timestamp) -> Step {
    match order.phase() {
        Phase::Pending => begin(order, now),
        Phase::Waiting { retry_at, .. } if now < *retry_at => Step::Wait(*retry_at),
        Phase::Waiting { .. } => begin(order, now),
        Phase::Routing => Step::AskQuotes,
        Phase::Building(routed) => Step::Build(routed.clone()),
        Phase::Submitted(prepared) => Step::Deliver(prepared.clone()),
        Phase::Review(prepared) => Step::AskOperator(prepared.clone()),
        Phase::Confirmed | Phase::Failed => Step::Ended,
    }
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

/// What a look decides; nothing while the transaction may still land.
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
        Look::Landed(out) => Some(landed(order, prepared, out, Decider::Executor, at).unwrap_or_else(|| {
            review(order, prepared, format!("it landed with {} units, which is no amount", out.get()), at)
        })),
        Look::Reverted(reason) => Some(attempt_failed(order, Stage::Submitted, reason, backoff, at)),
        Look::Dead => {
            let reason =
                format!("the transaction expired at block {} without landing", prepared.last_valid_height);
            Some(attempt_failed(order, Stage::Submitted, reason, backoff, at))
        }
        Look::Unknowable(reason) => Some(review(order, prepared, reason, at)),
    }
}

fn landed(
    order: &SwapOrder,
    prepared: &Prepared,
    out: Atoms,
    decided_by: Decider,
    at: Timestamp,
) -> Option<SwapEvent> {
    let placed = order.placed();
    let pair = Pair::new(placed.token_in, placed.token_out)?;
    Some(SwapEvent::Confirmed(Confirmed {
        order_id: placed.order_id,
        attempt: order.attempt(),
        venue: prepared.venue,
        tx_id: prepared.tx_id.clone(),
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

/// An operator's decision on an order whose outcome nobody could tell: `Some(amount)` when it landed, `None` when
/// it is dead. Nothing when the order is not under review, or the amount does not fit the token.
#[must_use]
pub fn resolve(order: &SwapOrder, landed_with: Option<Amount>, at: Timestamp) -> Option<SwapEvent> {
    let Phase::Review(prepared) = order.phase() else { return None };
    let placed = order.placed();
    match landed_with {
        Some(amount) => landed(order, prepared, placed.token_out.atoms(amount)?, Decider::Operator, at),
        None => Some(SwapEvent::Failed(Failed {
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
