//! The trace that a request belongs to.

use axum::http::HeaderMap;
use fillstream_domain::TraceParent;
use uuid::Uuid;

/// The request's own trace, or a new one when it names none, several, or one that breaks the rules (W3C Trace Context).
pub(crate) fn trace(headers: &HeaderMap) -> TraceParent {
    let mut given = headers.get_all("traceparent").iter();
    let only = given.next().filter(|_| given.next().is_none());
    let read = only.and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<TraceParent>().ok());
    read.unwrap_or_else(|| TraceParent::begun(Uuid::now_v7(), Uuid::now_v7()))
}

/// The same as the header of a record.
pub(crate) fn traceparent(headers: &HeaderMap) -> String {
    trace(headers).to_string()
}
