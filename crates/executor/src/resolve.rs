//! An operator's decision on an order that nobody else can decide.

use fillstream_clock::now;
use fillstream_crash_point::{Boundary, reach};
use fillstream_domain::{OrderId, subject::swap_progress, swap::Status};
use fillstream_event_log::{AppendError, EventLog};
use fillstream_parked::ParkedError;
use fillstream_swap_machine::{Verdict, VerdictError};

use crate::{PART, SwapHistory, drive::event_record, history::HistoryError, read_history};

/// Reasons why a decision was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The order cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// It is not under review.
    #[error("order {0} is {1}, not under review: only an undecided order is resolved")]
    NotUnderReview(OrderId, Status),
    /// The decision does not fit the order.
    #[error(transparent)]
    Verdict(#[from] VerdictError),
    /// The decision was not stored.
    #[error("the decision was not stored")]
    Append(#[from] AppendError),
    /// The decision is stored, but its entry on the list may still be open; the same command again closes it.
    #[error(
        "the order is resolved, but its entry on the operators' list may still be open: repeat the command"
    )]
    Entry(#[from] ParkedError),
}

/// Ends an order under review by an operator's verdict. One terminal event, fenced on everything before it; it starts no
/// new attempt, and closes all entries of the order on the operators' list.
///
/// # Errors
/// See [`ResolveError`].
pub async fn resolve(log: &dyn EventLog, order: OrderId, verdict: Verdict) -> Result<(), ResolveError> {
    let SwapHistory { order: swap, placed_seq, progress_seq, traceparent, .. } =
        read_history(log, order).await?;
    let event = match fillstream_swap_machine::resolve(&swap, verdict, now()) {
        Err(VerdictError::NotUnderReview) => {
            // It may have been decided by a command that died before it closed the entries.
            if swap.status().is_terminal() {
                fillstream_parked::resolved(log, PART, order, None, now()).await?;
            }
            return Err(ResolveError::NotUnderReview(order, swap.status()));
        }
        event => event?,
    };
    reach(Boundary::BeforeDecision);
    log.append(event_record(&event, swap_progress(order), progress_seq, traceparent)).await?;
    reach(Boundary::AfterDecision);
    Ok(fillstream_parked::resolved(log, PART, order, Some(placed_seq), now()).await?)
}
