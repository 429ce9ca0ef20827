//! The only clock of the executor: instants are read here and handed to the rules.

use std::time::{SystemTime, UNIX_EPOCH};

use fillstream_domain::Timestamp;

/// The present instant.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
