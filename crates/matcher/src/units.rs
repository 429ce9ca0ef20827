//! Quote and fees as integers.
//!
//! ```text
//!  ticks × lots ──▶ Worth, a count of tick size × lot size ──▶ quote, exactly
//!                      └── × parts per million, rounded up ──▶ Fee, a count of the fee's last digit
//! ```
//! Nothing here overflows. An order never fills more than the largest quantity and never trades above the largest price
//! that a definition of its market ever allowed; [`Definition::check`] on both together keeps worth × (tick size × lot
//! size's digits) within 10^28, also when it is counted in a fee's digits. Times a rate of less than 10^6 parts per
//! million that is below 10^34, and a `u128` holds 3 × 10^38; a decimal holds 7 × 10^28.

use fillstream_domain::{
    Amount,
    book::{Definition, Lots, MAX_RATE_SCALE, Ticks},
};
use rust_decimal::Decimal;

/// Price times quantity, as a count of tick size times lot size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Worth(u128);

impl Worth {
    pub(crate) fn of(price: Ticks, quantity: Lots) -> Self {
        // 32 and 64 bits.
        Self(u128::from(price.get()) * u128::from(quantity.get()))
    }

    pub(crate) const fn new(count: u128) -> Self {
        Self(count)
    }

    pub(crate) const fn get(self) -> u128 {
        self.0
    }

    pub(crate) fn plus(self, more: Self) -> Self {
        Self(self.0.checked_add(more.0).expect("an order's trades are worth at most 10^28 units"))
    }
}

/// Fee to be paid, as a count of the fee's last digit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fee(u128);

impl Fee {
    pub(crate) fn plus(self, more: Self) -> Self {
        Self(self.0.checked_add(more.0).expect("fees are below what they are paid for"))
    }

    /// Growth since it was `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self(self.0.checked_sub(before.0).expect("a cumulative fee never falls"))
    }
}

/// Shares of what is traded, in parts per million, below 10^6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rates {
    pub(crate) maker: u32,
    pub(crate) taker: u32,
}

impl Rates {
    pub(crate) fn of(definition: &Definition) -> Self {
        Self {
            maker: parts_per_million(definition.maker_fee),
            taker: parts_per_million(definition.taker_fee),
        }
    }
}

fn parts_per_million(rate: Amount) -> u32 {
    let finer = MAX_RATE_SCALE.checked_sub(rate.decimal().scale());
    let parts = finer.and_then(|finer| u32::try_from(rate.decimal().mantissa() * 10_i128.pow(finer)).ok());
    parts.expect("check() keeps a rate below 1, with at most 6 digits")
}

/// Units of a market's counts. The same for all its definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Units {
    /// Tick size times lot size, as a count of its last digit.
    digits: u128,
    /// Digits of that behind the point.
    scale: u32,
    /// Digits of fees behind the point: the quote's, or fewer when no fee can have that many.
    fee_scale: u32,
    /// Worth times parts per million becomes fees by this, rounded up.
    per_fee: u128,
}

impl Units {
    pub(crate) fn of(definition: &Definition) -> Self {
        let (tick, lot) = (definition.tick_size.decimal(), definition.lot_size.decimal());
        let scale = tick.scale() + lot.scale();
        let fee_scale = definition.quote_decimals.min(scale + MAX_RATE_SCALE);
        // At most 24 + 6 digits.
        let per_fee = 10_u128.pow(scale + MAX_RATE_SCALE - fee_scale);
        let digits = tick.mantissa().unsigned_abs().checked_mul(lot.mantissa().unsigned_abs());
        let digits = digits.expect("check() has multiplied them");
        Self { digits, scale, fee_scale, per_fee }
    }

    /// In quote.
    pub(crate) fn quote(&self, worth: Worth) -> Amount {
        decimal(worth.0.checked_mul(self.digits), self.scale)
    }

    /// The fee for all that an order has traded in one role, rounded up once.
    pub(crate) fn fee(&self, worth: Worth, parts_per_million: u32) -> Fee {
        let parts =
            worth.0.checked_mul(self.digits).and_then(|quote| quote.checked_mul(parts_per_million.into()));
        Fee(parts.expect("below 10^34, see above").div_ceil(self.per_fee))
    }

    /// In quote.
    pub(crate) fn fee_amount(&self, fee: Fee) -> Amount {
        decimal(Some(fee.0), self.fee_scale)
    }
}

fn decimal(digits: Option<u128>, scale: u32) -> Amount {
    let digits = digits.and_then(|digits| i128::try_from(digits).ok());
    let decimal = digits.and_then(|digits| Decimal::try_from_i128_with_scale(digits, scale).ok());
    decimal.and_then(Amount::new).expect("at most 10^28, and a fee's growth, see above")
}
