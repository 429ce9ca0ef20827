//! Instants as the wire shows them: RFC 3339, UTC, milliseconds, `Z`.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

use crate::text::parsed;

/// Bytes of the longest text: the years that have one have four digits, and a sign before the year 0.
const TEXT_BYTES: usize = 32;

/// Milliseconds since 1970-01-01T00:00:00Z. It is given to the rules, never read by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_unix_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_ms(self) -> i64 {
        self.0
    }

    /// The instant `span` later; stops at the end of the representable time.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long it is from `earlier` to this instant; nothing when it is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format =
            format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
        let mut text = [0; TEXT_BYTES];
        let written = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .ok()
            .and_then(|instant| instant.format_into(&mut &mut text[..], &format).ok())
            .ok_or(fmt::Error)?;
        f.write_str(std::str::from_utf8(&text[..written]).map_err(|_| fmt::Error)?)
    }
}

/// The text is no instant that can be shown again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an RFC 3339 time between the years 0 and 9999, such as 2026-01-10T07:30:15.123Z")]
pub struct TimestampError;

impl FromStr for Timestamp {
    type Err = TimestampError;
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let parsed = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| TimestampError)?;
        let nanos = parsed.unix_timestamp_nanos().div_euclid(1_000_000) * 1_000_000;
        // An offset can move the last hours of year 9999 beyond what can be written.
        let in_utc = OffsetDateTime::from_unix_timestamp_nanos(nanos).map_err(|_| TimestampError)?;
        let ms = i64::try_from(nanos / 1_000_000).map_err(|_| TimestampError)?;
        (0..=9999).contains(&in_utc.year()).then_some(Self(ms)).ok_or(TimestampError)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer, "a time", str::parse)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "format": "date-time",
            "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_well_and_survives_the_round_trip() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_768_030_215_123, "2026-01-10T07:30:15.123Z"),
            (1_768_030_215_100, "2026-01-10T07:30:15.100Z"),
        ] {
            assert_eq!(Timestamp::from_unix_ms(ms).to_string(), text);
            assert_eq!(text.parse::<Timestamp>().unwrap().unix_ms(), ms);
        }
    }

    #[test]
    fn what_could_not_be_shown_again_is_refused() {
        for bad in [
            "",
            "now",
            "2026-01-10",
            "2026-13-01T00:00:00Z",
            "9999-12-31T23:59:59.999-01:00",
            "0000-01-01T00:00:00+01:00",
        ] {
            assert_eq!(bad.parse::<Timestamp>(), Err(TimestampError), "{bad:?}");
        }
        assert!("9999-12-31T23:59:59.999Z".parse::<Timestamp>().is_ok());
    }

    #[test]
    fn spans_never_wrap() {
        let (early, late) = (Timestamp::from_unix_ms(5), Timestamp::from_unix_ms(9));
        assert_eq!(late.since(early), Duration::from_millis(4));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(early.after(Duration::MAX).unix_ms(), i64::MAX);
    }
}
