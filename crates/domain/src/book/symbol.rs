//! A market's name.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text::parsed;

/// A market: base and quote, `BTC/USDT`. Each is 1 to 12 characters of `A-Z` and `0-9`, so that the subject's form
/// `BTC-USDT` reads back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(Arc<str>);

/// The text names no market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a market such as BTC/USDT")]
pub struct SymbolError;

impl Symbol {
    /// Longest base or quote.
    pub const MAX_ASSET: usize = 12;

    /// Base and quote: `BTC/USDT`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that stands in subjects and file names: `BTC-USDT`.
    #[must_use]
    pub fn market(&self) -> String {
        self.0.replace('/', "-")
    }

    /// What is bought and sold.
    #[must_use]
    pub fn base(&self) -> &str {
        self.0.split_once('/').map_or("", |(base, _)| base)
    }

    /// What is paid with.
    #[must_use]
    pub fn quote(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, quote)| quote)
    }
}

impl FromStr for Symbol {
    type Err = SymbolError;

    /// Reads `BTC/USDT` and `BTC-USDT`.
    fn from_str(text: &str) -> Result<Self, SymbolError> {
        let (base, quote) = text.split_once(['/', '-']).ok_or(SymbolError)?;
        let good = |asset: &str| {
            (1..=Self::MAX_ASSET).contains(&asset.len())
                && asset.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        };
        (good(base) && good(quote)).then(|| Self(format!("{base}/{quote}").into())).ok_or(SymbolError)
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Symbol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Symbol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer, "a market's name", str::parse)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Symbol {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Symbol".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[A-Z0-9]{1,12}/[A-Z0-9]{1,12}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_read_both_ways() {
        for text in ["BTC/USDT", "BTC-USDT"] {
            let symbol: Symbol = text.parse().unwrap();
            assert_eq!((symbol.to_string().as_str(), symbol.market().as_str()), ("BTC/USDT", "BTC-USDT"));
            assert_eq!((symbol.base(), symbol.quote()), ("BTC", "USDT"));
        }
        for bad in [
            "",
            "/",
            "BTC",
            "BTC/",
            "/USDT",
            "btc/usdt",
            "BTC/USDT/X",
            "BTC-USDT.>",
            "A*/B",
            "ABCDEFGHIJKLM/B",
        ] {
            assert_eq!(bad.parse::<Symbol>(), Err(SymbolError), "{bad:?}");
        }
    }
}
