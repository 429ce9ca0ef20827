//! A book order as GET shows it.

use fillstream_domain::book::{
    BookPlaced, BookStatus, OrderType, SelfTradePrevention, Side, Symbol, TimeInForce,
};
use fillstream_domain::{Amount, ClientKey, OrderId, Price, Seq, Timestamp, UserId};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Serialize;

use super::BookOrderRow;

/// The answer of GET, POST, PATCH and DELETE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the names are the contract's own")]
pub struct BookOrderView {
    pub order_id: OrderId,
    pub client_order_id: Option<ClientKey>,
    pub user_id: UserId,
    pub symbol: Symbol,
    pub side: Side,
    #[serde(rename = "type")]
    pub order_type: OrderType,
    pub time_in_force: TimeInForce,
    pub post_only: bool,
    pub expires_at: Option<Timestamp>,
    pub self_trade_prevention: SelfTradePrevention,
    pub status: BookStatus,
    /// The limit; null on market orders.
    pub price: Option<Amount>,
    /// All of it.
    pub quantity: Amount,
    pub filled_quantity: Amount,
    /// What may still trade: 0 once the order has ended.
    pub remaining_quantity: Amount,
    /// Null while nothing is filled.
    pub average_price: Option<Price>,
    /// All fees so far, in the quote.
    pub fee: Amount,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Sequence of what changed it last: the placed event, then parts of commits.
    pub seq: Seq,
}

impl From<&BookOrderRow> for BookOrderView {
    fn from(row: &BookOrderRow) -> Self {
        Self {
            order_id: row.order_id,
            client_order_id: row.client_order_id.clone(),
            user_id: row.user_id,
            symbol: row.symbol.clone(),
            side: row.side,
            order_type: row.order_type,
            time_in_force: row.time_in_force,
            post_only: row.post_only,
            expires_at: row.expires_at,
            self_trade_prevention: row.self_trade_prevention,
            status: row.status,
            price: row.price,
            quantity: row.quantity,
            filled_quantity: row.filled_quantity,
            remaining_quantity: remaining(row.status, row.quantity, row.filled_quantity),
            average_price: average_price(row.filled_quote, row.filled_quantity),
            fee: row.fee,
            created_at: row.created_at,
            updated_at: row.updated_at,
            seq: row.last_seq,
        }
    }
}

impl BookOrderView {
    /// An order right after it was placed: open, nothing filled.
    #[must_use]
    pub fn placed(seq: Seq, placed: &BookPlaced) -> Self {
        Self::from(&BookOrderRow::new(seq, placed))
    }
}

/// What may still trade.
pub(super) fn remaining(status: BookStatus, quantity: Amount, filled: Amount) -> Amount {
    let left = match status {
        BookStatus::Open => quantity.decimal().checked_sub(filled.decimal()).and_then(Amount::new),
        BookStatus::Filled | BookStatus::Cancelled | BookStatus::Rejected => None,
    };
    left.unwrap_or_else(zero)
}

pub(super) fn zero() -> Amount {
    Amount::new(Decimal::ZERO).expect("zero is not negative")
}

/// Quote per base, rounded down to [`Price::DECIMALS`] digits behind the point; nothing while nothing is filled, or
/// when the price is out of a decimal's range.
#[must_use]
pub fn average_price(filled_quote: Amount, filled_quantity: Amount) -> Option<Price> {
    let (quote, base) = (filled_quote.decimal(), filled_quantity.decimal());
    // A long division of the integers inside: a decimal's own division rounds to the nearest.
    let divisor = u128::try_from(base.mantissa()).ok()?;
    let mut rest = u128::try_from(quote.mantissa()).ok()?;
    let mut digits = rest.checked_div(divisor)?;
    rest %= divisor;
    let wanted = Price::DECIMALS + base.scale();
    for _ in quote.scale()..wanted {
        rest *= 10;
        digits = digits.checked_mul(10)?.checked_add(rest / divisor)?;
        rest %= divisor;
    }
    digits /= 10_u128.pow(quote.scale().saturating_sub(wanted));
    Price::new(Decimal::try_from_i128_with_scale(i128::try_from(digits).ok()?, Price::DECIMALS).ok()?)
}

#[cfg(test)]
mod tests {
    use fillstream_domain::parse_exact;

    use super::*;

    fn amount(text: &str) -> Amount {
        Amount::new(parse_exact(text).unwrap()).unwrap()
    }

    #[test]
    fn averages_are_rounded_down_to_nine_decimals() {
        for (quote, base, average) in [
            ("0", "0", None),
            ("100", "1", Some("100")),
            ("1", "3", Some("0.333333333")),
            ("2", "3", Some("0.666666666")),
            ("29.99999999999999999999999999", "3", Some("9.999999999")),
            ("0.0000000001", "1", Some("0")),
            ("5000000", "0.00000003", Some("166666666666666.666666666")),
            ("1234567.891", "0.12345678", Some("10000000.73710006")),
            ("0.000000000000000000000001", "0.000000000000001", Some("0.000000001")),
            ("9999999999999999999999999999", "0.00000001", None),
        ] {
            let found = average_price(amount(quote), amount(base)).map(|price| price.to_string());
            assert_eq!(found.as_deref(), average, "{quote} / {base}");
        }
    }

    #[test]
    fn nothing_remains_of_what_has_ended() {
        for (status, left) in [
            (BookStatus::Open, "0.7"),
            (BookStatus::Filled, "0"),
            (BookStatus::Cancelled, "0"),
            (BookStatus::Rejected, "0"),
        ] {
            assert_eq!(remaining(status, amount("1"), amount("0.3")).to_string(), left, "{status}");
        }
    }
}
