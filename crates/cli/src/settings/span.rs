//! A duration as people write it.

use std::{fmt, str::FromStr, time::Duration};

/// Longest time that makes sense for any setting; far from where clocks overflow.
const MOST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// `0`, `250ms`, `1s 500ms`, `2min`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(Duration);

impl Span {
    pub(crate) const fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == "0" {
            return Ok(Self(Duration::ZERO));
        }
        let parsed = humantime::parse_duration(text);
        let span = parsed.map_err(|error| format!("must be a time such as 0, 250ms or 1s 500ms: {error}"))?;
        if span > MOST {
            return Err(format!("must be at most {}", Self(MOST)));
        }
        Ok(Self(span))
    }
}

/// Reads a time of at least so many milliseconds: what waits or repeats for less would do nothing, or nothing else.
pub(crate) fn at_least<const MS: u64>(text: &str) -> Result<Span, String> {
    let least = Span(Duration::from_millis(MS));
    let span: Span = text.parse()?;
    if span.0 < least.0 { Err(format!("must be at least {least}")) } else { Ok(span) }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}
