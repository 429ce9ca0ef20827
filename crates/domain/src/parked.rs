//! Messages that a consumer could not handle, as operators see them.
//!
//! An entry's subject `parked.<part>.<sequence>` holds one [`Parked`] and, once somebody has dealt with it, one
//! [`Closed`].

use serde::{Deserialize, Serialize};

use crate::{OrderId, Seq, Timestamp};

/// Why an operator is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// The message cannot be read or applied: retry or skip it.
    Unreadable,
    /// A swap's outcome cannot be decided: resolve it.
    Review,
}

/// A message was put aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Parked {
    /// Who put it aside: `executor`, `projector`, …
    pub part: String,
    /// The message's sequence in the stream.
    pub seq: Seq,
    /// The message's subject.
    pub subject: String,
    /// What an operator can do about it.
    pub cause: Cause,
    /// The order, when the subject names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "OrderId"))]
    pub order_id: Option<OrderId>,
    /// What was wrong.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// How an entry was dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Closing {
    /// The message was appended anew; the old one is never applied.
    Retried,
    /// It is left out for good.
    Skipped,
    /// The order's outcome was decided.
    Resolved,
}

/// An operator has dealt with an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Closed {
    /// Of which part's entry.
    pub part: String,
    /// The message's sequence in the stream.
    pub seq: Seq,
    /// What was done.
    pub closing: Closing,
    /// The sequence at which the message was appended anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub retried_as: Option<Seq>,
    /// When.
    pub at: Timestamp,
}

/// An event of a parked entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(tag = "type")]
#[expect(missing_docs, reason = "each variant is documented at its payload")]
pub enum ParkedEvent {
    #[serde(rename = "parked.entry")]
    Parked(Versioned<Parked>),
    #[serde(rename = "parked.closed")]
    Closed(Versioned<Closed>),
}

/// A payload with its version, 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Versioned<T> {
    #[serde(deserialize_with = "one")]
    version: u32,
    /// The payload.
    #[serde(flatten)]
    pub body: T,
}

/// The only version that is read here; another one is refused instead of being half understood.
fn one<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        1 => Ok(1),
        other => Err(serde::de::Error::custom(format!("unknown version {other}"))),
    }
}

impl<T> Versioned<T> {
    const fn new(body: T) -> Self {
        Self { version: 1, body }
    }
}

impl ParkedEvent {
    /// An entry.
    #[must_use]
    pub const fn parked(body: Parked) -> Self {
        Self::Parked(Versioned::new(body))
    }

    /// An entry's end.
    #[must_use]
    pub const fn closed(body: Closed) -> Self {
        Self::Closed(Versioned::new(body))
    }

    /// The CloudEvents `type`.
    #[must_use]
    pub const fn cloud_event_type(&self) -> &'static str {
        match self {
            Self::Parked(_) => "fillstream.parked.entry.v1",
            Self::Closed(_) => "fillstream.parked.closed.v1",
        }
    }

    /// When its writer wrote it.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Parked(event) => event.body.at,
            Self::Closed(event) => event.body.at,
        }
    }

    /// The payload that is stored.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("string keys and plain values always become JSON")
    }

    /// Reads a stored payload.
    ///
    /// # Errors
    /// When it is not an event of a parked entry.
    pub fn decode(payload: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_read_well_and_read_back() {
        let text = r#"{"type":"parked.entry","version":1,"part":"executor","seq":7,"subject":"orders.swap.x.placed","cause":"unreadable","reason":"not JSON","at":"2026-01-10T07:30:15.123Z"}"#;
        let event = ParkedEvent::decode(text.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(event.encode()).unwrap(), text);
        for unreadable in ["{}", &text.replace("\"version\":1", "\"version\":2")] {
            assert!(ParkedEvent::decode(unreadable.as_bytes()).is_err(), "{unreadable}");
        }
    }
}
