//! The port: what every log can do.

use async_trait::async_trait;
use bytes::Bytes;
use fillstream_domain::{Incarnation, RecordRef, Seq};
use tokio::sync::watch;

use crate::{AppendError, LogError, NewRecord, Record};

/// Members of a cluster that may answer a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// Any replica: fast, and possibly behind on a replicated stream.
    Any,
    /// The leader: what was acknowledged before is there.
    Leader,
}

/// Worth of an acknowledgement.
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
    pub incarnation: Incarnation,
    /// First sequence still there; 0 or 1 when nothing was ever removed.
    pub first_seq: Seq,
    /// Last sequence, [`Seq::ZERO`] when nothing was ever stored. On a replicated stream it is what the member that
    /// answered believes: [`EventLog::last_matching`] asks the leader's store.
    pub last_seq: Seq,
    /// Direct reads may be answered by a replica that is behind.
    pub replicated: bool,
    /// Worth of an acknowledgement.
    pub durability: Durability,
}

/// Beginning of a tail: behind this, exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Behind this sequence, whatever record it is; behind [`Seq::ZERO`] with the first record that is there. Only
    /// that the stream has come so far is proved.
    Seq(Seq),
    /// Behind this very record, which the stream must still hold.
    Record(RecordRef),
}

impl After {
    /// Before the first record.
    pub const START: Self = Self::Seq(Seq::ZERO);

    /// The sequence behind which it begins.
    #[must_use]
    pub const fn seq(self) -> Seq {
        match self {
            Self::Seq(seq) => seq,
            Self::Record(record) => record.seq,
        }
    }
}

impl From<Seq> for After {
    fn from(seq: Seq) -> Self {
        Self::Seq(seq)
    }
}

impl From<RecordRef> for After {
    fn from(record: RecordRef) -> Self {
        Self::Record(record)
    }
}

/// Subjects that one question for [the last of each](EventLog::last_of_each) can match: the server's bound.
pub(crate) const MAX_SUBJECTS: usize = 1_024;

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
    async fn append(&self, record: NewRecord) -> Result<Seq, AppendError>;

    /// Appends one decision in parts: `first`, then a record for each of `rest` behind it, all on its subject, without a
    /// gap in the stream, all or nothing. The fence is the first one's; type, time and trace are shared; the id of
    /// another part follows from the first one's and its number ([`NewRecord::part_id`]). It goes straight to the stream
    /// and waits for no other append. Returns the sequence of the last part. The decision rests on what was heard up to
    /// the record `upon`: once the stream has lost that, nothing is sent again, and the answer is that the fence did not
    /// hold.
    ///
    /// # Errors
    /// See [`AppendError`]; a lost acknowledgement is resolved as by [`append`](Self::append). Refused are more parts than
    /// [`MAX_PARTS`](crate::MAX_PARTS), and a payload above [`max_payload`](Self::max_payload) less
    /// [`HEADER_ROOM`](crate::HEADER_ROOM). Parts of ours that a power failure has torn are `Fenced`: the subject goes on
    /// with them, and the decision is not in it.
    async fn append_parts(
        &self,
        first: NewRecord,
        rest: Vec<Bytes>,
        upon: Option<RecordRef>,
    ) -> Result<Seq, AppendError>;

    /// Bytes that the server takes in one message, headers included.
    fn max_payload(&self) -> usize;

    /// The records of one literal subject from sequence `from` on, a bounded page of them.
    ///
    /// # Errors
    /// When the log cannot be asked.
    async fn read(&self, subject: &str, from: Seq, consistency: Consistency) -> Result<Page, LogError>;

    /// The first record of one literal subject: what decided it, whatever a foreign writer has put behind it.
    ///
    /// # Errors
    /// When the log cannot be asked.
    async fn first(&self, subject: &str, consistency: Consistency) -> Result<Option<Record>, LogError> {
        Ok(self.read(subject, Seq::FIRST, consistency).await?.records.into_iter().next())
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

    /// The record at a sequence, by the leader's word; none when there is none, or it was removed.
    ///
    /// # Errors
    /// When the leader cannot be asked.
    async fn record(&self, seq: Seq) -> Result<Option<Record>, LogError>;

    /// The last record under a pattern, by the leader's word. Under `>` it is the stream's last one.
    ///
    /// # Errors
    /// When the leader cannot be asked.
    async fn last_matching(&self, pattern: &str) -> Result<Option<Record>, LogError>;

    /// The first record under a pattern from sequence `from` on, by the leader's word.
    ///
    /// # Errors
    /// When the leader cannot be asked.
    async fn next_matching(&self, from: Seq, pattern: &str) -> Result<Option<Record>, LogError>;

    /// Follows the stream behind a place in it, all of it or one pattern. The place is proved against the leader.
    ///
    /// # Errors
    /// When the stream cannot be reached at the start; [`LogError::LostEnd`], [`LogError::BeyondEnd`] or
    /// [`LogError::Trimmed`] when the place does not hold.
    async fn follow(&self, after: After, pattern: Option<&str>) -> Result<Box<dyn Follow>, LogError>;

    /// The stream as it stands, asked from the leader.
    ///
    /// # Errors
    /// When the log cannot be asked.
    async fn info(&self) -> Result<StreamInfo, LogError>;

    /// The incarnation that this log was opened with.
    fn incarnation(&self) -> Incarnation;

    /// State of the connection to the stream, and every change of it.
    fn link(&self) -> watch::Receiver<Link>;
}

/// A gapless tail of the stream. Outages are waited out inside; afterwards it goes on behind the last record given, once
/// the leader has shown that the stream still holds it.
#[async_trait]
pub trait Follow: Send {
    /// Waits for at least one record, then takes what has arrived, `max` at most, in order. Safe to give up while it
    /// waits: no record is lost.
    ///
    /// # Errors
    /// Only what waiting does not mend: [`LogError::Recreated`], [`LogError::LostEnd`], [`LogError::BeyondEnd`],
    /// [`LogError::Trimmed`]. See [`LogError::is_final`].
    async fn next(&mut self, max: usize) -> Result<Vec<Record>, LogError>;

    /// The last record given; none before the first one, unless the tail began behind a known record.
    fn reached(&self) -> Option<RecordRef>;

    /// True when nothing of the tail's pattern lies behind what it has given, by the leader's word: what decisions rest
    /// on. A replica's count ([`behind`](Self::behind)) may be 0 though more is stored.
    ///
    /// # Errors
    /// When the leader cannot be asked.
    async fn caught_up(&mut self) -> Result<bool, LogError>;

    /// Records of the tail's pattern that the replica which serves it held behind the last one given, as of its delivery;
    /// before the first one, as of the tail's beginning. What was stored since is not counted, nor what that replica
    /// lacks: a figure to show, not to decide by.
    fn behind(&self) -> u64;

    /// Number of times that the tail was set up again (its consumer was lost, had a gap or lay on a replica that lags).
    fn recreated(&self) -> u64;
}
