//! Times of records: milliseconds since the Unix epoch.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Truncated, so that no record seems to be later than it is.
pub(crate) fn millis(time: OffsetDateTime) -> i64 {
    let millis = time.unix_timestamp_nanos().div_euclid(1_000_000);
    i64::try_from(millis).expect("years from -9999 to 9999 fit")
}

/// As a server writes it in its answers.
pub(crate) fn parse_millis(time: &str) -> Option<i64> {
    OffsetDateTime::parse(time, &Rfc3339).ok().map(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_time_is_truncated() {
        let check = |text: &str, expected: Option<i64>| assert_eq!(parse_millis(text), expected, "{text}");
        check("1970-01-01T00:00:00Z", Some(0));
        check("2026-11-20T08:59:31.1Z", Some(1_795_165_171_100));
        check("2026-11-20T08:59:31.123456789Z", Some(1_795_165_171_123));
        check("2026-11-20T08:59:31.999999999Z", Some(1_795_165_171_999));
        check("2026-11-20T10:59:31.5+02:00", Some(1_795_165_171_500));
        check("1969-12-31T23:59:59.9995Z", Some(-1));
        check("yesterday", None);
        check("", None);
    }
}
