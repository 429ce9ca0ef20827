//! Signed transactions that rows tell of and the stream does not any more: whoever executes swaps must know them before the
//! rows are made anew.

use std::collections::HashMap;

use fillstream_domain::{
    OrderId, RecordId, RecordRef, Seq,
    subject::swap_progress,
    swap::{Prepared, SwapEvent},
};
use fillstream_event_log::EventLog;
use fillstream_projections::rows::EventRow;
use fillstream_read_store::ReadStore;

use crate::rescue::{PAGE, RescueError, common_end, history, is_held};

/// The last transaction of each swap whose record the stream has lost, by the rows; the record as one that nobody gave an
/// id, which rows do not keep. None while the stream holds the record that the rows end with, or nothing at all of them: then it is
/// another stream.
///
/// # Errors
/// When the stream or the rows cannot be read.
pub async fn lost_transactions(
    log: &dyn EventLog,
    store: &ReadStore,
) -> Result<Vec<(RecordRef, Prepared)>, RescueError> {
    let Some(end) = store.checkpoint().await? else { return Ok(Vec::new()) };
    if is_held(log, &end).await? {
        return Ok(Vec::new());
    }
    let common = common_end(log, store).await?;
    if common.is_zero() && end.incarnation != log.incarnation() {
        return Ok(Vec::new());
    }
    let mut lost = HashMap::new();
    let mut after: Option<(OrderId, Seq)> = None;
    loop {
        let page = store.swap_events_page(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(lost.into_values().collect()) };
        after = Some((last.order_id, last.seq));
        for row in page.iter().filter(|row| row.seq > common) {
            let Some(prepared) = prepared(row) else { continue };
            let held = history(log, row.order_id).await?;
            if !held.iter().any(|record| *record.payload == *row.event.as_bytes()) {
                let at = prepared.at.unix_ms();
                let id = RecordId::foreign(at, &swap_progress(row.order_id), row.event.as_bytes());
                lost.insert(row.order_id, (RecordRef { seq: row.seq, id }, prepared));
            }
        }
    }
}

fn prepared(row: &EventRow) -> Option<Prepared> {
    match SwapEvent::decode(row.event.as_bytes()) {
        Ok(SwapEvent::Prepared(prepared)) => Some(prepared),
        Ok(
            SwapEvent::Placed(_)
            | SwapEvent::RoutingStarted(_)
            | SwapEvent::Routed(_)
            | SwapEvent::RetryScheduled(_)
            | SwapEvent::ReviewNeeded(_)
            | SwapEvent::Confirmed(_)
            | SwapEvent::Failed(_),
        )
        | Err(_) => None,
    }
}
