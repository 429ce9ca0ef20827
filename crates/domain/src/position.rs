//! Places in the stream: one type per idea, one comparison, one text form, one serde form.
//!
//! ```text
//!  Seq          17                    a record's place in the stream; 0 is "before the first record"
//!  Position     17.3                  a message's place on the wire: its event's sequence, its index among that event's messages
//!  RecordRef    17@0198c0de-…         a record that proves itself: sequence and id, so that a stream put back is noticed
//!  Incarnation  7c3f…                 which stream: sequences of another one mean nothing here
//! ```
//! A parameter says by its name which side it is on: `after`, `before` are exclusive, `from`, `up_to` inclusive.

use std::{fmt, num::ParseIntError, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A record's sequence in the stream, from 1. [`Seq::ZERO`] is the place before the first record: what a fence names
/// when its subject must be empty, and a checkpoint before anything was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(u64);

impl Seq {
    /// Before the first record.
    pub const ZERO: Self = Self(0);
    /// The first record.
    pub const FIRST: Self = Self(1);
    /// Beyond every record.
    pub const MAX: Self = Self(u64::MAX);

    /// The sequence of this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number, as the nats CLI shows it.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Before the first record: no record has this sequence.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The next sequence.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The sequence before this one; [`Seq::ZERO`] stays.
    #[must_use]
    pub const fn prev(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The sequence this many records later.
    #[must_use]
    pub const fn plus(self, records: u64) -> Self {
        Self(self.0.saturating_add(records))
    }

    /// The sequence this many records earlier, [`Seq::ZERO`] at the least.
    #[must_use]
    pub const fn minus(self, records: u64) -> Self {
        Self(self.0.saturating_sub(records))
    }

    /// Sequences behind `earlier` up to this one; 0 when this one is not behind it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Seq {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

/// A message's place on the wire, ordered as a pair: one event may cause many messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Position {
    /// The event's sequence in the stream.
    pub seq: Seq,
    /// The message's place among those of its event on the channel, from 0.
    pub index: u32,
}

impl Position {
    /// Before everything.
    pub const START: Self = Self { seq: Seq::ZERO, index: 0 };

    /// The place of the `index`th message of the event at `seq`.
    #[must_use]
    pub const fn new(seq: Seq, index: u32) -> Self {
        Self { seq, index }
    }

    /// After all messages of an event: for a client that names the sequence only.
    #[must_use]
    pub const fn after_all_of(seq: Seq) -> Self {
        Self { seq, index: u32::MAX }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.seq, self.index)
    }
}

/// Which stream: kept in the stream's own metadata, so that a restored one keeps its tokens and snapshots, and another one
/// under the same name is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(u64);

impl Incarnation {
    /// The incarnation of this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Incarnation {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

/// What a record is known by, whatever its sequence: the id that its writer gave it, or, for a foreign writer's record
/// without one, when the stream took it and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordId {
    /// The header `ce-id`.
    Event(Uuid),
    /// A record without a readable `ce-id`.
    Foreign {
        /// Milliseconds since the Unix epoch, by the server's clock.
        stored_at: i64,
        /// The first 8 bytes of SHA-256 over subject, a zero byte and payload.
        digest: u64,
    },
}

impl RecordId {
    /// The id of a foreign writer's record.
    #[must_use]
    pub fn foreign(stored_at: i64, subject: &str, payload: &[u8]) -> Self {
        let hash = Sha256::new().chain_update(subject).chain_update([0]).chain_update(payload).finalize();
        let digest = hash.iter().take(8).fold(0, |digest, byte| digest << 8 | u64::from(*byte));
        Self::Foreign { stored_at, digest }
    }

    /// 64 bits of the id, for places where there is no room for more (a socket's token). Never 0, which may stand for
    /// "not known".
    #[must_use]
    pub fn tag(self) -> u64 {
        let tag = match self {
            Self::Event(id) => {
                let (high, low) = id.as_u64_pair();
                high ^ low
            }
            Self::Foreign { stored_at, digest } => digest ^ stored_at.unsigned_abs(),
        };
        tag.max(1)
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(id) => id.hyphenated().fmt(f),
            Self::Foreign { stored_at, digest } => write!(f, "foreign:{stored_at}:{digest:016x}"),
        }
    }
}

