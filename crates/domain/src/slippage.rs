//! Slippage: the part of the quote that a client is willing to go without.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{Atoms, parse_exact, text::parsed};

/// Slippage in percent, in (0, 50].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slippage(Decimal);

/// The number is no slippage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be greater than 0 and at most 50 (percent)")]
pub struct SlippageError;

/// One percent in the unit in which the least output is computed.
const PARTS_PER_PERCENT: u128 = 1_000_000;

impl Slippage {
    /// What a request without slippage gets: 0.5 %.
    pub const DEFAULT: Self = Self(Decimal::from_parts(5, 0, 0, false, 1));

    /// # Errors
    /// When the percentage is not in (0, 50].
    pub fn new(percent: Decimal) -> Result<Self, SlippageError> {
        let inside = percent > Decimal::ZERO && percent <= Decimal::from(50);
        inside.then(|| Self(percent.normalize())).ok_or(SlippageError)
    }

    /// The least output that the client takes of an expected one, rounded up.
    /// Digits of the percentage behind the sixth are dropped, in the client's favour.
    #[must_use]
    pub fn least_of(self, expected: Atoms) -> Option<Atoms> {
        let whole = 100 * PARTS_PER_PERCENT;
        let parts = (self.0 * Decimal::from(PARTS_PER_PERCENT)).trunc().mantissa();
        let kept = whole.checked_sub(u128::try_from(parts).ok()?)?;
        Some(Atoms::new(expected.get().checked_mul(kept)?.div_ceil(whole)))
    }
}

impl fmt::Display for Slippage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Slippage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Slippage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(parsed(deserializer, "a decimal string", parse_exact)?).map_err(D::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Slippage {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Slippage".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": r"^\d+(\.\d+)?$", "description": "percent, in (0, 50]" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_output_is_rounded_up() {
        for (percent, expected, least) in [
            ("0.5", 1000, 995),
            ("0.5", 1001, 996),
            ("50", 3, 2),
            ("0.0000001", 1_000_000_000, 1_000_000_000),
            ("0.1234567890123456789012345678", 1_000_000_000_000, 998_765_440_000),
        ] {
            let slippage = Slippage::new(parse_exact(percent).unwrap()).unwrap();
            assert_eq!(
                slippage.least_of(Atoms::new(expected)),
                Some(Atoms::new(least)),
                "{percent} of {expected}"
            );
        }
    }

    #[test]
    fn refused_outside_its_range() {
        for bad in ["0", "-0.5", "50.000001", "100"] {
            assert_eq!(Slippage::new(parse_exact(bad).unwrap()), Err(SlippageError), "{bad}");
        }
    }
}
