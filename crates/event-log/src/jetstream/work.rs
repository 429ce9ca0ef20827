//! A working queue: each record is handed to one worker, again after a while when nobody has acknowledged it.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::{self, AckKind, consumer::pull};
use fillstream_domain::Seq;
use fillstream_retry::chain;
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::{debug, warn};

use super::{Shared, read::event_id};
use crate::{LogError, Record, ServerError, stamp::millis};

/// Records that one pull asks for.
const PULL_BATCH: usize = 500;
/// A server that says nothing for twice this long has lost the consumer.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// Pause before the queue is opened again.
const PAUSE: Duration = Duration::from_millis(100);

/// Records to be worked on, shared with all processes that have the same consumer.
pub struct WorkQueue {
    shared: Arc<Shared>,
    definition: Value,
    messages: Option<pull::Stream>,
}

/// One record and the duty to acknowledge it.
pub struct Work {
    /// The record.
    pub record: Record,
    /// How often it was handed out, this time included.
    pub delivered: u64,
    /// W3C `traceparent` of the record, to be passed on.
    pub traceparent: Option<String>,
    message: jetstream::Message,
}

pub(super) async fn open(shared: Arc<Shared>, definition: &Value) -> Result<WorkQueue, LogError> {
    let mut queue = WorkQueue { shared, definition: definition.clone(), messages: None };
    queue.messages = Some(queue.subscribe().await?);
    Ok(queue)
}

impl WorkQueue {
    /// The next record. Outages are waited out.
    pub async fn next(&mut self) -> Work {
        loop {
            let Some(messages) = &mut self.messages else {
                match self.subscribe().await {
                    Ok(messages) => self.messages = Some(messages),
                    Err(error) => {
                        debug!(error = %chain(&error), "the work queue waits for the stream");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
                continue;
            };
            match messages.next().await {
                Some(Ok(message)) => {
                    if let Some(work) = Work::new(message) {
                        return work;
                    }
                }
                Some(Err(error)) => {
                    warn!(%error, "the work queue is opened again");
                    self.messages = None;
                }
                None => self.messages = None,
            }
        }
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
        let context = jetstream::new(self.shared.requests.client().clone());
        let consumer: jetstream::consumer::PullConsumer =
            context.get_consumer_from_stream(name, stream).await.map_err(LogError::unreachable)?;
        consumer
            .stream()
            .max_messages_per_batch(PULL_BATCH)
            .heartbeat(HEARTBEAT)
            .expires(HEARTBEAT * 10)
            .messages()
            .await
            .map_err(LogError::unreachable)
    }
}

impl Work {
    fn new(message: jetstream::Message) -> Option<Self> {
        let info = message.info().ok()?;
        let (seq, delivered) = (Seq::new(info.stream_sequence), u64::try_from(info.delivered).unwrap_or(1));
        let record = Record::new(
            seq,
            message.message.subject.to_string(),
            millis(info.published),
            event_id(message.message.headers.as_ref()),
            message.message.payload.clone(),
        );
        let headers = message.message.headers.as_ref();
        let traceparent = headers.and_then(|headers| headers.get("traceparent")).map(ToString::to_string);
        Some(Self { record, delivered, traceparent, message })
    }

    /// Done: it will not be handed out again. An acknowledgement that gets lost hands it out once more.
    pub async fn done(&self) {
        self.acknowledge(AckKind::Ack).await;
    }

    /// Still at work: the time until it is handed out again starts anew.
    pub async fn in_progress(&self) {
        self.acknowledge(AckKind::Progress).await;
    }

    /// Not now: it is handed out again after `delay`.
    pub async fn later(&self, delay: Duration) {
        self.acknowledge(AckKind::Nak(Some(delay))).await;
    }

    async fn acknowledge(&self, kind: AckKind) {
        if let Err(error) = self.message.ack_with(kind).await {
            debug!(%error, seq = %self.record.seq, "an acknowledgement was not sent");
        }
    }
}
