//! A commit into the log: one message, or one atomic batch.

use bytes::Bytes;
use fillstream_domain::{
    RecordRef, Seq, Timestamp, TraceParent,
    book::{Commit, Symbol},
    subject::market_commits,
};
use fillstream_event_log::{AppendError, EventLog, NewRecord};
use fillstream_matcher::Part;
use uuid::Uuid;

/// Appends the parts of one commit behind the market's last one, decided upon what was heard up to the record `upon`;
/// returns the sequence of the last part. `traceparent` is the trace that it belongs to.
///
/// # Errors
/// [`AppendError::Fenced`] when another matcher was first.
pub(crate) async fn append(
    log: &dyn EventLog,
    symbol: &Symbol,
    parts: Vec<Part>,
    (after, upon): (Seq, Option<RecordRef>),
    at: Timestamp,
    traceparent: Option<TraceParent>,
) -> Result<Seq, AppendError> {
    let mut payloads = parts.into_iter().map(|part| Bytes::from(part.payload));
    let Some(payload) = payloads.next() else {
        return Err(AppendError::invalid("a commit has at least one part"));
    };
    let first = NewRecord {
        subject: market_commits(symbol),
        after,
        event_id: Uuid::now_v7(),
        event_type: Commit::EVENT_TYPE.cloud_event_type(),
        time: at.to_string(),
        traceparent: traceparent.map(|trace| trace.to_string()),
        retries: None,
        payload,
    };
    log.append_parts(first, payloads.collect(), upon).await
}
