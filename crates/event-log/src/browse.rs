//! Looking into the stream: messages of many subjects, as they are stored.

use async_trait::async_trait;
use bytes::Bytes;
use fillstream_domain::Seq;

use crate::LogError;

/// A message as the stream holds it, whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its place in the stream.
    pub seq: Seq,
    /// Its subject.
    pub subject: String,
    /// Time at which the stream took it, by the server's clock: milliseconds since the Unix epoch, truncated.
    pub stored_at: i64,
    /// Its headers by name; the values of one that is repeated are joined by commas.
    pub headers: Vec<(String, String)>,
    /// Its payload, which need not be JSON.
    pub payload: Bytes,
}

/// Messages that match a pattern, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Messages {
    /// Those that were asked for, as far as a page holds them.
    pub messages: Vec<Message>,
    /// Number of matches behind the last one.
    pub left: u64,
}

/// The stream as somebody looks into it: by pages, without a consumer. [`EventLog`](crate::EventLog) is for those who
/// follow it.
#[async_trait]
pub trait Browse: Send + Sync + 'static {
    /// The messages under a pattern from sequence `from` on: `max` of them (at least 1) or a megabyte, whichever is less.
    /// None means that there is none, by the word of the stream's leader; where there are some, a replica that is behind
    /// may know of fewer than there are.
    ///
    /// # Errors
    /// When the log cannot be asked.
    async fn browse(&self, pattern: &str, from: Seq, max: usize) -> Result<Messages, LogError>;
}
