//! Money: integers of a token's smallest unit inside, exact decimals at the edge.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{Pair, parse_exact, text::parsed};

/// A quantity in a token's smallest unit (10^-decimals of it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Atoms(u128);

impl Atoms {
    /// From an integer count of smallest units.
    #[must_use]
    pub const fn new(atoms: u128) -> Self {
        Self(atoms)
    }

    /// The count of smallest units.
    #[must_use]
    pub const fn get(self) -> u128 {
        self.0
    }
}

macro_rules! decimal_text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let decimal = parsed(deserializer, "a decimal string", parse_exact)?;
                Self::new(decimal).ok_or_else(|| D::Error::custom("must not be negative"))
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": r"^\d+(\.\d+)?$" })
            }
        }
    };
}

/// A quantity of a token as people write it: an exact decimal, not negative, without trailing zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(Decimal);

impl Amount {
    /// Nothing when the decimal is negative.
    #[must_use]
    pub fn new(decimal: Decimal) -> Option<Self> {
        let zero_or_more = decimal.is_zero() || decimal.is_sign_positive();
        // Most are whole numbers, which have nothing to normalize but a zero's sign.
        let is_normal = decimal.scale() == 0 && decimal.is_sign_positive();
        zero_or_more.then(|| Self(if is_normal { decimal } else { decimal.normalize() }))
    }

    /// The decimal inside, normalized.
    #[must_use]
    pub const fn decimal(self) -> Decimal {
        self.0
    }
}

decimal_text!(Amount);

/// A price: units of token out per one token in, fee and price impact included, rounded down to
/// [`Price::DECIMALS`] digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(Decimal);

impl Price {
    /// Digits behind the point of a price.
    pub const DECIMALS: u32 = 9;

    /// Nothing when the decimal is negative.
    #[must_use]
    pub fn new(decimal: Decimal) -> Option<Self> {
        Amount::new(decimal).map(|amount| Self(amount.0))
    }

    /// What one token in brought: `out / in`, in whole tokens, rounded down. Nothing when nothing was paid or the
    /// integers overflow.
    #[must_use]
    pub fn of(pair: Pair, paid: Atoms, received: Atoms) -> Option<Self> {
        let up = pair.token_in().decimals() + Self::DECIMALS;
        let numerator = received.0.checked_mul(10_u128.checked_pow(up)?)?;
        let denominator = paid.0.checked_mul(10_u128.pow(pair.token_out().decimals()))?;
        let scaled = numerator.checked_div(denominator)?;
        Self::new(Decimal::try_from_i128_with_scale(i128::try_from(scaled).ok()?, Self::DECIMALS).ok()?)
    }
}

decimal_text!(Price);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Token;

    #[test]
    fn prices_are_rounded_down_to_nine_decimals() {
        let pair = |token_in, token_out| Pair::new(token_in, token_out).unwrap();
        for (pair, paid, received, price) in [
            (pair(Token::Sol, Token::Usdc), 10_000_000_000, 1_450_000_000, Some("145")),
            (pair(Token::Sol, Token::Usdc), 3_000_000_000, 1_000_000, Some("0.333333333")),
            (pair(Token::Usdc, Token::Sol), 145_000_000, 1_000_000_000, Some("0.006896551")),
            (pair(Token::Sol, Token::Usdc), 0, 1, None),
            (pair(Token::Btc, Token::Usdc), 1, u128::MAX, None),
        ] {
            let found =
                Price::of(pair, Atoms::new(paid), Atoms::new(received)).map(|price| price.to_string());
            assert_eq!(found.as_deref(), price);
        }
    }

    #[test]
    fn decimals_leave_as_strings_without_trailing_zeros() {
        let amount = Amount::new(parse_exact("145.4800").unwrap()).unwrap();
        assert_eq!(serde_json::to_string(&amount).unwrap(), r#""145.48""#);
        assert_eq!(serde_json::from_str::<Amount>(r#""145.480""#).unwrap(), amount);
        for bad in [r#""-1""#, "145.48", r#""NaN""#] {
            assert!(serde_json::from_str::<Amount>(bad).is_err(), "{bad}");
        }
    }
}
