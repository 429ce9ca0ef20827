//! The log over JetStream.
//!
//! ```text
//!  append ──▶ writer (group commit) ──▶ plain publishes | one atomic batch ─┐
//!  parts  ──▶ one plain publish | one atomic batch ─────────────────────────┤
//!  read, browse ──▶ batched direct get | leader get ────────────────────────┤── requests ──▶ nats-server
//!  follow ──▶ ephemeral consumer, no acknowledgements, gaps seen ───────────┤
//!  work   ──▶ durable consumer, acknowledged ───────────────────────────────┘
//! ```
//! Snapshots lie in an object store of their own.

mod answer;
mod archive;
mod batch;
mod browse;
mod connect;
mod credentials;
mod fence;
mod follow;
mod inspect;
mod leader;
mod limits;
mod message;
mod parts;
mod prove;
mod reach;
mod read;
mod requests;
mod snapshots;
mod work;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use fillstream_domain::{Incarnation, RecordRef, Seq};
use tokio::sync::{OnceCell, watch};
use uuid::Uuid;

pub use archive::{ArchiveError, StreamArchive, StreamShape};
pub(crate) use connect::OWN_INBOX;
pub use connect::{Access, ConnectError, Definitions, INCARNATION, LogOptions};
pub use credentials::{host_and_port, without_passwords};
pub use inspect::{Greeting, Inspector, Probe, Right};
pub use limits::Limits;
pub use snapshots::JetStreamSnapshots;
pub use work::JetStreamQueue;

use crate::{
    After, Answers, AppendError, AppendObserver, Browse, Consistency, Durability, EventLog, Follow, Link,
    LogError, Messages, NewRecord, Page, Record, Service, ServiceDefinition, StreamInfo,
};

/// The log of one JetStream stream. Clones share connection and writer.
#[derive(Clone)]
pub struct JetStreamLog(Arc<Shared>);

/// State that all parts of the log share.
struct Shared {
    requests: requests::Requests,
    /// Options of the tails' connection, which is made with the first of them.
    options: LogOptions,
    tails: OnceCell<requests::Requests>,
    stream: String,
    incarnation: Incarnation,
    durability: Durability,
    writer: writer::Writer,
}

impl Shared {
    /// The connection of the tails: what waits there to be taken holds up nothing else.
    async fn tails(&self) -> Result<&requests::Requests, LogError> {
        let connect = || async {
            let name = format!("{} tails", self.options.name);
            let options = LogOptions { name, ..self.options.clone() };
            connect::connect(&options, |_| ()).await.map_err(LogError::unreachable)
        };
        self.tails.get_or_try_init(connect).await
    }

    /// A name for a consumer, by which an operator sees whose it is.
    fn consumer_name(&self) -> String {
        let legal = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
        let name: String = self.options.name.chars().map(legal).collect();
        format!("{name}-{}", Uuid::now_v7().simple())
    }
}

impl JetStreamLog {
    /// A working queue on the stream, defined by a consumer's wire JSON (`nats/consumers/*.json`).
    #[must_use]
    pub fn work(&self, consumer: &serde_json::Value) -> JetStreamQueue {
        JetStreamQueue::new(Arc::clone(&self.0), consumer)
    }

    /// Answers requests over the log's connection.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn serve(
        &self,
        definition: ServiceDefinition,
        answers: Arc<dyn Answers>,
    ) -> Result<Service, LogError> {
        Service::start(self.0.requests.client().clone(), definition, answers).await
    }

    /// From now on `observer` hears how each append ends; only the first one that is named does.
    pub fn observe(&self, observer: Arc<dyn AppendObserver>) {
        self.0.writer.observe(observer);
    }

    /// Room within the limits of the stream and of its account, the tighter one; nothing when neither is limited.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn limits(&self) -> Result<Option<Limits>, LogError> {
        limits::limits(&self.0.requests, &self.0.stream).await
    }

    /// The snapshots beside the log: an object store, opened or made when it is first needed.
    #[must_use]
    pub fn snapshots(&self) -> JetStreamSnapshots {
        JetStreamSnapshots::beside(self.0.requests.clone(), &self.0.stream)
    }
}

#[async_trait]
impl EventLog for JetStreamLog {
    async fn append(&self, record: NewRecord) -> Result<Seq, AppendError> {
        record.check()?;
        self.0.writer.append(record).await
    }

    async fn append_parts(
        &self,
        first: NewRecord,
        rest: Vec<Bytes>,
        upon: Option<RecordRef>,
    ) -> Result<Seq, AppendError> {
        first.check_parts(&rest, self.max_payload())?;
        let parts = first.parts(rest);
        self.0.writer.hears(&first, parts::append(&self.0.requests, &self.0.stream, parts, upon)).await
    }

    fn max_payload(&self) -> usize {
        self.0.requests.client().max_payload()
    }

    async fn read(&self, subject: &str, from: Seq, consistency: Consistency) -> Result<Page, LogError> {
        read::subject(&self.0.requests, &self.0.stream, subject, from, consistency).await
    }

    async fn first(&self, subject: &str, consistency: Consistency) -> Result<Option<Record>, LogError> {
        read::next(&self.0.requests, &self.0.stream, subject, Seq::FIRST, consistency).await
    }

    async fn last(&self, subject: &str, consistency: Consistency) -> Result<Option<Record>, LogError> {
        read::last(&self.0.requests, &self.0.stream, subject, consistency).await
    }

    async fn last_of_each(&self, pattern: &str) -> Result<Vec<Record>, LogError> {
        read::last_of_each(&self.0.requests, &self.0.stream, &[pattern]).await
    }

    async fn record(&self, seq: Seq) -> Result<Option<Record>, LogError> {
        leader::record(&self.0.requests, &self.0.stream, seq).await
    }

    async fn last_matching(&self, pattern: &str) -> Result<Option<Record>, LogError> {
        read::last(&self.0.requests, &self.0.stream, pattern, Consistency::Leader).await
    }

    async fn next_matching(&self, from: Seq, pattern: &str) -> Result<Option<Record>, LogError> {
        read::next(&self.0.requests, &self.0.stream, pattern, from, Consistency::Leader).await
    }

    async fn follow(&self, after: After, pattern: Option<&str>) -> Result<Box<dyn Follow>, LogError> {
        Ok(Box::new(follow::Tail::open(Arc::clone(&self.0), after, pattern).await?))
    }

    async fn info(&self) -> Result<StreamInfo, LogError> {
        let found = connect::stream_info(&self.0.requests, &self.0.stream).await?;
        let mut last_seq = found.last_seq;
        if found.replicas > 1 {
            // A member that has just thawed answers for the leader, with what it knew before.
            let last = self.last_matching(">").await?;
            last_seq = last_seq.max(last.map_or(Seq::ZERO, |last| last.seq));
        }
        Ok(StreamInfo {
            incarnation: found.incarnation,
            first_seq: found.first_seq,
            last_seq,
            replicated: found.replicas > 1,
            durability: self.0.durability,
        })
    }

    fn incarnation(&self) -> Incarnation {
        self.0.incarnation
    }

    fn link(&self) -> watch::Receiver<Link> {
        self.0.requests.link()
    }
}

#[async_trait]
impl Browse for JetStreamLog {
    async fn browse(&self, pattern: &str, from: Seq, max: usize) -> Result<Messages, LogError> {
        browse::browse(&self.0.requests, &self.0.stream, pattern, from, max).await
    }
}
