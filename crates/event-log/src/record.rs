//! Records: what is appended, and what is read.

use std::sync::Arc;

use bytes::Bytes;
use fillstream_domain::{RecordId, RecordRef, Seq, TraceParent};
use uuid::Uuid;

use crate::{AppendError, reading::Reading, subject::is_literal};

/// Parts of one append, the first included: the server's limit of an atomic batch.
pub const MAX_PARTS: usize = 1000;
/// Bytes of a message that are kept for the headers of a part; those that are written here need 500.
pub const HEADER_ROOM: usize = 1024;

/// A record to be appended. Every append is fenced: it says after which record of its subject it comes.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// Subject: a literal one of 1024 bytes at most.
    pub subject: String,
    /// The sequence of the subject's last record that the writer knows; [`Seq::ZERO`] when there must be none.
    pub after: Seq,
    /// Unique to this append: an acknowledgement that was lost is resolved by finding this id.
    pub event_id: Uuid,
    /// CloudEvents `type`; a header, and so one line, like the next two.
    pub event_type: String,
    /// CloudEvents `time`, RFC 3339.
    pub time: String,
    /// W3C `traceparent`, when the writer is part of a trace.
    pub traceparent: Option<String>,
    /// The sequence of the record that this one repeats, when an operator has it tried again: header
    /// `fillstream-retries`.
    pub retries: Option<Seq>,
    /// The payload, JSON.
    pub payload: Bytes,
}

impl NewRecord {
    /// The id of the part at this place, the first being at 0: its own.
    #[must_use]
    pub fn part_id(&self, part: usize) -> Uuid {
        if part == 0 { self.event_id } else { Uuid::new_v5(&self.event_id, part.to_string().as_bytes()) }
    }

    /// The parts of one append as records. Only the first one's fence is to be checked.
    pub(crate) fn parts(&self, rest: Vec<Bytes>) -> Vec<Self> {
        let payloads = std::iter::once(self.payload.clone()).chain(rest).enumerate();
        payloads.map(|(n, payload)| Self { event_id: self.part_id(n), payload, ..self.clone() }).collect()
    }

    /// Refuses parts that no log takes: too many, or one that is too large.
    pub(crate) fn check_parts(&self, rest: &[Bytes], max_payload: usize) -> Result<(), AppendError> {
        self.check()?;
        let count = rest.len() + 1;
        if count > MAX_PARTS {
            return Err(AppendError::invalid(format!("{count} parts are more than {MAX_PARTS}")));
        }
        let max = max_payload.saturating_sub(HEADER_ROOM);
        match std::iter::once(&self.payload).chain(rest).map(Bytes::len).find(|bytes| *bytes > max) {
            Some(bytes) => Err(AppendError::invalid(format!("a part of {bytes} bytes is larger than {max}"))),
            None => Ok(()),
        }
    }

    /// Refuses what no log takes, before it can spoil what is sent together with it.
    pub(crate) fn check(&self) -> Result<(), AppendError> {
        if !is_literal(&self.subject) {
            return Err(AppendError::invalid(format!("{:?} is not a literal subject", self.subject)));
        }
        let headers = [Some(&self.event_type), Some(&self.time), self.traceparent.as_ref()];
        match headers.into_iter().flatten().find(|header| header.contains(char::is_control)) {
            Some(header) => Err(AppendError::invalid(format!("{header:?} cannot be a header"))),
            None => Ok(()),
        }
    }
}

/// A record of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the stream.
    pub seq: Seq,
    /// Its subject.
    pub subject: String,
    /// Time at which the stream took it, by the server's clock: milliseconds since the Unix epoch, truncated. On one server it
    /// rises with the sequence unless that clock is set back.
    pub stored_at: i64,
    /// The id its writer gave it; none when a foreign writer gave none.
    pub event_id: Option<Uuid>,
    /// The trace that it belongs to, when its writer named one.
    pub traceparent: Option<TraceParent>,
    /// The record that this one repeats, which an operator had tried again.
    pub retries: Option<Seq>,
    /// The payload.
    pub payload: Bytes,
    reading: Reading,
}

impl Record {
    /// A record as it lies in the log; each of them is read anew.
    #[must_use]
    pub fn new(seq: Seq, subject: String, stored_at: i64, event_id: Option<Uuid>, payload: Bytes) -> Self {
        let (traceparent, retries, reading) = (None, None, Reading::default());
        Self { seq, subject, stored_at, event_id, traceparent, retries, payload, reading }
    }

    /// The same as part of a trace.
    #[must_use]
    pub fn traced(self, traceparent: Option<TraceParent>) -> Self {
        Self { traceparent, ..self }
    }

    /// The same as a repetition of the record at this sequence.
    #[must_use]
    pub fn retrying(self, retries: Option<Seq>) -> Self {
        Self { retries, ..self }
    }

    /// Its place and what it is: proves that a stream still holds it.
    #[must_use]
    pub fn reference(&self) -> RecordRef {
        let foreign = || RecordId::foreign(self.stored_at, &self.subject, &self.payload);
        RecordRef { seq: self.seq, id: self.event_id.map_or_else(foreign, RecordId::Event) }
    }

    /// Reading of the payload by `read`. The followers of a [`SharedLog`](crate::SharedLog) get clones of one record,
    /// and clones read once: the others get what the first one made, if they ask for the same type. It is kept as long
    /// as one of them is, and must depend on the payload alone.
    #[must_use]
    pub fn reading<T: Send + Sync + 'static>(&self, read: impl FnOnce(&[u8]) -> T) -> Arc<T> {
        self.reading.get(|| read(&self.payload))
    }
}
