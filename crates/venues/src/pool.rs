//! The arithmetic of a constant-product pool, in integers: the fee is rounded up, the output down, so that no
//! sequence of swaps ever takes more out of a pool than its product allows.
//!
//! ```text
//!  net = in - ceil(in * fee)        out = floor(reserve_out * net / (reserve_in + net))
//! ```

use fillstream_domain::Atoms;
use serde::{Deserialize, Serialize};

use crate::transaction::atoms_text;

/// Basis points in one whole: fees are given in hundredths of a percent.
const WHOLE_BPS: u128 = 10_000;
/// Deviation of a reserve from where the market sees it that a swap may leave, in basis points. Arbitrage takes the rest at
/// once, so that neither thousands of orders in one direction nor one huge order make a pool useless, and two quotes
/// of the same swap differ by less than the default slippage.
const ARBITRAGE_BAND_BPS: u128 = 5;

/// The reserves of a pool, in atoms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pool {
    #[serde(with = "atoms_text")]
    pub(crate) base: Atoms,
    #[serde(with = "atoms_text")]
    pub(crate) quote: Atoms,
}

/// The direction of a swap, seen from the trader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Base in, quote out.
    SellBase,
    /// Quote in, base out.
    BuyBase,
}

/// A swap that worked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Swapped {
    pub(crate) amount_out: Atoms,
    /// The pool after it.
    pub(crate) pool: Pool,
}

/// Reasons why a swap has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PoolError {
    /// The output rounds to zero.
    TooSmall,
    /// The integers overflow.
    TooLarge,
}

impl Pool {
    /// The reserves as (in, out) of a swap.
    pub(crate) const fn reserves(self, side: Side) -> (Atoms, Atoms) {
        match side {
            Side::SellBase => (self.base, self.quote),
            Side::BuyBase => (self.quote, self.base),
        }
    }

    const fn from_reserves(side: Side, (reserve_in, reserve_out): (Atoms, Atoms)) -> Self {
        match side {
            Side::SellBase => Self { base: reserve_in, quote: reserve_out },
            Side::BuyBase => Self { base: reserve_out, quote: reserve_in },
        }
    }

    /// Output for paying `amount_in`, and the pool after it; the fee stays in the pool.
    pub(crate) fn swap(self, side: Side, amount_in: Atoms, fee_bps: u128) -> Result<Swapped, PoolError> {
        let (reserve_in, reserve_out) = self.reserves(side);
        let (amount_in, reserve_in, reserve_out) = (amount_in.get(), reserve_in.get(), reserve_out.get());
        let worked_out = || {
            let fee = amount_in.checked_mul(fee_bps)?.div_ceil(WHOLE_BPS);
            let net = amount_in.checked_sub(fee)?;
            let out = reserve_out.checked_mul(net)?.checked_div(reserve_in.checked_add(net)?)?;
            Some((out, reserve_in.checked_add(amount_in)?, reserve_out.checked_sub(out)?))
        };
        let (out, reserve_in, reserve_out) = worked_out().ok_or(PoolError::TooLarge)?;
        if out == 0 {
            return Err(PoolError::TooSmall);
        }
        let pool = Self::from_reserves(side, (Atoms::new(reserve_in), Atoms::new(reserve_out)));
        Ok(Swapped { amount_out: Atoms::new(out), pool })
    }

