//! Reading the stream: batched direct get for history, the leader for what must be fresh.
//!
//! A batched direct get is answered by many messages and an end marker (`204`), or `404` when there is nothing
//! (ADR-31). The marker says how many more there are; each part names the one before it, so that a lost one is missed.

use async_nats::{HeaderMap, Message, StatusCode};
use fillstream_domain::{Seq, TraceParent};
use serde_json::json;
use uuid::Uuid;

use super::{leader::leader, message::RETRIES, requests::Requests};
use crate::{
    Consistency, LogError, Page, Record, ServerError, error::Missing, log::MAX_SUBJECTS, stamp::parse_millis,
};

/// Records of one page: the batched direct get has no flow control, so this and [`PAGE_BYTES`] are it.
const PAGE: usize = 1000;
/// Bytes of one page.
pub(super) const PAGE_BYTES: usize = 1 << 20;

/// A page of one literal subject from sequence `from` on.
pub(super) async fn subject(
    requests: &Requests,
    stream: &str,
    subject: &str,
    from: Seq,
    consistency: Consistency,
) -> Result<Page, LogError> {
    match consistency {
        Consistency::Any => {
            let wanted = json!({
                "seq": from.max(Seq::FIRST), "batch": PAGE, "max_bytes": PAGE_BYTES, "next_by_subj": subject
            });
            direct(requests, stream, &wanted).await
        }
        Consistency::Leader => {
            let mut records: Vec<Record> = Vec::new();
            let mut bytes = 0;
            let mut from = from;
            while let Some(record) = next(requests, stream, subject, from, Consistency::Leader).await? {
                from = record.seq.next();
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

/// The first record of a subject, or under a pattern, at or behind `from`.
pub(super) async fn next(
    requests: &Requests,
    stream: &str,
    subject: &str,
    from: Seq,
    consistency: Consistency,
) -> Result<Option<Record>, LogError> {
    let wanted = json!({ "seq": from.max(Seq::FIRST), "next_by_subj": subject });
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
    let page = direct(requests, stream, &wanted).await?;
    // No second page: its subjects could have moved into the first one meanwhile.
    if page.more {
        let reason =
            format!("{patterns:?} have more subjects than {MAX_SUBJECTS}, which one request can list");
        return Err(LogError::Invalid(reason));
    }
    Ok(page.records)
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
            None | Some(StatusCode::OK) => {
                if batched {
                    follows(&page, &message)?;
                }
                page.records.push(record(message)?);
            }
            Some(status) if status.as_u16() == 204 => {
                follows(&page, &message)?;
                page.more = number(message.headers.as_ref(), "Nats-Num-Pending").is_some_and(|more| more > 0);
                return Ok(page);
            }
            Some(status) if status.as_u16() == 404 => return Ok(page),
            Some(StatusCode::NO_RESPONDERS) => {
                return Err(Missing::NoResponder.into());
            }
            Some(status) => {
                let reason = message.description.unwrap_or_default();
                return Err(LogError::Server(ServerError::new(status.as_u16().into(), reason)));
            }
        }
        if !batched {
            return Ok(page);
        }
    }
}

/// A connection that breaks and comes back in between can take parts of an answer with it.
fn follows(page: &Page, message: &Message) -> Result<(), LogError> {
    let last = page.records.last().map_or(Seq::ZERO, |record| record.seq);
    if number(message.headers.as_ref(), "Nats-Last-Sequence") == Some(last.get()) {
        return Ok(());
    }
    Err(Missing::Part.into())
}

/// The record with the id, the trace and the repetition that parsed headers name.
pub(super) fn with_headers(mut record: Record, headers: Option<&HeaderMap>) -> Record {
    record.event_id = event_id(headers);
    let retries = number(headers, RETRIES).map(Seq::new);
    record.traced(traceparent(headers)).retrying(retries)
}

/// The `ce-id` of parsed headers.
fn event_id(headers: Option<&HeaderMap>) -> Option<Uuid> {
    Uuid::try_parse(headers?.get("ce-id")?.as_str()).ok()
}

pub(super) fn number(headers: Option<&HeaderMap>, name: &str) -> Option<u64> {
    headers?.get(name)?.as_str().parse().ok()
}

/// The trace of parsed headers.
fn traceparent(headers: Option<&HeaderMap>) -> Option<TraceParent> {
    headers?.get("traceparent")?.as_str().parse().ok()
}

/// Place and time of a stored message: subject, sequence, milliseconds since the Unix epoch.
pub(super) fn place(headers: Option<&HeaderMap>) -> Result<(String, Seq, i64), LogError> {
    let text = |name: &str| headers?.get(name).map(async_nats::HeaderValue::as_str);
    let stored_at = text("Nats-Time-Stamp").and_then(parse_millis);
    let (Some(subject), Some(seq), Some(stored_at)) =
        (text("Nats-Subject"), number(headers, "Nats-Sequence"), stored_at)
    else {
        return Err(LogError::unreadable("a message without its place and time"));
    };
    Ok((subject.to_owned(), Seq::new(seq), stored_at))
}

fn record(message: Message) -> Result<Record, LogError> {
    let headers = message.headers.as_ref();
    let (subject, seq, stored_at) = place(headers)?;
    let record = Record::new(seq, subject, stored_at, None, message.payload);
    Ok(with_headers(record, message.headers.as_ref()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// A part of an answer that names the one before it.
    fn part(last: Option<u64>) -> Message {
        let mut headers = HeaderMap::new();
        if let Some(last) = last {
            headers.insert("Nats-Last-Sequence", last.to_string());
        }
        Message {
            subject: "_INBOX.1.1".into(),
            reply: None,
            payload: Bytes::new(),
            headers: Some(headers),
            status: None,
            description: None,
            length: 0,
        }
    }

    #[test]
    fn a_lost_part_is_missed() {
        let check = |so_far: &[u64], last: Option<u64>, follows_it: bool| {
            let record =
                |seq: &u64| Record::new(Seq::new(*seq), "orders.1".to_owned(), 0, None, Bytes::new());
            let page = Page { records: so_far.iter().map(record).collect(), more: false };
            assert_eq!(follows(&page, &part(last)).is_ok(), follows_it, "{last:?} after {so_far:?}");
        };
        check(&[], Some(0), true);
        check(&[2, 5], Some(5), true);
        check(&[], Some(2), false);
        check(&[2, 5], Some(9), false);
        check(&[2, 5], Some(0), false);
        check(&[2, 5], None, false);
    }
}
