//! Settings of the matcher.

use std::time::Duration;

/// Intervals and bounds.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// A matcher that stands by takes over when nobody has committed an input for this long.
    pub takeover_after: Duration,
    /// Inputs between two snapshots of the machine, ten times those between two of its levels: what a restart has to replay at most, nearly.
    pub snapshot_every: u64,
    /// Snapshots of a market that are kept; older ones were only there in case the newest is damaged.
    pub snapshots_kept: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { takeover_after: Duration::from_secs(1), snapshot_every: 20_000, snapshots_kept: 3 }
    }
}
