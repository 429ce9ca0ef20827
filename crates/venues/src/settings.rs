//! Settings of the simulated venues.

use std::time::Duration;

use crate::Faults;

/// Settings of both simulated venues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatedSettings {
    /// Seed of all chance. Fixed by a ledger's first line; another seed needs another ledger.
    pub seed: u64,
    /// Time that a quote takes.
    pub quote_delay: Duration,
    /// Time that building and signing take.
    pub build_delay: Duration,
    /// Time that a send takes.
    pub submit_delay: Duration,
    /// From a send's arrival until it lands, in whole milliseconds.
    pub landing_delay: Duration,
    /// Time between two blocks, in whole milliseconds, at least one. Fixed by a ledger's first line, because
    /// heights would jump if it changed.
    pub block_interval: Duration,
    /// Blocks that a transaction can be included in after the one it was signed at; at least one.
    pub life_blocks: u64,
    /// Faults and their frequencies.
    pub faults: Faults,
}

/// A setting that cannot work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Blocks without duration, or finer than the ledger's clock.
    #[error("the block interval must be a whole number of milliseconds, at least 1 ms")]
    BlockInterval,
    /// A transaction that no block could hold.
    #[error("the life of a transaction must be at least 1 block")]
    LifeBlocks,
}

impl Default for SimulatedSettings {
    /// Slow enough for a person to watch, with the block times of Solana.
    fn default() -> Self {
        Self {
            seed: 0,
            quote_delay: Duration::from_millis(1500),
            build_delay: Duration::from_secs(1),
            submit_delay: Duration::from_secs(1),
            landing_delay: Duration::from_millis(1500),
            block_interval: Duration::from_millis(400),
            life_blocks: 150,
            faults: Faults::default(),
        }
    }
}

impl SimulatedSettings {
    /// The same with all four delays zero; then no timer is ever touched.
    #[must_use]
    pub const fn without_delays(mut self) -> Self {
        self.quote_delay = Duration::ZERO;
        self.build_delay = Duration::ZERO;
        self.submit_delay = Duration::ZERO;
        self.landing_delay = Duration::ZERO;
        self
    }

    /// Time for which a transaction can land after it was signed, at least.
    #[must_use]
    pub fn life(&self) -> Duration {
        self.block_interval.saturating_mul(u32::try_from(self.life_blocks).unwrap_or(u32::MAX))
    }

    /// The block interval in milliseconds.
    pub(crate) fn block_interval_ms(&self) -> Result<u64, SettingsError> {
        let ms = whole_ms(self.block_interval);
        let whole = ms > 0 && Duration::from_millis(ms) == self.block_interval;
        whole.then_some(ms).ok_or(SettingsError::BlockInterval)
    }

    /// What no ledger needs to be asked for.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        self.block_interval_ms()?;
        if self.life_blocks == 0 { Err(SettingsError::LifeBlocks) } else { Ok(()) }
    }
}

/// Milliseconds, rounded down; ends at the end of the ledger's time.
pub(crate) fn whole_ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let check = |block_interval, life_blocks, expected| {
            let settings = SimulatedSettings { block_interval, life_blocks, ..SimulatedSettings::default() };
            assert_eq!(settings.check(), expected, "{block_interval:?}, {life_blocks} blocks");
        };
        check(Duration::from_millis(400), 150, Ok(()));
        check(Duration::from_millis(1), 1, Ok(()));
        check(Duration::ZERO, 150, Err(SettingsError::BlockInterval));
        check(Duration::from_micros(1500), 150, Err(SettingsError::BlockInterval));
        check(Duration::from_millis(400), 0, Err(SettingsError::LifeBlocks));
    }

    #[test]
    fn by_default_a_transaction_lives_a_minute() {
        assert_eq!(SimulatedSettings::default().life(), Duration::from_secs(60));
    }
}
