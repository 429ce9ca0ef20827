//! So many things per second, whether or not the ones before are done.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Things per second, over all lanes.
pub(crate) const PER_SECOND: usize = 1000;
/// Lanes side by side.
pub(crate) const LANES: usize = 100;
/// Between two turns of a lane: long, so that it is hardly ever still busy when its turn comes.
const PERIOD: Duration = Duration::from_millis((1000 * LANES / PER_SECOND) as u64);
/// A lane that is later than the timer's own slack has been kept waiting, and its time counts from when it was due.
const LATE: Duration = Duration::from_millis(5);

/// One lane's turns.
pub(crate) struct Lane {
    due: Instant,
}

impl Lane {
    /// `number` from 0, `start` the same for all lanes.
    pub(crate) fn new(number: usize, start: Instant) -> Self {
        Self { due: start + Duration::from_millis((1000 * number / PER_SECOND) as u64) }
    }

    /// Waits for the next turn; from when its time counts.
    pub(crate) async fn turn(&mut self) -> Instant {
        let due = self.due;
        self.due += PERIOD;
        sleep_until(due).await;
        let now = Instant::now();
        if now - due > LATE { due } else { now }
    }
}
