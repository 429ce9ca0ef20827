//! Pages across subjects: one batched direct get each.

use async_nats::{HeaderMap, StatusCode};
use fillstream_domain::Seq;
use serde_json::json;

use super::{
    read::{PAGE_BYTES, next, number, place},
    requests::Requests,
};
use crate::{Consistency, LogError, Message, Messages, ServerError, error::Missing};

/// Headers of an answer that tell of the answer, not of the message.
const OF_THE_ANSWER: [&str; 7] = [
    "Nats-Stream",
    "Nats-Subject",
    "Nats-Sequence",
    "Nats-Time-Stamp",
    "Nats-Num-Pending",
    "Nats-Last-Sequence",
    "Nats-UpTo-Sequence",
];

/// A page under a pattern from sequence `from` on.
pub(super) async fn browse(
    requests: &Requests,
    stream: &str,
    pattern: &str,
    from: Seq,
    max: usize,
) -> Result<Messages, LogError> {
    let wanted = json!({ "seq": from.max(Seq::FIRST), "batch": max.max(1), "max_bytes": PAGE_BYTES, "next_by_subj": pattern });
    let page = page(requests, stream, &wanted).await?;
    if page.messages.is_empty() && next(requests, stream, pattern, from, Consistency::Leader).await?.is_some()
    {
        return Err(Missing::Replica.into());
    }
    Ok(page)
}

async fn page(requests: &Requests, stream: &str, wanted: &serde_json::Value) -> Result<Messages, LogError> {
    let subject = format!("$JS.API.DIRECT.GET.{stream}");
    let mut answers = requests.send(subject, None, wanted.to_string().into()).await?;
    let mut page = Messages::default();
    loop {
        let answer = answers.next().await?;
        let last = page.messages.last().map_or(Seq::ZERO, |message| message.seq);
        let follows = number(answer.headers.as_ref(), "Nats-Last-Sequence") == Some(last.get());
        match answer.status.map(|status| status.as_u16()) {
            None | Some(200 | 204) if !follows => {
                return Err(Missing::Part.into());
            }
            None | Some(200) => page.messages.push(message(answer)?),
            Some(204) => {
                page.left = number(answer.headers.as_ref(), "Nats-Num-Pending").unwrap_or(0);
                return Ok(page);
            }
            Some(404) => return Ok(page),
            Some(status) if status == StatusCode::NO_RESPONDERS.as_u16() => {
                return Err(Missing::NoResponder.into());
            }
            Some(status) => {
                let reason = answer.description.unwrap_or_default();
                return Err(LogError::Server(ServerError::new(status.into(), reason)));
            }
        }
    }
}

fn message(answer: async_nats::Message) -> Result<Message, LogError> {
    let (subject, seq, stored_at) = place(answer.headers.as_ref())?;
    let headers = answer.headers.as_ref().map(own_headers).unwrap_or_default();
    Ok(Message { seq, subject, stored_at, headers, payload: answer.payload })
}

/// Headers that the message was stored with, by name.
fn own_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let own = headers.iter().filter(|(name, _)| {
        let name: &str = name.as_ref();
        !OF_THE_ANSWER.iter().any(|of_the_answer| of_the_answer.eq_ignore_ascii_case(name))
    });
    let joined = own.map(|(name, values)| {
        let values: Vec<_> = values.iter().map(async_nats::HeaderValue::as_str).collect();
        (name.to_string(), values.join(", "))
    });
    let mut joined: Vec<_> = joined.collect();
    joined.sort_unstable();
    joined
}
