//! The texts that go over a socket: the contract's messages as JSON.

use fillstream_domain::{OrderId, Position, Seq, Timestamp, swap::Status};
use fillstream_projections::channel::{Details, Entry, Kind};
use schemars::JsonSchema;
use serde::Serialize;

use crate::token::{Channel, Family};

/// A step of an order.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "{T}Step")]
pub(crate) struct Live<'a, T> {
    #[serde(rename = "type")]
    kind: T,
    order_id: OrderId,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<u8>,
    message: &'a str,
    timestamp: Timestamp,
    #[serde(flatten)]
    details: &'a Details,
    #[serde(skip_serializing_if = "is_false")]
    replayed: bool,
    seq: Seq,
    index: u32,
    #[serde(skip_serializing_if = "is_false")]
    last: bool,
    #[serde(rename = "prev_seq")]
    previous_seq: Seq,
    #[serde(rename = "prev_index")]
    previous_index: u32,
    token: &'a str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// A family A message.
pub(crate) fn progress(
    order: OrderId,
    entry: &Entry,
    previous: Position,
    token: &str,
    replayed: bool,
) -> String {
    to_text(&Live {
        kind: entry.kind,
        order_id: order,
        status: entry.status,
        progress: Some(entry.progress),
        message: &entry.message,
        timestamp: entry.at,
        details: &entry.details,
        replayed,
        seq: entry.seq,
        index: entry.index,
        last: entry.last,
        previous_seq: previous.seq,
        previous_index: previous.index,
        token,
    })
}

/// A family B message.
pub(crate) fn status(order: OrderId, entry: &Entry, at: Position, previous: Position, token: &str) -> String {
    to_text(&Live {
        kind: "status_update",
        order_id: order,
        status: entry.status,
        progress: None,
        message: &entry.message,
        timestamp: entry.at,
        details: &entry.details,
        replayed: false,
        seq: at.seq,
        index: at.index,
        // The last entry of an event changes the status whenever one of its entries does.
        last: entry.last,
        previous_seq: previous.seq,
        previous_index: previous.index,
        token,
    })
}

/// What a backfill tells.
pub(crate) struct Backfill<'a> {
    pub(crate) channel: Channel,
    pub(crate) status: Option<Status>,
    pub(crate) last: Option<&'a Entry>,
    pub(crate) entries: Vec<(Position, &'a Entry)>,
    pub(crate) position: Position,
    pub(crate) token: String,
    /// Entries before this sequence were wanted and are not in it: they are paged over HTTP.
    pub(crate) begins_late: Option<Seq>,
}

/// What has happened so far.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Backfill")]
pub(crate) struct BackfillText<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    order_id: OrderId,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<Timestamp>,
    logs: Vec<LogText<'a>>,
    #[serde(skip_serializing_if = "is_false")]
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    seq: Seq,
    index: u32,
    token: &'a str,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BackfillEntry")]
struct LogText<'a> {
    timestamp: Timestamp,
    status: Status,
    message: &'a str,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<u8>,
    #[serde(flatten)]
    details: &'a Details,
    seq: Seq,
    index: u32,
}

/// The history in one message.
pub(crate) fn backfill(told: &Backfill<'_>) -> String {
    let on_progress = matches!(told.channel.family, Family::Progress);
    let logs = told.entries.iter().map(|(at, entry)| LogText {
        timestamp: entry.at,
        status: entry.status,
        message: &entry.message,
        kind: on_progress.then_some(entry.kind),
        progress: on_progress.then_some(entry.progress),
        details: &entry.details,
        seq: at.seq,
        index: at.index,
    });
    to_text(&BackfillText {
        kind: "backfill",
        order_id: told.channel.order,
        status: told.status,
        progress: told.last.map(|entry| entry.progress).filter(|_| on_progress),
        message: told.last.map(|entry| entry.message.as_str()).filter(|_| on_progress),
        timestamp: told.last.map(|entry| entry.at).filter(|_| on_progress),
        logs: logs.collect(),
        truncated: told.begins_late.is_some(),
        cursor: told.begins_late.map(|seq| seq.to_string()),
        seq: told.position.seq,
        index: told.position.index,
        token: &told.token,
    })
}

/// A message about the connection itself; family A's fields are always there.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "OrderControl")]
pub(crate) struct Control<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) order_id: OrderId,
    pub(crate) progress: u8,
    pub(crate) message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'static str>,
    pub(crate) timestamp: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seq: Option<Seq>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
}

impl Control<'_> {
    pub(crate) fn text(&self) -> String {
        to_text(self)
    }
}

/// A message's type, read from its text: it comes first in all of them.
pub(crate) fn kind(text: &str) -> &str {
    let kind = text.strip_prefix(r#"{"type":""#).and_then(|rest| rest.split('"').next());
    kind.expect("every message of an order's channels begins with its type")
}

fn to_text<T: Serialize>(message: &T) -> String {
    serde_json::to_string(message).expect("string keys and plain values always become JSON")
}
