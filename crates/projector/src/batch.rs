//! Records to rows.

use fillstream_domain::{subject::SwapSubject, swap::SwapEvent};
use fillstream_event_log::Record;
use fillstream_projections::rows::RowBatch;

/// Rows of a run of records, and what could not be read of it.
pub(crate) struct Rows {
    pub(crate) batch: RowBatch,
    pub(crate) unreadable: Vec<(Record, String)>,
}

/// Takes the swap events out of a run of records. Other subjects are other projections' business.
pub(crate) fn rows(records: &[Record]) -> Rows {
    let mut batch = RowBatch::default();
    let mut unreadable = Vec::new();
    for record in records {
        let Some(order) = order_of(&record.subject) else { continue };
        match SwapEvent::decode(&record.payload) {
            Ok(event) if Some(event.order_id()) == order => batch.push(record.seq, &event, &record.payload),
            Ok(_) => unreadable.push((record.clone(), "the event belongs to another order".to_owned())),
            Err(error) => unreadable.push((record.clone(), error.to_string())),
        }
    }
    Rows { batch, unreadable }
}

/// The order of a swap subject; `Some(None)` when the subject is a swap's but names no order.
fn order_of(subject: &str) -> Option<Option<fillstream_domain::OrderId>> {
    match SwapSubject::parse(subject) {
        Some(parsed) => Some(Some(parsed.order())),
        None => subject.starts_with("orders.swap.").then_some(None),
    }
}
