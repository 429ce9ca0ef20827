//! Messages of a channel: a socket, or a subject of the stream.

use std::borrow::Cow;

use serde_json::Value;

use super::Shape;

/// A message of a channel.
#[derive(Debug, Clone)]
pub struct Message {
    /// Unique among all.
    pub(super) id: String,
    pub(super) about: String,
    pub(super) shape: Shape,
    /// Fields that have one value only.
    pub(super) fixed: Vec<(&'static str, Value)>,
    /// Fields that are there besides those that always are.
    pub(super) there: &'static [&'static str],
    pub(super) headers: Option<Value>,
}

impl Message {
    /// A message of this shape.
    #[must_use]
    pub fn new(id: impl Into<String>, about: impl Into<String>, shape: Shape) -> Self {
        Self { id: id.into(), about: about.into(), shape, fixed: Vec::new(), there: &[], headers: None }
    }

    /// One of several messages that share a shape: the one of this `type`, on which the fields `there` are never absent.
    #[must_use]
    pub fn of_type(self, kind: &'static str, there: &'static [&'static str]) -> Self {
        Self { there, ..self.fixed("type", kind) }
    }

    /// A field that is always there with this value.
    #[must_use]
    pub fn fixed(mut self, field: &'static str, value: impl Into<Value>) -> Self {
        self.fixed.push((field, value.into()));
        self
    }

    /// Adds its headers.
    #[must_use]
    pub fn headers(mut self, schema: Value) -> Self {
        self.headers = Some(schema);
        self
    }
}

/// Ways to reach a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// A WebSocket of the HTTP server.
    Socket,
    /// A subject of the broker.
    Subject,
}

/// A channel, described.
#[derive(Debug, Clone)]
pub struct Channel {
    pub(super) id: Cow<'static, str>,
    pub(super) reach: Reach,
    pub(super) address: &'static str,
    pub(super) summary: &'static str,
    pub(super) about: &'static str,
    pub(super) parameters: Vec<(&'static str, &'static str)>,
    pub(super) query: Vec<(&'static str, &'static str, Value)>,
    pub(super) closes: Vec<(u16, &'static str)>,
    pub(super) told: Vec<Message>,
    pub(super) heard: Vec<Message>,
    /// Answer to each message that is heard, on the requester's own subject.
    pub(super) replies: Vec<Message>,
}

impl Channel {
    /// A channel at an address, with a line that says what it is for.
    #[must_use]
    pub fn new(
        id: impl Into<Cow<'static, str>>,
        reach: Reach,
        address: &'static str,
        summary: &'static str,
    ) -> Self {
        Self {
            id: id.into(),
            reach,
            address,
            summary,
            about: "",
            parameters: Vec::new(),
            query: Vec::new(),
            closes: Vec::new(),
            told: Vec::new(),
            heard: Vec::new(),
            replies: Vec::new(),
        }
    }

    /// More about it than its line, in Markdown.
    #[must_use]
    pub const fn about(mut self, text: &'static str) -> Self {
        self.about = text;
        self
    }

    /// A part of the address.
    #[must_use]
    pub fn parameter(mut self, name: &'static str, about: &'static str) -> Self {
        self.parameters.push((name, about));
        self
    }

    /// A parameter of the query.
    #[must_use]
    pub fn query(mut self, name: &'static str, about: &'static str, schema: Value) -> Self {
        self.query.push((name, about, schema));
        self
    }

    /// Codes with which the server closes.
    #[must_use]
    pub fn closes(mut self, codes: &[(u16, &'static str)]) -> Self {
        self.closes.extend(codes);
        self
    }

    /// Adds a message that the server sends.
    #[must_use]
    pub fn tells(mut self, messages: impl IntoIterator<Item = Message>) -> Self {
        self.told.extend(messages);
        self
    }

    /// Adds a message that the server listens to.
    #[must_use]
    pub fn hears(mut self, messages: impl IntoIterator<Item = Message>) -> Self {
        self.heard.extend(messages);
        self
    }

    /// Adds the answer to a message that was heard.
    #[must_use]
    pub fn replies(mut self, messages: impl IntoIterator<Item = Message>) -> Self {
        self.replies.extend(messages);
        self
    }
}
