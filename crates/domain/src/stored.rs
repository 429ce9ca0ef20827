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

/// Why a stored message is not an event that this version can read.
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
    pub(crate) fn of(payload: &'a [u8]) -> Result<Self, DecodeError> {
        Ok(serde_json::from_slice(payload)?)
    }

    pub(crate) fn unknown(self) -> DecodeError {
        DecodeError::Unknown { name: self.name.into_owned(), version: self.version }
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
