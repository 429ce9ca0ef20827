//! A market's rules: filters and fees, under the field's usual names.

use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde::{Deserialize, Serialize};

use super::{Lots, RefusalCode, Symbol, Ticks};
use crate::{Amount, Timestamp};

/// Digits behind the point of tick size and lot size together, at most: what a notional needs.
pub const MAX_SCALE: u32 = 24;
/// Digits behind the point of a fee rate, at most: a hundredth of a basis point.
pub const MAX_RATE_SCALE: u32 = 6;
/// What the largest price times the largest quantity may count to, in the smallest unit of quote or fee: a decimal
/// holds 7.9 times that, so that every sum of an order can be written down.
const COUNTABLE: u128 = 10_u128.pow(28);
/// Largest lot size, as a count of its own last digit: what a whole price level holds must be writable as well.
const MAX_LOT_DIGITS: u128 = u32::MAX as u128;
/// Digits behind the point of the quote, at most.
const MAX_QUOTE_DECIMALS: u32 = 12;

/// Orders that one user may have in the book of a market whose definition does not say it.
pub const MAX_OPEN_ORDERS_PER_USER: u32 = 10_000;
/// Orders that all users together may have in the book of a market whose definition does not say it.
pub const MAX_OPEN_ORDERS: u32 = 1_000_000;
/// Makers that a definition may let one input trade with, and orders that one input ends at most because their time is
/// over, whatever an older definition says: such a commit is some 60 MB, and a server cuts a connection that is 64 MiB behind.
pub const MOST_MAKERS: u32 = 100_000;

/// Filters and fees of a market. An input like any other: an order is judged by the definition in force at its place in
/// the stream. Tick size, lot size and quote decimals are units, and never change once the market exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Definition {
    /// The market.
    pub symbol: Symbol,
    /// Prices are multiples of it, in quote per base.
    pub tick_size: Amount,
    /// Quantities are multiples of it, in base.
    pub lot_size: Amount,
    /// Least quantity of an order.
    pub min_quantity: Amount,
    /// Largest quantity of an order.
    pub max_quantity: Amount,
    /// Least price.
    pub min_price: Amount,
    /// Largest price.
    pub max_price: Amount,
    /// Least price times quantity of a limit order, in quote.
    pub min_notional: Amount,
    /// How far a limit may lie from the last trade's price, in percent of it; no band when absent or while nothing has
    /// traded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Amount"))]
    pub price_band: Option<Amount>,
    /// What a maker pays, as a share of what is traded: 0.0005 is 0.05 %.
    pub maker_fee: Amount,
    /// What a taker pays.
    pub taker_fee: Amount,
    /// Digits behind the point of the quote: the unit in which fees are rounded up.
    pub quote_decimals: u32,
    /// Makers that one input may trade with; the rest of it is cancelled there.
    pub max_makers: u32,
    /// Orders that one user may have in the book; 10000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "u32"))]
    pub max_open_orders_per_user: Option<u32>,
    /// Orders that all users together may have in the book; 1000000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "u32"))]
    pub max_open_orders: Option<u32>,
    /// When it was written.
    pub at: Timestamp,
}

/// What is wrong with a definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {must}")]
pub struct DefinitionError {
    /// The field's name.
    pub field: &'static str,
    /// What it must be.
    pub must: &'static str,
}

impl Definition {
    /// The contract's defaults for a market.
    #[must_use]
    pub fn standard(symbol: Symbol, at: Timestamp) -> Self {
        let amount = |digits: i64, scale| Amount::new(Decimal::new(digits, scale)).expect("not negative");
        Self {
            symbol,
            tick_size: amount(1, 2),
            lot_size: amount(1, 8),
            min_quantity: amount(1, 8),
            max_quantity: amount(1_000_000, 0),
            min_price: amount(1, 2),
            max_price: amount(10_000_000, 0),
            min_notional: amount(1, 0),
            price_band: None,
            maker_fee: amount(5, 4),
            taker_fee: amount(1, 3),
            quote_decimals: 8,
            max_makers: 10_000,
            max_open_orders_per_user: Some(MAX_OPEN_ORDERS_PER_USER),
            max_open_orders: Some(MAX_OPEN_ORDERS),
            at,
        }
    }

