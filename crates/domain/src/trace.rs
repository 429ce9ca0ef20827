//! The trace that a request and all that it causes belong to: W3C Trace Context, `traceparent`.
//!
//! ```text
//!  00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
//!  │  trace id, never all zeros         │ parent id        └ flags: 01 is "sampled"
//!  └ version, never ff                  └ never all zeros
//! ```

use std::{fmt, str::FromStr};

use uuid::Uuid;

/// Characters of a `traceparent` of version 00; later versions may go on behind a dash.
const LENGTH: usize = 55;

/// A `traceparent` that keeps to the rules. Shown as version 00, whatever version it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace_id: u128,
    parent_id: u64,
    flags: u8,
}

/// The text is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 00-TRACE-PARENT-FLAGS in lower-case hexadecimal, 32, 16 and 2 digits, neither id all zeros")]
pub struct TraceParentError;

impl TraceParent {
    /// A new trace, sampled, whose ids are taken from two new UUIDs.
    #[must_use]
    pub fn begun(trace: Uuid, parent: Uuid) -> Self {
        // The low half of a UUID holds its random bits. Neither id may be zero; no UUID that has a version is.
        Self { trace_id: trace.as_u128().max(1), parent_id: parent.as_u64_pair().1.max(1), flags: 1 }
    }

    /// Id that all spans and log lines of one trace share: 32 hexadecimal digits.
    #[must_use]
    pub const fn trace_id(self) -> TraceId {
        TraceId { trace: self.trace_id, parent: self.parent_id, is_root: false }
    }
}

/// The id of a trace, as log lines and spans show it. Its alternate form, for whoever exports spans, has the parent's id
/// behind a dash, or the span's own id behind a plus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId {
    trace: u128,
    parent: u64,
    is_root: bool,
}

impl TraceId {
    /// As the span shows it that has begun the trace: the parent of all others is itself.
    #[must_use]
    pub const fn of_root(self) -> Self {
        Self { is_root: true, ..self }
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.trace)?;
        if f.alternate() {
            write!(f, "{}{:016x}", if self.is_root { '+' } else { '-' }, self.parent)?;
        }
        Ok(())
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.parent_id, self.flags)
    }
}

impl FromStr for TraceParent {
    type Err = TraceParentError;

    fn from_str(text: &str) -> Result<Self, TraceParentError> {
        let (version_00, rest) = text.split_at_checked(LENGTH).ok_or(TraceParentError)?;
        let fields: Vec<_> = version_00.split('-').collect();
        let &[version, trace_id, parent_id, flags] = fields.as_slice() else { return Err(TraceParentError) };
        let version = hex(version, 2)?;
        // What a later version appends begins with a dash; version 00 has nothing behind the flags.
        let ends_well = rest.is_empty() || version > 0 && rest.starts_with('-');
        let (trace_id, parent_id, flags) = (hex(trace_id, 32)?, hex(parent_id, 16)?, hex(flags, 2)?);
        if version == 0xff || !ends_well || trace_id == 0 || parent_id == 0 {
            return Err(TraceParentError);
        }
        let parent_id = u64::try_from(parent_id).map_err(|_| TraceParentError)?;
        let flags = u8::try_from(flags).map_err(|_| TraceParentError)?;
        Ok(Self { trace_id, parent_id, flags })
    }
}

/// So many lower-case hexadecimal digits, neither more nor fewer.
fn hex(text: &str, digits: usize) -> Result<u128, TraceParentError> {
    let all = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if text.len() != digits || !all {
        return Err(TraceParentError);
    }
    u128::from_str_radix(text, 16).map_err(|_| TraceParentError)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";

    #[test]
    fn only_what_the_rules_allow_is_read() {
        let good = format!("00-{TRACE}-{PARENT}-01");
        let zeros = |count| "0".repeat(count);
        for (text, shown) in [
            (good.clone(), Some(good.clone())),
            (format!("00-{TRACE}-{PARENT}-00"), Some(format!("00-{TRACE}-{PARENT}-00"))),
            (format!("00-{TRACE}-{PARENT}-ff"), Some(format!("00-{TRACE}-{PARENT}-ff"))),
            // A later version is read as far as this one knows it.
            (format!("01-{TRACE}-{PARENT}-01"), Some(good.clone())),
            (format!("cc-{TRACE}-{PARENT}-01-what-will-come"), Some(good.clone())),
            (format!("01-{TRACE}-{PARENT}-01what"), None),
            (format!("00-{TRACE}-{PARENT}-01-more"), None),
            (format!("00-{TRACE}-{PARENT}-01-"), None),
            (format!("ff-{TRACE}-{PARENT}-01"), None),
            (format!("00-{}-{PARENT}-01", zeros(32)), None),
            (format!("00-{TRACE}-{}-01", zeros(16)), None),
            (good.to_uppercase(), None),
            (format!("00-{TRACE}-{PARENT}_01"), None),
            (format!("00-{TRACE}{PARENT}--01"), None),
            (format!("00-+{}-{PARENT}-01", &TRACE[1..]), None),
            ("-".repeat(55), None),
            ("a".repeat(55), None),
            (good[..54].to_owned(), None),
            (format!("00-{TRACE}-{PARENT}-0é"), None),
            (String::new(), None),
        ] {
            let read = text.parse::<TraceParent>().ok().map(|read| read.to_string());
            assert_eq!(read, shown, "{text}");
        }
    }

    #[test]
    fn a_new_trace_keeps_to_the_rules() {
        let begun = TraceParent::begun(Uuid::from_u128(7), Uuid::nil());
        assert_eq!(begun.to_string(), format!("00-{:032x}-{:016x}-01", 7, 1));
        assert_eq!(begun.to_string().parse(), Ok(begun));
        assert_eq!(begun.trace_id().to_string(), format!("{:032x}", 7));
    }
}
