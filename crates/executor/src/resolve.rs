//! An operator's decision on an order that nobody else can decide.

use fillstream_clock::now;
use fillstream_crash_point::{Boundary, reach};
use fillstream_domain::{
    Amount, OrderId,
    subject::swap_progress,
    swap::{Phase, Status},
};
use fillstream_event_log::{AppendError, EventLog};
use fillstream_parked::ParkedError;

use crate::{SwapHistory, drive::event_record, history::HistoryError, read_history, run::PART};

/// Why a decision was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The order cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// It is not under review.
    #[error("order {0} is {1}, not under review: only an undecided order is resolved")]
    NotUnderReview(OrderId, Status),
    /// The amount is no amount of the token received.
    #[error("the amount does not fit: it must be greater than 0 and have no more decimals than the token")]
    Amount,
    /// The decision was not stored.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The decision is stored, but its entry on the list may still be open; the same command again closes it.
    #[error(
        "the order is resolved, but its entry on the operators' list may still be open: repeat the command"
    )]
    Entry(#[from] ParkedError),
}

/// Ends an order under review: `Some(amount)` when its transaction landed, `None` when it is dead. One terminal event,
/// fenced on everything before it; it starts no new attempt.
///
/// # Errors
/// See [`ResolveError`].
pub async fn resolve(
    log: &dyn EventLog,
    order: OrderId,
    landed_with: Option<Amount>,
) -> Result<(), ResolveError> {
    let SwapHistory { order: swap, placed_seq, progress_seq } = read_history(log, order).await?;
    if !matches!(swap.phase(), Phase::Review(_)) {
        // It may have been decided by a command that died before it closed the entry.
        if swap.status().is_terminal() && fillstream_parked::is_open(log, PART, placed_seq).await? {
            fillstream_parked::resolved(log, PART, placed_seq, now()).await?;
        }
        return Err(ResolveError::NotUnderReview(order, swap.status()));
    }
    if landed_with.is_some_and(|amount| amount.decimal().is_zero()) {
        return Err(ResolveError::Amount);
    }
    let event = fillstream_swap_machine::resolve(&swap, landed_with, now()).ok_or(ResolveError::Amount)?;
    reach(Boundary::BeforeDecision);
    log.append(event_record(&event, swap_progress(order), progress_seq, None)).await?;
    reach(Boundary::AfterDecision);
    Ok(fillstream_parked::resolved(log, PART, placed_seq, now()).await?)
}