    /// The pool after arbitrage: each reserve within the band around the reference.
    pub(crate) fn drawn_towards(self, reference: Self) -> Self {
        let drawn = |reserve: Atoms, reference: Atoms| {
            let reference = reference.get();
            let band = reference / WHOLE_BPS * ARBITRAGE_BAND_BPS;
            Atoms::new(reserve.get().clamp(reference - band, reference.saturating_add(band)))
        };
        Self { base: drawn(self.base, reference.base), quote: drawn(self.quote, reference.quote) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(base: u128, quote: u128) -> Pool {
        Pool { base: Atoms::new(base), quote: Atoms::new(quote) }
    }

    fn check(
        before: Pool,
        side: Side,
        amount_in: u128,
        fee_bps: u128,
        expected: Result<(u128, Pool), PoolError>,
    ) {
        let found = before.swap(side, Atoms::new(amount_in), fee_bps);
        let found = found.map(|swapped| (swapped.amount_out.get(), swapped.pool));
        assert_eq!(found, expected, "{before:?} {side:?} {amount_in} at {fee_bps} bps");
    }

    #[test]
    fn fees_are_rounded_up_and_outputs_down() {
        use Side::{BuyBase, SellBase};
        for (before, side, amount_in, fee_bps, expected) in [
            (pool(1000, 1000), SellBase, 1000, 0, Ok((500, pool(2000, 500)))),
            // 1001.5 would come out.
            (pool(1000, 2003), SellBase, 1000, 0, Ok((1001, pool(2000, 1002)))),
            // The fee of 0.25 becomes 1: 99 of 100 are swapped.
            (pool(1000, 1000), SellBase, 100, 25, Ok((90, pool(1100, 910)))),
            (pool(1000, 1000), BuyBase, 100, 25, Ok((90, pool(910, 1100)))),
            (pool(10_000, 10_000), SellBase, 400, 25, Ok((383, pool(10_400, 9617)))),
            (pool(10_000, 10_000), SellBase, 401, 25, Ok((383, pool(10_401, 9617)))),
            (pool(1000, 1000), SellBase, 1, 25, Err(PoolError::TooSmall)),
            (pool(1000, 1000), SellBase, 0, 25, Err(PoolError::TooSmall)),
            (pool(1000, 10), SellBase, 50, 0, Err(PoolError::TooSmall)),
            (pool(1000, 1000), SellBase, u128::MAX, 25, Err(PoolError::TooLarge)),
            (pool(1000, 1000), SellBase, u128::MAX / 25, 25, Err(PoolError::TooLarge)),
            (pool(0, 0), SellBase, 0, 0, Err(PoolError::TooLarge)),
        ] {
            check(before, side, amount_in, fee_bps, expected);
        }
    }

    #[test]
    fn arbitrage_leaves_what_is_inside_the_band() {
        let reference = pool(1_000_000, 2_000_000);
        for (after, drawn) in [
            (pool(1_000_400, 1_999_100), pool(1_000_400, 1_999_100)),
            (pool(1_000_501, 1_998_999), pool(1_000_500, 1_999_000)),
            (pool(1, u128::MAX), pool(999_500, 2_001_000)),
        ] {
            assert_eq!(after.drawn_towards(reference), drawn);
        }
    }

    proptest::proptest! {
        /// The output is, by definition, the most that leaves the product of the reserves where it was.
        #[test]
        fn the_output_is_the_most_that_keeps_the_product(
            base in 1_u64..=1_000_000_000_000, quote in 1_u64..=1_000_000_000_000,
            amount_in in 1_u64..=1_000_000_000_000, fee_bps in 0_u64..=100, sells in proptest::bool::ANY,
        ) {
            let before = pool(base.into(), quote.into());
            let side = if sells { Side::SellBase } else { Side::BuyBase };
            let (reserve_in, reserve_out) = before.reserves(side);
            let (reserve_in, reserve_out) = (reserve_in.get(), reserve_out.get());
            let exact_fee = u128::from(amount_in) * u128::from(fee_bps);
            let fee = exact_fee / 10_000 + u128::from(exact_fee % 10_000 > 0);
            let net_in = reserve_in + u128::from(amount_in) - fee;
            let keeps = |out: u128| out < reserve_out && net_in * (reserve_out - out) >= reserve_in * reserve_out;
            match before.swap(side, Atoms::new(amount_in.into()), fee_bps.into()) {
                Ok(Swapped { amount_out, pool }) => {
                    proptest::prop_assert!(keeps(amount_out.get()) && !keeps(amount_out.get() + 1));
                    let product = |pool: Pool| pool.base.get() * pool.quote.get();
                    proptest::prop_assert!(product(pool) >= product(before));
                }
                Err(error) => {
                    proptest::prop_assert_eq!(error, PoolError::TooSmall);
                    proptest::prop_assert!(!keeps(1));
                }
            }
        }
    }
}