    /// Refuses what no market can have: a matcher could not count in it.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn check(&self) -> Result<(), DefinitionError> {
        let units = self.tick_size.decimal().scale() + self.lot_size.decimal().scale();
        let rate = |rate: Amount| rate.decimal() < Decimal::ONE && rate.decimal().scale() <= MAX_RATE_SCALE;
        let rules = [
            (!self.tick_size.decimal().is_zero(), "tick_size", "must be above 0"),
            (!self.lot_size.decimal().is_zero(), "lot_size", "must be above 0"),
            (units <= MAX_SCALE, "lot_size", "must have, with tick_size, at most 24 digits behind the point"),
            (self.ticks(self.min_price).is_some(), "min_price", "must be a multiple of tick_size, above 0"),
            (
                self.ticks(self.max_price).is_some(),
                "max_price",
                "must be at most 4294967295 times tick_size, a multiple of it",
            ),
            (self.min_price <= self.max_price, "max_price", "must not be below min_price"),
            (
                self.lots(self.min_quantity).is_some_and(|lots| lots > Lots::ZERO),
                "min_quantity",
                "must be a multiple of lot_size, above 0",
            ),
            (
                self.lots(self.max_quantity).is_some_and(|lots| lots.get() <= u64::from(u32::MAX) << 20),
                "max_quantity",
                "must be at most 4503599626321920 times lot_size, a multiple of it",
            ),
            (self.min_quantity <= self.max_quantity, "max_quantity", "must not be below min_quantity"),
            (digits(self.lot_size) <= MAX_LOT_DIGITS, "lot_size", "must not have that many digits"),
            (
                self.is_countable(),
                "max_quantity",
                "must, times max_price, be at most 10^28 of the smallest unit of quote or fee",
            ),
            (rate(self.maker_fee), "maker_fee", "must be below 1, with at most 6 digits behind the point"),
            (rate(self.taker_fee), "taker_fee", "must be below 1, with at most 6 digits behind the point"),
            (self.quote_decimals <= MAX_QUOTE_DECIMALS, "quote_decimals", "must be at most 12"),
            (self.max_makers > 0, "max_makers", "must be above 0"),
        ];
        match rules.into_iter().find(|(good, _, _)| !good) {
            Some((_, field, must)) => Err(DefinitionError { field, must }),
            None => Ok(()),
        }
    }

    /// Fees may have more digits than price times quantity, by those of a rate.
    fn is_countable(&self) -> bool {
        let scale = self.tick_size.decimal().scale() + self.lot_size.decimal().scale();
        let finer = self.quote_decimals.saturating_sub(scale).min(MAX_RATE_SCALE);
        let (Some(ticks), Some(lots)) = (self.ticks(self.max_price), self.lots(self.max_quantity)) else {
            return false;
        };
        let factors = [lots.get().into(), digits(self.tick_size), digits(self.lot_size), 10_u128.pow(finer)];
        let most = factors.into_iter().try_fold(u128::from(ticks.get()), u128::checked_mul);
        most.is_some_and(|most| most <= COUNTABLE)
    }

    /// Orders that one user may have in the book.
    #[must_use]
    pub fn open_orders_per_user(&self) -> u32 {
        self.max_open_orders_per_user.unwrap_or(MAX_OPEN_ORDERS_PER_USER)
    }

    /// Orders that all users together may have in the book.
    #[must_use]
    pub fn open_orders(&self) -> u32 {
        self.max_open_orders.unwrap_or(MAX_OPEN_ORDERS)
    }

    /// Orders that one input may end because their time is over.
    #[must_use]
    pub fn expiries_per_input(&self) -> u32 {
        self.max_makers.min(MOST_MAKERS)
    }

    /// Whether this counts in the same units as `other`: only then it may follow it.
    #[must_use]
    pub fn has_units_of(&self, other: &Self) -> bool {
        (self.tick_size, self.lot_size, self.quote_decimals)
            == (other.tick_size, other.lot_size, other.quote_decimals)
    }

    /// The price in ticks; nothing when it is 0, off tick or out of range.
    #[must_use]
    pub fn ticks(&self, price: Amount) -> Option<Ticks> {
        Ticks::new(multiple(price, self.tick_size)?.to_u32()?)
    }

    /// The quantity in lots; nothing when it is off lot or out of range.
    #[must_use]
    pub fn lots(&self, quantity: Amount) -> Option<Lots> {
        multiple(quantity, self.lot_size)?.to_u64().map(Lots::new)
    }

    /// The price of so many ticks.
    #[must_use]
    pub fn price(&self, ticks: Ticks) -> Amount {
        self.times(self.tick_size, Decimal::from(ticks.get()))
    }

    /// The quantity of so many lots.
    #[must_use]
    pub fn quantity(&self, lots: Lots) -> Amount {
        self.times(self.lot_size, Decimal::from(lots.get()))
    }

    fn times(&self, unit: Amount, count: Decimal) -> Amount {
        let product = unit.decimal().checked_mul(count).and_then(Amount::new);
        product.expect("check() keeps the largest price and quantity far below what a decimal holds")
    }

    /// Judges a limit price; the band is the matcher's business, who knows the last trade.
    ///
    /// # Errors
    /// The filter and what it wants.
    pub fn judge_price(&self, price: Amount) -> Result<Ticks, (RefusalCode, String)> {
        if price < self.min_price {
            return Err((RefusalCode::MinPrice, format!("must be at least {} (min_price)", self.min_price)));
        }
        if price > self.max_price {
            return Err((RefusalCode::MaxPrice, format!("must be at most {} (max_price)", self.max_price)));
        }
        self.ticks(price).ok_or_else(|| {
            (RefusalCode::TickSize, format!("must be a multiple of {} (tick_size)", self.tick_size))
        })
    }

    /// Judges a quantity.
    ///
    /// # Errors
    /// The filter and what it wants.
    pub fn judge_quantity(&self, quantity: Amount) -> Result<Lots, (RefusalCode, String)> {
        if quantity < self.min_quantity {
            return Err((
                RefusalCode::MinQuantity,
                format!("must be at least {} (min_quantity)", self.min_quantity),
            ));
        }
        if quantity > self.max_quantity {
            return Err((
                RefusalCode::MaxQuantity,
                format!("must be at most {} (max_quantity)", self.max_quantity),
            ));
        }
        self.lots(quantity).ok_or_else(|| {
            (RefusalCode::LotSize, format!("must be a multiple of {} (lot_size)", self.lot_size))
        })
    }

    /// Judges price times quantity of a limit order.
    ///
    /// # Errors
    /// The filter and what it wants.
    pub fn judge_notional(&self, price: Amount, quantity: Amount) -> Result<(), (RefusalCode, String)> {
        let notional = price.decimal().checked_mul(quantity.decimal());
        if notional.is_some_and(|notional| notional < self.min_notional.decimal()) {
            let must = format!("price times quantity must be at least {} (min_notional)", self.min_notional);
            return Err((RefusalCode::MinNotional, must));
        }
        Ok(())
    }
}