/// The text is not a record's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a UUID, or foreign:MILLISECONDS:DIGEST")]
pub struct RecordIdError;

impl FromStr for RecordId {
    type Err = RecordIdError;

    fn from_str(text: &str) -> Result<Self, RecordIdError> {
        let Some(foreign) = text.strip_prefix("foreign:") else {
            return Uuid::try_parse(text).map(Self::Event).map_err(|_| RecordIdError);
        };
        let (stored_at, digest) = foreign.split_once(':').ok_or(RecordIdError)?;
        Ok(Self::Foreign {
            stored_at: stored_at.parse().map_err(|_| RecordIdError)?,
            digest: u64::from_str_radix(digest, 16).map_err(|_| RecordIdError)?,
        })
    }
}

impl Serialize for RecordId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RecordId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A record that proves itself: a stream that was put back has other records, or none, at its old sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RecordRef {
    /// Where it lies.
    pub seq: Seq,
    /// What it is.
    pub id: RecordId,
}

impl fmt::Display for RecordRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.seq, self.id)
    }
}

impl FromStr for RecordRef {
    type Err = RecordIdError;

    fn from_str(text: &str) -> Result<Self, RecordIdError> {
        let (seq, id) = text.split_once('@').ok_or(RecordIdError)?;
        Ok(Self { seq: seq.parse().map_err(|_| RecordIdError)?, id: id.parse()? })
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Seq {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Seq".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        // As a plain u64 field is described: released schemas are frozen.
        schemars::json_schema!({ "type": "integer", "format": "uint64", "minimum": 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_as_what_they_were() {
        let event = RecordId::Event("0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e".parse().unwrap());
        let foreign = RecordId::foreign(1_764_550_000_123, "orders.swap.x", b"{}");
        for (id, text) in [
            (event, "17@0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e"),
            (foreign, "17@foreign:1764550000123:42e908a17fdd0ff5"),
        ] {
            let record = RecordRef { seq: Seq::new(17), id };
            assert_eq!(record.to_string().parse(), Ok(record));
            assert_eq!(record.to_string(), text);
            let json = serde_json::to_string(&record).unwrap();
            assert_eq!(serde_json::from_str::<RecordRef>(&json).unwrap(), record, "{json}");
        }
        for bad in ["", "17", "@", "17@", "x@0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e", "17@foreign:1"] {
            assert_eq!(bad.parse::<RecordRef>(), Err(RecordIdError), "{bad:?}");
        }
        let incarnation = Incarnation::new(7);
        assert_eq!(incarnation.to_string().parse(), Ok(incarnation));
    }

    #[test]
    fn foreign_records_are_told_apart() {
        let id = RecordId::foreign(5, "a", b"b");
        assert_eq!(id, RecordId::foreign(5, "a", b"b"));
        for other in [
            RecordId::foreign(6, "a", b"b"),
            RecordId::foreign(5, "a", b"c"),
            RecordId::foreign(5, "ab", b""),
        ] {
            assert_ne!(id, other);
            assert_ne!(id.tag(), other.tag());
        }
        assert_ne!(RecordId::Event(Uuid::nil()).tag(), 0);
    }

    #[test]
    fn positions_are_ordered_as_pairs() {
        let at = |seq, index| Position::new(Seq::new(seq), index);
        assert!(at(1, 7) < at(2, 0) && at(2, 0) < at(2, 1));
        assert!(at(2, 9) < Position::after_all_of(Seq::new(2)));
        assert_eq!(Seq::ZERO.prev(), Seq::ZERO);
        assert_eq!((Seq::new(9).since(Seq::new(4)), Seq::new(4).since(Seq::new(9))), (5, 0));
    }
}
