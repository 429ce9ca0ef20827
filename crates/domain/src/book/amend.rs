//! A client's wish to change its order, judged.

use super::{
    Definition, OrderType,
    request::{NO_PRICE, note, positive, told},
};
use crate::{
    Amount,
    swap::{Field, FieldError},
};

/// Terms that an amend asks for, unjudged.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the names are the contract's own")]
pub struct AmendRequest<'a> {
    pub quantity: Field<'a>,
    pub price: Field<'a>,
}

/// Terms that an amend asks for; at least one of the two is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmendTerms {
    /// The new total quantity.
    pub quantity: Option<Amount>,
    /// The new limit.
    pub price: Option<Amount>,
}

impl AmendRequest<'_> {
    /// Judges what is wrong whatever the order has come to; the least quantity and notional are the matcher's business,
    /// who knows whether the order ends with this amend.
    ///
    /// # Errors
    /// Every field that is wrong.
    pub fn judge(
        &self,
        order_type: OrderType,
        definition: &Definition,
    ) -> Result<AmendTerms, Vec<FieldError>> {
        let mut errors = Vec::new();
        let quantity = match self.quantity {
            Field::Missing => Ok(None),
            Field::Text(_) | Field::Number(_) | Field::Other => {
                positive(self.quantity).and_then(|quantity| new_total(quantity, definition)).map(Some)
            }
        };
        let quantity = note(&mut errors, "quantity", quantity);
        let price = match (self.price, order_type) {
            (Field::Missing, OrderType::Limit | OrderType::Market) => Ok(None),
            (Field::Text(_) | Field::Number(_) | Field::Other, OrderType::Market) => Err(NO_PRICE.to_owned()),
            (Field::Text(_) | Field::Number(_) | Field::Other, OrderType::Limit) => {
                positive(self.price).and_then(|price| within(price, definition)).map(Some)
            }
        };
        let price = note(&mut errors, "price", price);
        match (quantity, price) {
            (Some(None), Some(None)) => {
                let must = "must be given, or price, or both".to_owned();
                Err(vec![FieldError { field: "quantity", must }])
            }
            (Some(quantity), Some(price)) => Ok(AmendTerms { quantity, price }),
            (None, _) | (_, None) => Err(errors),
        }
    }
}

fn within(price: Amount, definition: &Definition) -> Result<Amount, String> {
    definition.judge_price(price).map(|_| price).map_err(told)
}

/// A total may be below the least quantity when it is what is filled already.
fn new_total(quantity: Amount, definition: &Definition) -> Result<Amount, String> {
    let counted = quantity < definition.min_quantity && definition.lots(quantity).is_some();
    if counted { Ok(quantity) } else { definition.judge_quantity(quantity).map(|_| quantity).map_err(told) }
}

#[cfg(test)]
mod tests {
    use Field::{Missing, Number, Other, Text};

    use super::*;
    use crate::Timestamp;

    fn check(
        quantity: Field<'_>,
        price: Field<'_>,
        order_type: OrderType,
        expected: Result<[Option<&str>; 2], &[&str]>,
    ) {
        let mut definition = Definition::standard("BTC/USDT".parse().unwrap(), Timestamp::from_unix_ms(0));
        definition.min_quantity = definition.min_notional;
        let judged = AmendRequest { quantity, price }.judge(order_type, &definition);
        let judged = judged
            .map(|terms| [terms.quantity, terms.price].map(|amount| amount.map(|amount| amount.to_string())))
            .map_err(|errors| errors.into_iter().map(|error| error.field).collect::<Vec<_>>());
        let expected =
            expected.map(|amounts| amounts.map(|amount| amount.map(str::to_owned))).map_err(<[_]>::to_vec);
        assert_eq!(judged, expected, "{quantity:?} {price:?} {order_type}");
    }

    #[test]
    fn each_wrong_field_is_named() {
        for (quantity, price, expected) in [
            (Number("2"), Missing, Ok([Some("2"), None])),
            (Missing, Text("100.50"), Ok([None, Some("100.5")])),
            (Text("2e0"), Number("100"), Ok([Some("2"), Some("100")])),
            // Below min_quantity and min_notional: perhaps just what is filled.
            (Number("0.5"), Number("0.01"), Ok([Some("0.5"), Some("0.01")])),
            (Missing, Missing, Err(&["quantity"][..])),
            (Number("0"), Missing, Err(&["quantity"])),
            (Number("-1"), Other, Err(&["quantity", "price"])),
            (Number("0.000000001"), Number("0.001"), Err(&["quantity", "price"])),
            (Number("1000001"), Number("10000000.01"), Err(&["quantity", "price"])),
            (Number("1"), Number("1.005"), Err(&["price"])),
            (Text("abc"), Number("1e400"), Err(&["quantity", "price"])),
        ] {
            check(quantity, price, OrderType::Limit, expected);
        }
        check(Number("2"), Missing, OrderType::Market, Ok([Some("2"), None]));
        check(Number("2"), Number("100"), OrderType::Market, Err(&["price"]));
    }
}
