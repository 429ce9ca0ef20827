//! The texts of the market's sockets: the contract's messages as JSON.

use std::fmt::{self, Write as _};

use fillstream_domain::{Position, Seq, Timestamp, book::Symbol};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    market::{
        channel::{MarketChannel, MarketStream},
        ring::Told,
    },
    token::Tokens,
};

/// A message of a channel.
pub(crate) fn live(channel: &MarketChannel, tokens: &Tokens, told: &Told, previous: Position) -> String {
    let Told { at, last, body, .. } = told;
    let last = if *last { r#","last":true"# } else { "" };
    let token = channel.token_in(tokens, *at);
    // Both this and the public trades may come over one socket.
    let stream = if channel.stream() == MarketStream::Fills { r#","stream":"fills""# } else { "" };
    let place = format_args!(
        r#"{stream}{last},"prev_seq":{},"prev_index":{},"token":"{token}"}}"#,
        previous.seq, previous.index
    );
    extended(body.text(), *at, place)
}

/// How a book stands: the chain starts anew at its position.
pub(crate) fn snapshot(channel: &MarketChannel, tokens: &Tokens, at: Position, body: String) -> String {
    let token = channel.token_in(tokens, at);
    extended(body, at, format_args!(r#","snapshot":true,"token":"{token}"}}"#))
}

/// An object that is not empty, with its position and more behind its own fields. By hand: bodies come as text from the
/// store, and flattening costs several times as much.
fn extended(mut text: String, at: Position, more: fmt::Arguments<'_>) -> String {
    text.pop();
    write!(text, r#","seq":{},"index":{}{more}"#, at.seq, at.index)
        .expect("a string takes all that is written");
    text
}

/// A place on a channel, as it is told.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Place")]
pub(crate) struct PlaceText {
    stream: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<Symbol>,
    #[serde(flatten)]
    at: Option<AtText>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "At")]
struct AtText {
    seq: Seq,
    index: u32,
    token: String,
}

impl PlaceText {
    pub(crate) fn new(channel: &MarketChannel, tokens: &Tokens, at: Position) -> Self {
        let token = channel.token_in(tokens, at);
        Self { at: Some(AtText { seq: at.seq, index: at.index, token }), ..Self::without_position(channel) }
    }

    /// A channel on which nobody stands.
    pub(crate) fn without_position(channel: &MarketChannel) -> Self {
        Self { stream: channel.stream().name(), symbol: channel.symbol().cloned(), at: None }
    }
}

/// A message about the connection or a subscription itself.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MarketControl")]
pub(crate) struct Control<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    #[serde(flatten)]
    pub(crate) place: Option<PlaceText>,
    /// Where each subscription stands, when a message is about all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tokens: Option<Vec<PlaceText>>,
    pub(crate) message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'static str>,
    /// With which the missed messages are paged over HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cursor: Option<String>,
    pub(crate) timestamp: Timestamp,
}

/// An answer to what a client should not have sent.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SocketError")]
pub(crate) struct ErrorText<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) code: &'static str,
    /// The field of the client's message that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<&'static str>,
    pub(crate) message: &'a str,
    pub(crate) timestamp: Timestamp,
}

pub(crate) fn to_text<T: Serialize>(message: &T) -> String {
    serde_json::to_string(message).expect("string keys and plain values always become JSON")
}
