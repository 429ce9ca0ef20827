//! Backoff before the next attempt.

use std::time::Duration;

use fillstream_domain::OrderId;

/// Exponential backoff with jitter: between half and all of `base · 2^(attempt-1)`, at most `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// After the first attempt, at most.
    pub base: Duration,
    /// Ever, at most.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base: Duration::from_secs(1), max: Duration::from_secs(30) }
    }
}

impl Backoff {
    /// The pause after failed attempt `attempt` (from 1). The jitter is drawn from the order and the attempt, not
    /// from dice: orders spread, and a replay decides the same.
    #[must_use]
    pub fn delay(&self, order: OrderId, attempt: u8) -> Duration {
        let doubled = self
            .base
            .saturating_mul(1_u32.checked_shl(u32::from(attempt.saturating_sub(1))).unwrap_or(u32::MAX));
        let full = u64::try_from(doubled.min(self.max).as_millis()).unwrap_or(u64::MAX);
        let half = full / 2;
        Duration::from_millis(full - half + draw(order, attempt) % (half + 1))
    }
}

/// A well-mixed number of the order and the attempt (SplitMix64's finalizer).
const fn draw(order: OrderId, attempt: u8) -> u64 {
    let (high, low) = order.uuid().as_u64_pair();
    let mut mixed = high ^ low.rotate_left(32) ^ (attempt as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn delays_grow_stay_bounded_and_spread() {
        let backoff = Backoff { base: Duration::from_millis(1000), max: Duration::from_millis(3000) };
        let mut seen = BTreeSet::new();
        for order in 0..200_u128 {
            let order: OrderId = uuid(order);
            for (attempt, least, most) in
                [(1, 500, 1000), (2, 1000, 2000), (3, 1500, 3000), (200, 1500, 3000)]
            {
                let delay = backoff.delay(order, attempt).as_millis();
                assert!((least..=most).contains(&delay), "attempt {attempt}: {delay} ms");
                assert_eq!(delay, backoff.delay(order, attempt).as_millis(), "a replay decides the same");
                seen.insert(delay);
            }
        }
        assert!(seen.len() > 400, "jitter spreads orders: {} delays", seen.len());
        assert_eq!(Backoff { base: Duration::ZERO, ..backoff }.delay(uuid(1), 1), Duration::ZERO);
    }

    fn uuid(number: u128) -> OrderId {
        format!("{:08x}-0000-7000-8000-000000000000", number).parse().unwrap()
    }
}