fn digits(amount: Amount) -> u128 {
    amount.decimal().mantissa().unsigned_abs()
}

/// How often `unit` goes into `value`; nothing when there is a rest.
fn multiple(value: Amount, unit: Amount) -> Option<Decimal> {
    let (value, unit) = (value.decimal(), unit.decimal());
    let exact = value.checked_rem(unit)?.is_zero();
    exact.then(|| value.checked_div(unit))?.map(|count| count.normalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_exact;

    fn amount(text: &str) -> Amount {
        Amount::new(parse_exact(text).unwrap()).unwrap()
    }

    fn standard() -> Definition {
        Definition::standard("BTC/USDT".parse().unwrap(), Timestamp::from_unix_ms(0))
    }

    #[test]
    fn units_go_there_and_back() {
        let definition = standard();
        assert_eq!(definition.check(), Ok(()));
        for (price, ticks) in [
            ("0.01", Some(1)),
            ("100", Some(10_000)),
            ("10000000", Some(1_000_000_000)),
            ("0", None),
            ("0.005", None),
        ] {
            let found = definition.ticks(amount(price));
            assert_eq!(found.map(Ticks::get), ticks, "{price}");
            assert_eq!(found.map(|ticks| definition.price(ticks)), ticks.map(|_| amount(price)));
        }
        for (quantity, lots) in
            [("0.00000001", Some(1)), ("1000000", Some(100_000_000_000_000)), ("0.000000001", None)]
        {
            let found = definition.lots(amount(quantity));
            assert_eq!(found.map(Lots::get), lots, "{quantity}");
            assert_eq!(found.map(|lots| definition.quantity(lots)), lots.map(|_| amount(quantity)));
        }
    }

    #[test]
    fn filters_name_themselves_and_their_value() {
        let definition = standard();
        let price = |text| definition.judge_price(amount(text)).unwrap_err().1;
        assert_eq!(price("0.001"), "must be at least 0.01 (min_price)");
        assert_eq!(price("10000000.01"), "must be at most 10000000 (max_price)");
        assert_eq!(price("1.001"), "must be a multiple of 0.01 (tick_size)");
        let quantity = |text| definition.judge_quantity(amount(text)).unwrap_err().1;
        assert_eq!(quantity("0"), "must be at least 0.00000001 (min_quantity)");
        assert_eq!(quantity("1000000.1"), "must be at most 1000000 (max_quantity)");
        assert_eq!(quantity("1.000000001"), "must be a multiple of 0.00000001 (lot_size)");
        assert!(definition.judge_notional(amount("0.5"), amount("1.99")).is_err());
        assert_eq!(definition.judge_notional(amount("0.5"), amount("2")), Ok(()));
    }

    #[test]
    fn what_no_market_can_have_is_refused() {
        let check = |change: fn(&mut Definition), field: &str| {
            let mut definition = standard();
            change(&mut definition);
            assert_eq!(definition.check().map_err(|error| error.field), Err(field));
        };
        check(|d| d.tick_size = amount("0"), "tick_size");
        check(|d| d.lot_size = amount("1e-23"), "lot_size");
        check(|d| d.min_price = amount("0"), "min_price");
        check(|d| d.max_price = amount("1e9"), "max_price");
        check(|d| d.min_price = amount("10000000.01"), "max_price");
        check(|d| d.max_quantity = amount("1e12"), "max_quantity");
        check(|d| d.taker_fee = amount("1"), "taker_fee");
        check(|d| d.maker_fee = amount("0.0000001"), "maker_fee");
        check(|d| d.quote_decimals = 13, "quote_decimals");
        check(|d| d.max_makers = 0, "max_makers");
    }

    #[test]
    fn the_largest_order_can_be_written_down() {
        let whole = |digits: &str, max_price, max_quantity, quote_decimals| Definition {
            tick_size: amount("1"),
            lot_size: amount(digits),
            min_quantity: amount(digits),
            max_quantity: amount(max_quantity),
            min_price: amount("1"),
            max_price: amount(max_price),
            quote_decimals,
            ..standard()
        };
        let refused = |definition: Definition| definition.check().map_err(|error| error.field);
        assert_eq!(refused(whole("1", "4294967295", "4503599626321920", 0)), Ok(()));
        assert_eq!(refused(whole("1", "1000000000", "1000000000000000", 4)), Ok(()));
        // A fee's digits count as well, as far as a rate can have them.
        assert_eq!(refused(whole("1", "1000000000", "1000000000000000", 12)), Err("max_quantity"));
        assert_eq!(refused(whole("4294967295", "1000000000", "4294967295000000000", 0)), Ok(()));
        assert_eq!(
            refused(whole("4294967295", "1000000000", "4294967295000000000", 12)),
            Err("max_quantity")
        );
        assert_eq!(refused(whole("4294967297", "1000", "4294967297", 0)), Err("lot_size"));
    }
}
