//! A stream as one file, by the server's own snapshot: taken while the stream is written to, and restored with the same
//! sequences, times and consumers.
//!
//! ```text
//!  STREAM.SNAPSHOT ──▶ chunk ─ ack ─ chunk ─ ack ─ … ─ nothing ──▶ file
//!  file ──▶ STREAM.RESTORE ──▶ chunk ─ ack ─ … ─ nothing ──▶ the stream is there
//! ```
//! What is in the file is the server's business; nothing here reads it.

use std::time::Duration;

use async_nats::{Request, StatusCode};
use bytes::Bytes;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use super::{
    LogOptions,
    connect::{ConnectError, connect},
    requests::Requests,
};

/// Bytes of a chunk: far below the smallest usual `max_payload` of 1 MiB.
const CHUNK_BYTES: usize = 128 * 1024;
/// Longest wait for the next chunk or its acknowledgement.
const CHUNK_PATIENCE: Duration = Duration::from_secs(30);
/// Longest wait for the first and the last answer: a snapshot begins with a flush, and a restored stream is read once
/// before it is there.
const STREAM_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Reasons why a stream was not saved or restored.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Nobody listens, the connection broke, or the answer is late.
    #[error("the server does not answer {subject}")]
    Silent {
        /// Subject that was asked.
        subject: String,
        /// Cause: the client's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server said no.
    #[error("the server refuses {subject}: {description} ({code})")]
    Refused {
        /// Subject that was asked.
        subject: String,
        /// The server's words.
        description: String,
        /// JetStream's own number, such as 10059 for a stream that is not there.
        code: u64,
    },
    /// The snapshot ended before its end.
    #[error("the snapshot broke off: {0}")]
    BrokenOff(String),
    /// The answer lacks what it must have.
    #[error("an answer of the server cannot be read")]
    Unreadable(#[from] serde_json::Error),
    /// The file cannot be read or written.
    #[error("the file cannot be read or written")]
    File(#[from] std::io::Error),
}

impl ArchiveError {
    /// There is no such stream.
    #[must_use]
    pub const fn is_not_found(&self) -> bool {
        match self {
            Self::Refused { code, .. } => *code == async_nats::jetstream::ErrorCode::STREAM_NOT_FOUND.0,
            Self::Silent { .. } | Self::BrokenOff(_) | Self::Unreadable(_) | Self::File(_) => false,
        }
    }
}

/// A stream's settings and its state, as the server writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamShape {
    /// `STREAM.INFO`'s `config`.
    pub config: Value,
    /// `STREAM.INFO`'s `state`.
    pub state: Value,
}

/// See the module's first line.
pub struct StreamArchive {
    requests: Requests,
}

impl StreamArchive {
    /// Connects. Neither makes nor opens a stream.
    ///
    /// # Errors
    /// When there is no server, or it lets nobody like this in.
    pub async fn connect(options: &LogOptions) -> Result<Self, ConnectError> {
        Ok(Self { requests: connect(options, |_| ()).await? })
    }

    /// Settings and state of a stream; nothing when there is no such stream.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn shape(&self, stream: &str) -> Result<Option<StreamShape>, ArchiveError> {
        match self.ask(format!("$JS.API.STREAM.INFO.{stream}"), Bytes::new()).await {
            Ok(answer) => Ok(Some(shape(answer))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a snapshot of the stream with its consumers; `written` is told of each chunk's bytes. The state is what
    /// the stream held at the beginning; the snapshot may hold some records that came meanwhile.
    ///
    /// # Errors
    /// See [`ArchiveError`]; what was written so far is worth nothing then.
    pub async fn save(
        &self,
        stream: &str,
        file: &mut (impl AsyncWrite + Unpin),
        mut written: impl FnMut(&[u8]),
    ) -> Result<StreamShape, ArchiveError> {
        let client = self.requests.client();
        let (deliver, subject) = (client.new_inbox(), format!("$JS.API.STREAM.SNAPSHOT.{stream}"));
        let silent = |source: Box<dyn std::error::Error + Send + Sync>| ArchiveError::Silent {
            subject: subject.clone(),
            source,
        };
        let mut chunks = client.subscribe(deliver.clone()).await.map_err(|error| silent(Box::new(error)))?;
        let wanted = json!({
            "deliver_subject": deliver, "no_consumers": false, "chunk_size": CHUNK_BYTES, "jsck": false,
        });
        let shape = shape(self.ask(subject.clone(), wanted.to_string().into()).await?);
        loop {
            let chunk =
                timeout(CHUNK_PATIENCE, chunks.next()).await.map_err(|late| silent(Box::new(late)))?;
            let chunk =
                chunk.ok_or_else(|| ArchiveError::BrokenOff("the connection is closed".to_owned()))?;
            if chunk.payload.is_empty() {
                match chunk.status {
                    // Before 2.12 the end is an empty message and nothing else.
                    None => break,
                    Some(status) if status.as_u16() == 204 => break,
                    Some(status) => {
                        let words = chunk.description.unwrap_or_default();
                        return Err(ArchiveError::BrokenOff(format!("{status} {words}")));
                    }
                }
            }
            file.write_all(&chunk.payload).await?;
            written(&chunk.payload);
            if let Some(reply) = chunk.reply {
                client.publish(reply, Bytes::new()).await.map_err(|error| silent(Box::new(error)))?;
            }
        }
        file.flush().await?;
        Ok(shape)
    }

    /// Makes the stream out of a snapshot, with these settings. The server refuses when it is there already.
    ///
    /// # Errors
    /// See [`ArchiveError`]; the server throws away what it was sent so far.
    pub async fn restore(
        &self,
        stream: &str,
        shape: &StreamShape,
        file: &mut (impl AsyncRead + Unpin),
        mut sent: impl FnMut(usize),
    ) -> Result<(), ArchiveError> {
        let wanted = json!({ "config": shape.config, "state": shape.state });
        let answer = self.ask(format!("$JS.API.STREAM.RESTORE.{stream}"), wanted.to_string().into()).await?;
        let deliver = answer["deliver_subject"].as_str().unwrap_or_default().to_owned();
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let mut filled = 0;
            while filled < CHUNK_BYTES {
                match file.read(&mut buffer[filled..]).await? {
                    0 => break,
                    bytes => filled += bytes,
                }
            }
            if filled == 0 {
                break;
            }
            self.send(&deliver, Bytes::copy_from_slice(&buffer[..filled]), CHUNK_PATIENCE).await?;
            sent(filled);
        }
        // An empty chunk ends it; the answer comes when the stream is there.
        self.send(&deliver, Bytes::new(), STREAM_PATIENCE).await.map(drop)
    }

    async fn ask(&self, subject: String, payload: Bytes) -> Result<Value, ArchiveError> {
        self.send(&subject, payload, STREAM_PATIENCE).await
    }

    /// One request; null when the answer is empty.
    async fn send(&self, subject: &str, payload: Bytes, patience: Duration) -> Result<Value, ArchiveError> {
        let request = Request::new().payload(payload).timeout(Some(patience));
        let asked = self.requests.client().send_request(subject.to_owned(), request).await;
        let message = asked
            .map_err(|error| ArchiveError::Silent { subject: subject.to_owned(), source: Box::new(error) })?;
        if message.payload.is_empty() && message.status.is_none_or(|status| status == StatusCode::OK) {
            return Ok(Value::Null);
        }
        let answer: Value = serde_json::from_slice(&message.payload)?;
        match answer.get("error") {
            None => Ok(answer),
            Some(error) => Err(ArchiveError::Refused {
                subject: subject.to_owned(),
                description: error["description"].as_str().unwrap_or_default().to_owned(),
                code: error["err_code"].as_u64().unwrap_or_default(),
            }),
        }
    }
}

fn shape(mut answer: Value) -> StreamShape {
    StreamShape { config: answer["config"].take(), state: answer["state"].take() }
}
