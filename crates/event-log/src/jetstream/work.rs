//! The working queue as a durable consumer.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::{self, AckKind, consumer::pull};
use async_trait::async_trait;
use fillstream_domain::Seq;
use fillstream_retry::{Obstacles, Retry, chain};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;
use tracing::debug;

use super::{Shared, read::with_headers};
use crate::{Acknowledgement, LogError, Receipt, Record, ServerError, Work, WorkQueue, stamp::millis};

/// Records that one pull asks for.
const PULL_BATCH: usize = 500;
/// Bytes that one pull asks for: what waits to be taken shares the connection with appends.
const PULL_BYTES: usize = 1 << 20;
/// Longest wait for the consumer: one whose leader has just died is not found.
const PATIENCE: Duration = Duration::from_secs(2);
/// A server that says nothing for twice this long has lost the consumer.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// First and longest pause before the queue is opened again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A working queue that is a durable consumer, shared with all processes that have the same one. The consumer is made when
/// it is first asked, and whenever it is gone.
pub struct JetStreamQueue {
    shared: Arc<Shared>,
    definition: Value,
    messages: Option<pull::Stream>,
    retry: Retry,
}

impl JetStreamQueue {
    pub(super) fn new(shared: Arc<Shared>, definition: &Value) -> Self {
        let retry = Retry::new("work queue: consumer not opened", PAUSES.0, PAUSES.1);
        Self { shared, definition: definition.clone(), messages: None, retry }
    }

    /// Shows its trouble among these obstacles, too.
    #[must_use]
    pub fn shown_in(self, obstacles: &Obstacles) -> Self {
        Self { retry: self.retry.shown_in(obstacles), ..self }
    }

    async fn subscribe(&self) -> Result<pull::Stream, LogError> {
        let name = self.definition.get("durable_name").and_then(Value::as_str).unwrap_or_default();
        let filter = self.definition.get("filter_subject").and_then(Value::as_str).unwrap_or_default();
        let stream = self.shared.stream.as_str();
        // The file's JSON as it stands; the server answers an equal definition with the consumer that exists.
        let subject = format!("$JS.API.CONSUMER.CREATE.{stream}.{name}.{filter}");
        let request = json!({ "stream_name": stream, "config": self.definition });
        let answer = self.shared.requests.ask(subject, request.to_string().into()).await?;
        let answer: Value = serde_json::from_slice(&answer.payload).map_err(LogError::unreadable)?;
        if let Some(error) = answer.get("error") {
            let error = ServerError::deserialize(error).map_err(LogError::unreadable)?;
            return Err(error.into());
        }
        let mut context = jetstream::new(self.shared.requests.client().clone());
        context.set_timeout(PATIENCE);
        let consumer: jetstream::consumer::PullConsumer =
            context.get_consumer_from_stream(name, stream).await.map_err(LogError::unreachable)?;
        consumer
            .stream()
            .max_messages_per_batch(PULL_BATCH)
            .max_bytes_per_batch(PULL_BYTES)
            .heartbeat(HEARTBEAT)
            .expires(HEARTBEAT * 10)
            .messages()
            .await
            .map_err(LogError::unreachable)
    }
}

#[async_trait]
impl WorkQueue for JetStreamQueue {
    async fn next(&mut self) -> Work {
        loop {
            let Some(messages) = &mut self.messages else {
                match self.subscribe().await {
                    Ok(messages) => self.messages = Some(messages),
                    Err(error) => self.retry.failed(&error).await,
                }
                continue;
            };
            let next = if self.retry.failing_since().is_some() {
                // A server that has been silent for so long would have been an error: heartbeats come, nothing else does.
                let Ok(next) = timeout(HEARTBEAT * 3, messages.next()).await else {
                    self.retry.done();
                    continue;
                };
                next
            } else {
                messages.next().await
            };
            match next {
                Some(Ok(message)) => {
                    self.retry.done();
                    if let Some(work) = work(message) {
                        return work;
                    }
                }
                Some(Err(error)) => {
                    self.messages = None;
                    self.retry.failed(&error).await;
                }
                None => self.messages = None,
            }
        }
    }
}

fn work(message: jetstream::Message) -> Option<Work> {
    let info = message.info().ok()?;
    let (seq, delivered) = (Seq::new(info.stream_sequence), u64::try_from(info.delivered).unwrap_or(1));
    let stored_at = millis(info.published);
    let (subject, payload) = (message.message.subject.to_string(), message.message.payload.clone());
    let record = Record::new(seq, subject, stored_at, None, payload);
    let record = with_headers(record, message.message.headers.as_ref());
    Some(Work::new(record, delivered, Box::new(MessageReceipt { seq, message })))
}

struct MessageReceipt {
    seq: Seq,
    message: jetstream::Message,
}

#[async_trait]
impl Receipt for MessageReceipt {
    async fn send(&self, acknowledgement: Acknowledgement) {
        let kind = match acknowledgement {
            Acknowledgement::Done => AckKind::Ack,
            Acknowledgement::InProgress => AckKind::Progress,
            Acknowledgement::Later(delay) => AckKind::Nak(Some(delay)),
        };
        if let Err(error) = self.message.ack_with(kind).await {
            debug!(error = %chain(&*error), seq = %self.seq, "an ack was not sent");
        }
    }
}
