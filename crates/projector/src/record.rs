//! Records by what they are, and the stream's end.

use fillstream_domain::{RecordId, RecordRef, Seq};
use fillstream_event_log::{EventLog, LogError, Record};

/// Where the record lies, and what it is.
pub(crate) fn reference(record: &Record) -> RecordRef {
    let foreign = || RecordId::foreign(record.stored_at, &record.subject, &record.payload);
    RecordRef { seq: record.seq, id: record.event_id.map_or_else(foreign, RecordId::Event) }
}

/// The stream's last sequence.
pub(crate) async fn end(log: &dyn EventLog) -> Result<Seq, LogError> {
    Ok(log.info().await?.last_seq)
}
