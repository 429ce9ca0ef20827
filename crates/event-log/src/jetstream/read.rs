//! Reading the stream: batched direct get for history, the leader for what must be fresh.
//!
//! A batched direct get is answered by many messages and an end marker (`204`), or `404` when there is nothing
//! (ADR-31). The marker says how many more there are.

use async_nats::{HeaderMap, Message, StatusCode};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{answer::ServerError, requests::Requests};
use crate::{Consistency, LogError, Page, Record};

/// Records of one page: the batched direct get has no flow control, so this and [`PAGE_BYTES`] are it.
const PAGE: usize = 1000;
/// Bytes of one page.
const PAGE_BYTES: usize = 1 << 20;
/// Subjects that one `multi_last` request can name or match, by the server.
const MAX_SUBJECTS: usize = 1024;
/// JetStream's error for "no such message".
const NO_MESSAGE: u64 = 10037;

/// A page of one literal subject from sequence `from` on.
pub(super) async fn subject(
    requests: &Requests,
    stream: &str,
    subject: &str,
    from: u64,
    consistency: Consistency,
) -> Result<Page, LogError> {
    match consistency {
        Consistency::Any => {
            let wanted = json!({
                "seq": from.max(1), "batch": PAGE, "max_bytes": PAGE_BYTES, "next_by_subj": subject
            });
            direct(requests, stream, &wanted).await
        }
        Consistency::Leader => {
            let mut records: Vec<Record> = Vec::new();
            let mut bytes = 0;
            let mut from = from;
            while let Some(record) = next(requests, stream, subject, from, Consistency::Leader).await? {
                from = record.seq + 1;
                bytes += record.payload.len();
                records.push(record);
                if records.len() == PAGE || bytes >= PAGE_BYTES {
                    return Ok(Page { records, more: true });
                }
            }
            Ok(Page { records, more: false })
        }
    }
}

/// The first record of one literal subject at or behind `from`.
pub(super) async fn next(
    requests: &Requests,
    stream: &str,
    subject: &str,
    from: u64,
    consistency: Consistency,
) -> Result<Option<Record>, LogError> {
    let wanted = json!({ "seq": from.max(1), "next_by_subj": subject });
    one(requests, stream, &wanted, consistency).await
}

/// The last record of one literal subject.
pub(super) async fn last(
    requests: &Requests,
    stream: &str,
    subject: &str,
    consistency: Consistency,
) -> Result<Option<Record>, LogError> {
    one(requests, stream, &json!({ "last_by_subj": subject }), consistency).await
}

/// The last record of each subject under the patterns.
pub(super) async fn last_of_each(
    requests: &Requests,
    stream: &str,
    patterns: &[&str],
) -> Result<Vec<Record>, LogError> {
    let wanted = json!({ "multi_last": patterns, "batch": MAX_SUBJECTS });
    Ok(direct(requests, stream, &wanted).await?.records)
}

async fn one(
    requests: &Requests,
    stream: &str,
    wanted: &serde_json::Value,
    consistency: Consistency,
) -> Result<Option<Record>, LogError> {
    match consistency {
        Consistency::Any => Ok(direct(requests, stream, wanted).await?.records.pop()),
        Consistency::Leader => leader(requests, stream, wanted).await,
    }
}

/// One direct get, answered by one message (without `batch`) or by several and an end marker.
async fn direct(requests: &Requests, stream: &str, wanted: &serde_json::Value) -> Result<Page, LogError> {
    let batched = wanted.get("batch").is_some();
    let subject = format!("$JS.API.DIRECT.GET.{stream}");
    let mut answers = requests.send(subject, None, wanted.to_string().into()).await?;
    let mut page = Page::default();
    loop {
        let message = answers.next().await?;
        match message.status {
            None | Some(StatusCode::OK) => page.records.push(record(message)?),
            Some(status) if status.as_u16() == 204 => {
                page.more = number(message.headers.as_ref(), "Nats-Num-Pending").is_some_and(|more| more > 0);
                return Ok(page);
            }
            Some(status) if status.as_u16() == 404 => return Ok(page),
            Some(StatusCode::NO_RESPONDERS) => {
                return Err(LogError::Unreachable("nobody answers for the stream".to_owned()));
            }
            Some(status) => {
                let reason = message.description.unwrap_or_default();
                return Err(LogError::Server(format!("{status} {reason}")));
            }
        }
        if !batched {
            return Ok(page);
        }
    }
}

#[derive(Deserialize)]
struct LeaderAnswer {
    message: Option<StoredMessage>,
    error: Option<ServerError>,
}

#[derive(Deserialize)]
struct StoredMessage {
    subject: String,
    seq: u64,
    #[serde(default)]
    hdrs: String,
    #[serde(default)]
    data: String,
}

/// One message through `STREAM.MSG.GET`, which only the leader answers.
async fn leader(
    requests: &Requests,
    stream: &str,
    wanted: &serde_json::Value,
) -> Result<Option<Record>, LogError> {
    let subject = format!("$JS.API.STREAM.MSG.GET.{stream}");
    let message = requests.ask(subject, wanted.to_string().into()).await?;
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        return Err(LogError::Unreachable("nobody answers for the stream".to_owned()));
    }
    let answer: LeaderAnswer =
        serde_json::from_slice(&message.payload).map_err(|error| LogError::Server(error.to_string()))?;
    match (answer.message, answer.error) {
        (Some(stored), _) => stored.into_record().map(Some),
        (None, Some(error)) if error.err_code == NO_MESSAGE => Ok(None),
        (None, Some(error)) => Err(LogError::Server(error.description)),
        (None, None) => Err(LogError::Server("an answer without a message".to_owned())),
    }
}

impl StoredMessage {
    fn into_record(self) -> Result<Record, LogError> {
        let decode = |text: &str| {
            BASE64_STANDARD.decode(text).map_err(|error| LogError::Server(format!("not base64: {error}")))
        };
        let headers = decode(&self.hdrs)?;
        Ok(Record {
            seq: self.seq,
            subject: self.subject,
            event_id: event_id_of_raw(&headers),
            payload: Bytes::from(decode(&self.data)?),
        })
    }
}

/// The `ce-id` of a raw header block (`NATS/1.0\r\nname: value\r\n…`).
fn event_id_of_raw(headers: &[u8]) -> Option<Uuid> {
    let text = std::str::from_utf8(headers).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix("ce-id:"))?;
    Uuid::try_parse(value.trim()).ok()
}

/// The `ce-id` of parsed headers.
pub(super) fn event_id(headers: Option<&HeaderMap>) -> Option<Uuid> {
    Uuid::try_parse(headers?.get("ce-id")?.as_str()).ok()
}

fn number(headers: Option<&HeaderMap>, name: &str) -> Option<u64> {
    headers?.get(name)?.as_str().parse().ok()
}

fn record(message: Message) -> Result<Record, LogError> {
    let headers = message.headers.as_ref();
    let place =
        headers.and_then(|headers| headers.get("Nats-Subject")).map(|subject| subject.as_str().to_owned());
    match (place, number(headers, "Nats-Sequence")) {
        (Some(subject), Some(seq)) => {
            Ok(Record { seq, subject, event_id: event_id(headers), payload: message.payload })
        }
        (Some(_) | None, Some(_) | None) => Err(LogError::Server("a message without its place".to_owned())),
    }
}
