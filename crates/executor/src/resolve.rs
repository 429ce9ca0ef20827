//! An operator's decision on an order that nobody else can decide.

use fillstream_domain::{Amount, OrderId, parked::Cause, subject::swap_progress, swap::Phase};
use fillstream_event_log::{AppendError, EventLog};
use fillstream_parked::ParkedError;

use crate::{drive::event_record, history::HistoryError, now, read_history};

/// Why a decision was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The order cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// It is not under review.
    #[error("order {0} is not under review: only an undecided order is resolved")]
    NotUnderReview(OrderId),
    /// The amount is no amount of the token received.
    #[error("the amount does not fit: it must be greater than 0 and have no more decimals than the token")]
    Amount,
    /// The decision was not stored.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The decision is stored, but its entry on the list is not closed.
    #[error("the order is resolved, but its entry on the operators' list is still open")]
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
    let history = read_history(log, order).await?;
    if !matches!(history.order.phase(), Phase::Review(_)) {
        return Err(ResolveError::NotUnderReview(order));
    }
    if landed_with.is_some_and(|amount| amount.decimal().is_zero()) {
        return Err(ResolveError::Amount);
    }
    let event =
        fillstream_swap_machine::resolve(&history.order, landed_with, now()).ok_or(ResolveError::Amount)?;
    log.append(event_record(&event, swap_progress(order), history.progress_seq, None)).await?;
    let entries = fillstream_parked::list(log).await.map_err(ParkedError::from)?;
    let open =
        entries.iter().find(|open| open.entry.order_id == Some(order) && open.entry.cause == Cause::Review);
    if let Some(open) = open {
        fillstream_parked::resolved(log, open, now()).await?;
    }
    Ok(())
}
