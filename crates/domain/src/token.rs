//! The tokens that can be swapped and the pairs that are known.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{Amount, Atoms};

/// A token. Its amounts are integers of its smallest unit, one [`Atoms`] being 10^-decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(description = "A token, by its ticker.")
)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the variants are the tokens' own tickers")]
pub enum Token {
    Sol,
    Usdc,
    Usdt,
    Btc,
    Eth,
    /// Fails while routing, on purpose: its pools hold next to nothing.
    Dust,
    /// Fails after submission, on purpose: its price runs away while a transaction is under way.
    Rush,
}

impl Token {
    /// All tokens, in the order in which people are told of them.
    pub const ALL: [Self; 7] =
        [Self::Sol, Self::Usdc, Self::Usdt, Self::Btc, Self::Eth, Self::Dust, Self::Rush];

    /// The ticker, as it stands in JSON.
    #[must_use]
    pub const fn ticker(self) -> &'static str {
        match self {
            Self::Sol => "SOL",
            Self::Usdc => "USDC",
            Self::Usdt => "USDT",
            Self::Btc => "BTC",
            Self::Eth => "ETH",
            Self::Dust => "DUST",
            Self::Rush => "RUSH",
        }
    }

    /// The token with this ticker; tickers are upper case.
    #[must_use]
    pub fn from_ticker(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|token| token.ticker() == text)
    }

    /// Digits behind the point that an amount of this token can have.
    #[must_use]
    pub const fn decimals(self) -> u32 {
        match self {
            Self::Sol | Self::Dust | Self::Rush => 9,
            Self::Usdc | Self::Usdt => 6,
            Self::Btc | Self::Eth => 8,
        }
    }

    /// The amount in smallest units; nothing when it is finer than the token's decimals or out of range.
    #[must_use]
    pub fn atoms(self, amount: Amount) -> Option<Atoms> {
        let decimal = amount.decimal();
        let missing = self.decimals().checked_sub(decimal.scale())?;
        let atoms = u128::try_from(decimal.mantissa()).ok()?.checked_mul(10_u128.pow(missing))?;
        Some(Atoms::new(atoms))
    }

    /// The same quantity as a decimal; nothing beyond 96 bits of atoms.
    #[must_use]
    pub fn amount(self, atoms: Atoms) -> Option<Amount> {
        let atoms = i128::try_from(atoms.get()).ok()?;
        Amount::new(Decimal::try_from_i128_with_scale(atoms, self.decimals()).ok()?)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.ticker())
    }
}

/// A known direction of exchange: what is paid and what is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pair {
    token_in: Token,
    token_out: Token,
}

impl Pair {
    /// Pairs that can be swapped in both directions.
    pub const BOTH_WAYS: [(Token, Token); 4] = [
        (Token::Sol, Token::Usdc),
        (Token::Sol, Token::Usdt),
        (Token::Btc, Token::Usdc),
        (Token::Eth, Token::Usdc),
    ];
    /// Pairs that are there to show a failure, in one direction.
    pub const ONE_WAY: [(Token, Token); 2] = [(Token::Dust, Token::Usdc), (Token::Rush, Token::Usdc)];

    /// The pair, when it is known.
    #[must_use]
    pub fn new(token_in: Token, token_out: Token) -> Option<Self> {
        let pair = (token_in, token_out);
        let known = Self::ONE_WAY.contains(&pair)
            || Self::BOTH_WAYS.contains(&pair)
            || Self::BOTH_WAYS.contains(&(token_out, token_in));
        known.then_some(Self { token_in, token_out })
    }

    /// What the client pays.
    #[must_use]
    pub const fn token_in(self) -> Token {
        self.token_in
    }

    /// What the client receives.
    #[must_use]
    pub const fn token_out(self) -> Token {
        self.token_out
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.token_in, self.token_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_exact;

    #[test]
    fn amounts_become_atoms_only_when_they_fit_the_token() {
        for (token, text, atoms) in [
            (Token::Sol, "10", Some(10_000_000_000)),
            (Token::Usdc, "0.000001", Some(1)),
            (Token::Usdc, "0.0000001", None),
            (Token::Btc, "1000000000", Some(100_000_000_000_000_000)),
            (Token::Sol, "0", Some(0)),
        ] {
            let amount = Amount::new(parse_exact(text).unwrap()).unwrap();
            assert_eq!(token.atoms(amount).map(Atoms::get), atoms, "{text} {token}");
            if let Some(atoms) = atoms {
                assert_eq!(token.amount(Atoms::new(atoms)), Some(amount));
            }
        }
    }

    #[test]
    fn failing_pairs_have_one_direction() {
        assert!(Pair::new(Token::Usdc, Token::Sol).is_some());
        assert!(Pair::new(Token::Dust, Token::Usdc).is_some());
        assert!(Pair::new(Token::Usdc, Token::Dust).is_none());
        assert!(Pair::new(Token::Sol, Token::Sol).is_none());
        assert!(Pair::new(Token::Sol, Token::Btc).is_none());
    }
}
