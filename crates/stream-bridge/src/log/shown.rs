//! A message of the stream as a client is shown it.

use std::fmt::Write;

use base64::{Engine, prelude::BASE64_STANDARD};
use fillstream_domain::{Seq, Timestamp};
use fillstream_event_log::Message;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// See the module's first line.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    seq: Seq,
    subject: &'a str,
    stored_at: Timestamp,
    payload: Payload<'a>,
    /// Said of a payload that is neither JSON nor text.
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
    #[serde(serialize_with = "by_name")]
    headers: &'a [(String, String)],
}

#[derive(Serialize)]
#[serde(untagged)]
enum Payload<'a> {
    /// As it was written, to the digit.
    Json(&'a RawValue),
    /// The same on one line.
    OneLine(Box<RawValue>),
    Text(&'a str),
    Base64(String),
}

fn by_name<S: Serializer>(headers: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(headers.iter().map(|(name, value)| (name, value)))
}

impl<'a> From<&'a Message> for Shown<'a> {
    fn from(message: &'a Message) -> Self {
        let payload = payload(&message.payload);
        Self {
            seq: message.seq,
            subject: &message.subject,
            stored_at: Timestamp::from_unix_ms(message.stored_at),
            encoding: matches!(payload, Payload::Base64(_)).then_some("base64"),
            payload,
            headers: &message.headers,
        }
    }
}

fn payload(bytes: &[u8]) -> Payload<'_> {
    let Ok(text) = str::from_utf8(bytes) else { return Payload::Base64(BASE64_STANDARD.encode(bytes)) };
    match serde_json::from_str::<&RawValue>(text) {
        Ok(json) if !json.get().contains(['\n', '\r']) => Payload::Json(json),
        // Only between tokens can it be broken into lines: within strings JSON escapes them.
        Ok(json) => match RawValue::from_string(json.get().replace(['\n', '\r'], " ")) {
            Ok(json) => Payload::OneLine(json),
            Err(_) => Payload::Text(text),
        },
        Err(_) => Payload::Text(text),
    }
}

/// Appends a message as a server-sent event.
pub(super) fn push_event(chunk: &mut String, message: &Message) {
    let data = serde_json::to_string(&Shown::from(message))
        .expect("string keys and plain values always become JSON");
    let written = write!(chunk, "event: message_stored\nid: {}\ndata: {data}\n\n", message.seq);
    written.expect("a string takes all that is written to it");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_event_whatever_is_in_it() {
        let check = |payload: &[u8], expected: &str| {
            let message = Message {
                seq: Seq::new(12),
                subject: "orders.swap.1.placed".to_owned(),
                stored_at: 1_768_030_215_123,
                headers: vec![("ce-id".to_owned(), "x\"y".to_owned())],
                payload: payload.to_vec().into(),
            };
            let mut event = String::new();
            push_event(&mut event, &message);
            let data = format!(
                r#"{{"seq":12,"subject":"orders.swap.1.placed","stored_at":"2026-01-10T07:30:15.123Z",{expected},"headers":{{"ce-id":"x\"y"}}}}"#
            );
            assert_eq!(event, format!("event: message_stored\nid: 12\ndata: {data}\n\n"));
        };
        check(br#"{"amount":1.10}"#, r#""payload":{"amount":1.10}"#);
        check(b"{\r\n \"a\": [1,\n2]}\n", "\"payload\":{   \"a\": [1, 2]}");
        check(b"no JSON\n", r#""payload":"no JSON\n""#);
        check(b"", r#""payload":"""#);
        check(&[0xff, 0], r#""payload":"/wA=","encoding":"base64""#);
    }
}
