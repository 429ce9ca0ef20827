//! The port: what every log can do.

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use crate::{NewRecord, Record};

/// Why a record was not appended, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The fence did not hold; nothing was stored.
    #[error("the fence did not hold: the subject goes on, or ends, at sequence {last}")]
    Fenced {
        /// The record that won: the subject's first one behind the fence. When the fence lies beyond the subject's
        /// end: its last record, 0 when it has none.
        last: u64,
    },
    /// The log will never take this record; nothing was stored.
    #[error("the log refuses the record: {0}")]
    Refused(String),
    /// The log could not be asked within the writer's patience, 10 seconds. The record may be stored or not, also
    /// later; whoever retries must use the same fence.
    #[error("the stream cannot be reached; whether the record is stored is not known yet")]
    Unknown,
    /// The log was shut down before the record was sent; nothing was stored.
    #[error("the log is closed")]
    Closed,
}

/// Why the log could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// No answer, or the connection broke.
    #[error("the stream cannot be reached: {0}")]
    Unreachable(String),
    /// The server answered with an error.
    #[error("the server answered: {0}")]
    Server(String),
    /// The stream is another one than when the log was opened.
    #[error("the stream was recreated: sequences start anew")]
    Recreated,
}

/// Who may answer a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// Any replica: fast, and possibly behind on a replicated stream.
    Any,
    /// The leader: what was acknowledged before is there.
    Leader,
}

/// What an acknowledgement is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Synced to disk before it is acknowledged.
    Fsync,
    /// Written to the operating system: survives the process, not a power failure.
    OsBuffer,
    /// Gone with the server.
    Memory,
}

impl Durability {
    /// The name, as `/health` shows it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fsync => "fsync",
            Self::OsBuffer => "os-buffer",
            Self::Memory => "memory",
        }
    }
}

/// Consecutive records of one subject.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// In order of sequence.
    pub records: Vec<Record>,
    /// There are more behind the last one.
    pub more: bool,
}

/// The stream as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamInfo {
    /// Differs whenever the stream was created anew, so that old sequences are recognized as foreign.
    pub incarnation: u64,
    /// First sequence still there; 0 or 1 when nothing was ever removed.
    pub first_seq: u64,
    /// Last sequence, 0 when empty.
    pub last_seq: u64,
    /// Direct reads may be answered by a replica that is behind.
    pub replicated: bool,
    /// What an acknowledgement is worth.
    pub durability: Durability,
}

/// Whether the stream can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Connected.
    Up,
    /// Not connected; reconnecting goes on by itself.
    Down,
}

/// An ordered, durable sequence of records.
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// Appends one record; returns its sequence once the stream has acknowledged it.
    ///
    /// # Errors
    /// See [`AppendError`]. A lost acknowledgement is resolved here, by reading, before anything is said.
    async fn append(&self, record: NewRecord) -> Result<u64, AppendError>;

    /// Appends one decision in parts: `first`, then a record for each of `rest` behind it, all on its subject, without a
    /// gap in the stream, all or nothing. The fence is the first one's; type, time and trace are shared; the id of
    /// another part follows from the first one's and its number ([`NewRecord::part_id`]). It goes straight to the stream
    /// and waits for no other append. Returns the sequence of the last part.
    ///
    /// # Errors
    /// See [`AppendError`]; a lost acknowledgement is resolved as by [`append`](Self::append). Refused are more parts than
    /// [`MAX_PARTS`](crate::MAX_PARTS), and a payload above [`max_payload`](Self::max_payload) less
    /// [`HEADER_ROOM`](crate::HEADER_ROOM). Parts of ours that a power failure has torn are `Fenced`: the subject goes on
    /// with them, and the decision is not in it.
    async fn append_parts(&self, first: NewRecord, rest: Vec<Bytes>) -> Result<u64, AppendError>;

    /// Bytes that the server takes in one message, headers included.
    fn max_payload(&self) -> usize;

    /// The records of one literal subject from sequence `from` on, a bounded page of them.
    ///
    /// # Errors
    /// When the log cannot be asked.
    async fn read(&self, subject: &str, from: u64, consistency: Consistency) -> Result<Page, LogError>;

    /// The first record of one literal subject: what decided it, whatever a foreign writer has put behind it.
    ///
    /// # Errors
    /// When the log cannot be asked.
    async fn first(&self, subject: &str, consistency: Consistency) -> Result<Option<Record>, LogError> {
        Ok(self.read(subject, 1, consistency).await?.records.into_iter().next())
    }

    /// The last record of one literal subject.
    ///
    /// # Errors
    /// When the log cannot be asked.
    async fn last(&self, subject: &str, consistency: Consistency) -> Result<Option<Record>, LogError>;

    /// The last record of each subject under a pattern with wildcards, in order of sequence. For small sets.
    ///
    /// # Errors
    /// When the log cannot be asked, or the pattern has too many subjects.
    async fn last_of_each(&self, pattern: &str) -> Result<Vec<Record>, LogError>;

    /// Follows the stream from sequence `from` on, all of it or one pattern.
    ///
    /// # Errors
    /// When the stream cannot be reached at the start.
    async fn follow(&self, from: u64, pattern: Option<&str>) -> Result<Box<dyn Follow>, LogError>;

    /// The stream as it stands, asked from the leader.
    ///
    /// # Errors
    /// When the log cannot be asked.
    async fn info(&self) -> Result<StreamInfo, LogError>;

    /// The incarnation that this log was opened with.
    fn incarnation(&self) -> u64;

    /// Whether the stream can be reached, and every change of it.
    fn link(&self) -> watch::Receiver<Link>;
}

/// A gapless tail of the stream. Outages are waited out inside; afterwards it goes on behind the last record given.
#[async_trait]
pub trait Follow: Send {
    /// Waits for at least one record, then takes what has arrived, `max` at most, in order. Safe to give up while it
    /// waits: no record is lost.
    ///
    /// # Errors
    /// [`LogError::Recreated`] when the stream is another one; nothing else ends a tail.
    async fn next(&mut self, max: usize) -> Result<Vec<Record>, LogError>;

    /// Records of the tail's pattern that the stream held behind the last one given, as of its delivery; before the first
    /// one, as of the tail's beginning. What was stored since is not counted. Too high, by what was skipped, on a tail
    /// that began beyond the stream's end.
    fn behind(&self) -> u64;

    /// How often the tail had to be set up again (its consumer was lost or had a gap).
    fn recreated(&self) -> u64;
}
