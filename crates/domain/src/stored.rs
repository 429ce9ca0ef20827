//! Events as JSON: `type` and `version` first, then the fields.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Type and version of a stored event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventType {
    /// Such as `swap.placed`.
    pub name: &'static str,
    /// From 1.
    pub version: u32,
}

impl EventType {
    /// The CloudEvents `type`, such as `fillstream.swap.placed.v1`.
    #[must_use]
    pub fn cloud_event_type(self) -> String {
        format!("fillstream.{}.v{}", self.name, self.version)
    }

    /// The payload that is stored.
    pub(crate) fn encode(self, body: &impl Serialize) -> Vec<u8> {
        let Self { name, version } = self;
        serde_json::to_vec(&Stored { name, version, body })
            .expect("string keys and plain values always become JSON")
    }
}

/// Reasons why a stored message is not an event that this version can read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON, or a field is missing or of another type.
    #[error("not a readable event")]
    Json(#[from] serde_json::Error),
    /// A type or version that this version does not know.
    #[error("unknown event type {name:?} version {version}")]
    Unknown {
        /// `type` of the payload.
        name: String,
        /// `version` of the payload.
        version: u32,
    },
}

/// Type and version alone, whatever else there is.
#[derive(Deserialize)]
pub(crate) struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    pub(crate) name: Cow<'a, str>,
    pub(crate) version: u32,
}

impl<'a> Envelope<'a> {
    /// What it says at its beginning is believed, as everything of ours says it there: whoever knows the type reads all
    /// of it and sees whether it is JSON.
    pub(crate) fn of(payload: &'a [u8]) -> Result<Self, DecodeError> {
        match Self::at_the_beginning(payload) {
            Some(envelope) => Ok(envelope),
            None => Self::of_whole(payload),
        }
    }

    fn at_the_beginning(payload: &'a [u8]) -> Option<Self> {
        let rest = payload.strip_prefix(br#"{"type":""#)?;
        let name = std::str::from_utf8(&rest[..rest.iter().position(|byte| *byte == b'"')?]).ok()?;
        let digits = rest[name.len()..].strip_prefix(br#"","version":"#)?;
        let length = digits.iter().position(|byte| !byte.is_ascii_digit())?;
        let version = std::str::from_utf8(&digits[..length]).ok()?.parse().ok()?;
        let plain = !name.contains('\\') && digits[length] == b',';
        plain.then_some(Self { name: name.into(), version })
    }

    fn of_whole(payload: &'a [u8]) -> Result<Self, DecodeError> {
        Ok(serde_json::from_slice(payload)?)
    }

    /// Reason why this payload, whose type nobody here knows, cannot be read.
    pub(crate) fn unknown(payload: &'a [u8]) -> DecodeError {
        match Self::of_whole(payload) {
            Ok(Self { name, version }) => DecodeError::Unknown { name: name.into_owned(), version },
            Err(error) => error,
        }
    }
}

#[derive(Serialize)]
struct Stored<'a, T> {
    #[serde(rename = "type")]
    name: &'static str,
    version: u32,
    #[serde(flatten)]
    body: &'a T,
}
