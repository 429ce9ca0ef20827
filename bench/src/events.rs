//! Events to load a log with.

use fillstream_domain::{OrderId, subject::swap_progress};
use fillstream_event_log::NewRecord;
use uuid::Uuid;

/// A typical progress event of an order, behind `after`.
pub(crate) fn routing_started(order: OrderId, attempt: u8, after: u64) -> NewRecord {
    let payload = format!(
        r#"{{"type":"swap.routing_started","version":1,"order_id":"{order}","attempt":{attempt},"max_attempts":3,"at":"2026-01-10T07:30:15.123Z"}}"#
    );
    record(swap_progress(order), after, payload)
}

/// A message of the mean size of a swap's events (about 330 bytes of payload), on a subject of its own.
pub(crate) fn mean_size(number: u128) -> NewRecord {
    let order = OrderId::new(Uuid::from_u128(number << 64 | number));
    let filler = "x".repeat(230);
    record(
        swap_progress(order),
        0,
        format!(r#"{{"type":"bench.filler","version":1,"order_id":"{order}","filler":"{filler}"}}"#),
    )
}

fn record(subject: String, after: u64, payload: String) -> NewRecord {
    NewRecord {
        subject,
        after,
        event_id: Uuid::now_v7(),
        event_type: "fillstream.bench.v1".to_owned(),
        time: "2026-01-10T07:30:15.123Z".to_owned(),
        traceparent: Some("00-0123456789abcdef0123456789abcdef-0123456789abcdef-01".to_owned()),
        retries: None,
        payload: payload.into_bytes().into(),
    }
}
