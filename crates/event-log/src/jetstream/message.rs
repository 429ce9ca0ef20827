//! The headers of a record on the wire.

use async_nats::{HeaderMap, header};

use crate::NewRecord;

/// CloudEvents `source` of everything that is written here.
const SOURCE: &str = "fillstream";

/// The header that names the record which this one repeats.
pub(super) const RETRIES: &str = "fillstream-retries";

/// A record's place in an atomic batch.
pub(super) struct Place<'a> {
    pub(super) batch_id: &'a str,
    /// From 1.
    pub(super) sequence: usize,
    /// It is the last one.
    pub(super) commit: bool,
}

pub(super) fn headers(record: &NewRecord, fenced: bool, place: Option<Place<'_>>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("ce-specversion", "1.0");
    headers.insert("ce-id", record.event_id.to_string());
    headers.insert("ce-source", SOURCE);
    headers.insert("ce-type", record.event_type.as_str());
    headers.insert("ce-time", record.time.as_str());
    if let Some(traceparent) = &record.traceparent {
        headers.insert("traceparent", traceparent.as_str());
    }
    if let Some(retries) = record.retries {
        headers.insert(RETRIES, retries.to_string());
    }
    if fenced {
        headers.insert(header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, record.after.to_string());
    }
    if let Some(place) = place {
        headers.insert(header::NATS_BATCH_ID, place.batch_id);
        headers.insert(header::NATS_BATCH_SEQUENCE, place.sequence.to_string());
        if place.commit {
            headers.insert(header::NATS_BATCH_COMMIT, header::NATS_BATCH_COMMIT_FINAL);
        }
    }
    headers
}
