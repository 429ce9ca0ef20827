//! One message from the leader, through `STREAM.MSG.GET`: what was acknowledged before is there.

use async_nats::{StatusCode, jetstream::ErrorCode};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use fillstream_domain::Seq;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{message::RETRIES, requests::Requests};
use crate::{LogError, Record, ServerError, error::Missing, stamp::parse_millis};

#[derive(Deserialize)]
struct LeaderAnswer {
    message: Option<StoredMessage>,
    error: Option<ServerError>,
}

#[derive(Deserialize)]
struct StoredMessage {
    subject: String,
    seq: Seq,
    time: String,
    #[serde(default)]
    hdrs: String,
    #[serde(default)]
    data: String,
}

/// The record at a sequence.
pub(super) async fn record(requests: &Requests, stream: &str, seq: Seq) -> Result<Option<Record>, LogError> {
    if seq.is_zero() {
        return Ok(None);
    }
    leader(requests, stream, &json!({ "seq": seq })).await
}

/// The message that the request names, if there is one.
pub(super) async fn leader(
    requests: &Requests,
    stream: &str,
    wanted: &serde_json::Value,
) -> Result<Option<Record>, LogError> {
    let subject = format!("$JS.API.STREAM.MSG.GET.{stream}");
    let message = requests.ask(subject, wanted.to_string().into()).await?;
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        return Err(Missing::NoResponder.into());
    }
    let answer: LeaderAnswer = serde_json::from_slice(&message.payload).map_err(LogError::unreadable)?;
    match (answer.message, answer.error) {
        (Some(stored), _) => stored.into_record().map(Some),
        (None, Some(error)) if error.is(ErrorCode::NO_MESSAGE_FOUND) => Ok(None),
        (None, Some(error)) => Err(error.into()),
        (None, None) => Err(LogError::unreadable("an answer without a message")),
    }
}

impl StoredMessage {
    fn into_record(self) -> Result<Record, LogError> {
        let decode = |text: &str| BASE64_STANDARD.decode(text).map_err(LogError::unreadable);
        let headers = decode(&self.hdrs)?;
        let no_time = || LogError::unreadable(format!("{:?} is not a time", self.time));
        let stored_at = parse_millis(&self.time).ok_or_else(no_time)?;
        let header = |name| header_of_raw(&headers, name);
        let event_id = header("ce-id").and_then(|id| Uuid::try_parse(id).ok());
        let traceparent = header("traceparent").and_then(|trace| trace.parse().ok());
        let payload = Bytes::from(decode(&self.data)?);
        let retries = header(RETRIES).and_then(|seq| seq.parse().ok());
        let record = Record::new(self.seq, self.subject, stored_at, event_id, payload);
        Ok(record.traced(traceparent).retrying(retries))
    }
}

/// A header's value in a raw header block (`NATS/1.0\r\nname: value\r\n…`).
fn header_of_raw<'a>(headers: &'a [u8], name: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(headers).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(value.trim())
}
