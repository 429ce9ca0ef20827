//! The two clocks of a machine, read at the edge and handed to the rules.
//!
//! ```text
//!  wall clock     ──▶ stamps of events, what people read        may be set back or forward by anybody
//!  running clock  ──▶ how long something is waited for          only ever goes on
//! ```
//! A duration that is waited for by the wall clock takes an hour longer when that is set back by one.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use fillstream_domain::Timestamp;

/// The present instant by the wall clock: for stamps, never for waiting.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A wall clock: the system's ([`now`]), or one that a test sets.
pub type WallClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Both clocks, for who must survive that the first one jumps.
pub trait Clock: Send + Sync + 'static {
    /// The present instant by the wall clock, which may be set back or forward at any time.
    fn wall(&self) -> Timestamp;

    /// Time since some instant of this process, which never runs back.
    fn running(&self) -> Duration;
}

/// The system's clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock(Instant);

impl SystemClock {
    /// The running clock starts here.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn wall(&self) -> Timestamp {
        now()
    }

    fn running(&self) -> Duration {
        self.0.elapsed()
    }
}
