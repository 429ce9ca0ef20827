//! A client's request, judged: each field is named that is wrong, with what would be right.

use rust_decimal::Decimal;
use sha2::{Digest, Sha256};

use super::event::{MAX_ATTEMPTS, Placed};
use crate::{
    Amount, ClientKey, DecimalError, OrderId, Pair, Slippage, Timestamp, Token, UserId, parse_exact,
};

/// Largest amount of an order, in whole tokens (CONTRACT.md).
pub const MAX_AMOUNT: u32 = 1_000_000_000;

/// A field as it stood in the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field<'a> {
    /// Not there at all.
    Missing,
    /// A JSON string, unescaped.
    Text(&'a str),
    /// A JSON number, as it was written.
    Number(&'a str),
    /// null, a boolean, a list or an object.
    Other,
}

/// One field that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Its name in the request.
    pub field: &'static str,
    /// What it must be.
    pub must: String,
}

/// The request's fields, unjudged.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the names are the contract's own")]
pub struct Request<'a> {
    pub token_in: Field<'a>,
    pub token_out: Field<'a>,
    pub amount: Field<'a>,
    pub slippage: Field<'a>,
}

/// The terms of a swap, all of them valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    pair: Pair,
    amount_in: Amount,
    slippage: Slippage,
}

impl Request<'_> {
    /// Judges all fields at once.
    ///
    /// # Errors
    /// Every field that is wrong, in the order of the request.
    pub fn judge(&self) -> Result<Terms, Vec<FieldError>> {
        let mut errors = Vec::new();
        let token_in = note(&mut errors, "tokenIn", token(self.token_in));
        let token_out = note(&mut errors, "tokenOut", token(self.token_out));
        let pair = match (token_in, token_out) {
            (Some(paid), Some(received)) => note(&mut errors, "tokenOut", known_pair(paid, received)),
            (None, _) | (_, None) => None,
        };
        let amount_in = note(&mut errors, "amount", amount(self.amount, token_in));
        let slippage = note(&mut errors, "slippage", slippage(self.slippage));
        match (pair, amount_in, slippage) {
            (Some(pair), Some(amount_in), Some(slippage)) if errors.is_empty() => {
                Ok(Terms { pair, amount_in, slippage })
            }
            (Some(_) | None, Some(_) | None, Some(_) | None) => Err(errors),
        }
    }
}

impl Terms {
    /// The placed event of an order with these terms.
    #[must_use]
    pub fn place(
        self,
        order_id: OrderId,
        user_id: Option<UserId>,
        client_order_id: Option<ClientKey>,
        at: Timestamp,
    ) -> Placed {
        Placed {
            order_id,
            user_id,
            client_order_id,
            token_in: self.pair.token_in(),
            token_out: self.pair.token_out(),
            amount_in: self.amount_in,
            slippage: self.slippage,
            max_attempts: MAX_ATTEMPTS,
            fingerprint: self.fingerprint(),
            at,
        }
    }

    /// SHA-256 of the terms as parsed, in hex: 10, "10" and "10.0" are the same order.
    #[must_use]
    pub fn fingerprint(self) -> String {
        let terms = format!(
            "swap/1|{}|{}|{}|{}",
            self.pair.token_in(),
            self.pair.token_out(),
            self.amount_in,
            self.slippage
        );
        Sha256::digest(terms.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn note<T>(errors: &mut Vec<FieldError>, field: &'static str, judged: Result<T, String>) -> Option<T> {
    judged.map_err(|must| errors.push(FieldError { field, must })).ok()
}

fn token(field: Field<'_>) -> Result<Token, String> {
    let found = match field {
        Field::Text(text) => Token::from_ticker(text),
        Field::Missing | Field::Number(_) | Field::Other => None,
    };
    found.ok_or_else(|| {
        let tickers: Vec<_> = Token::ALL.into_iter().map(Token::ticker).collect();
        format!("must be one of {}", tickers.join(", "))
    })
}

fn known_pair(token_in: Token, token_out: Token) -> Result<Pair, String> {
    if token_in == token_out {
        return Err("must differ from tokenIn".to_owned());
    }
    Pair::new(token_in, token_out).ok_or_else(|| {
        let known: Vec<_> = Token::ALL
            .into_iter()
            .filter(|other| Pair::new(token_in, *other).is_some())
            .map(Token::ticker)
            .collect();
        if known.is_empty() {
            format!("must be a token that {token_in} can be swapped to; there is none, only {token_in} is received")
        } else {
            format!("must be a token that {token_in} can be swapped to: {}", known.join(", "))
        }
    })
}

fn decimal(field: Field<'_>) -> Result<Option<Decimal>, DecimalError> {
    match field {
        Field::Missing => Ok(None),
        Field::Text(text) | Field::Number(text) => parse_exact(text).map(Some),
        Field::Other => Err(DecimalError::NotANumber),
    }
}

fn amount(field: Field<'_>, token_in: Option<Token>) -> Result<Amount, String> {
    const MUST: &str = "must be a number greater than 0 and at most 1000000000";
    let decimal = decimal(field).map_err(|error| format!("{MUST}; {error}"))?.ok_or(MUST)?;
    let positive = decimal > Decimal::ZERO && decimal <= Decimal::from(MAX_AMOUNT);
    let amount = Amount::new(decimal).filter(|_| positive).ok_or(MUST)?;
    match token_in {
        Some(token) if token.atoms(amount).is_none() => {
            Err(format!("must have at most {} decimals for {token}", token.decimals()))
        }
        Some(_) | None => Ok(amount),
    }
}

fn slippage(field: Field<'_>) -> Result<Slippage, String> {
    const MUST: &str = "must be greater than 0 and at most 50 (percent)";
    match decimal(field).map_err(|error| format!("{MUST}; {error}"))? {
        None => Ok(Slippage::DEFAULT),
        Some(percent) => Slippage::new(percent).map_err(|_| MUST.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Field::{Missing, Number, Other, Text};

    const GOOD: Request<'static> =
        Request { token_in: Text("SOL"), token_out: Text("USDC"), amount: Number("10"), slippage: Missing };

    fn check(request: Request<'_>, wrong: &[&str]) {
        let fields = match request.judge() {
            Ok(_) => Vec::new(),
            Err(errors) => errors.into_iter().map(|error| error.field).collect(),
        };
        assert_eq!(fields, wrong, "{request:?}");
    }

    #[test]
    fn each_wrong_field_is_named() {
        for (request, wrong) in [
            (GOOD, &[][..]),
            (Request { amount: Text("1e-7"), ..GOOD }, &[]),
            (Request { amount: Number("1000000000"), slippage: Number("50"), ..GOOD }, &[]),
            (Request { amount: Number("0"), ..GOOD }, &["amount"]),
            (Request { amount: Number("-1"), ..GOOD }, &["amount"]),
            (Request { amount: Text("abc"), ..GOOD }, &["amount"]),
            (Request { amount: Number("1e400"), ..GOOD }, &["amount"]),
            (Request { amount: Number("0.1234567890123456789012345"), ..GOOD }, &["amount"]),
            (Request { amount: Number("1000000000.1"), ..GOOD }, &["amount"]),
            (Request { amount: Missing, ..GOOD }, &["amount"]),
            (Request { amount: Other, ..GOOD }, &["amount"]),
            (
                Request { token_in: Text("USDC"), token_out: Text("SOL"), amount: Text("0.0000001"), ..GOOD },
                &["amount"],
            ),
            (Request { slippage: Number("0"), ..GOOD }, &["slippage"]),
            (Request { slippage: Text("50.01"), ..GOOD }, &["slippage"]),
            (Request { slippage: Other, ..GOOD }, &["slippage"]),
            (Request { token_out: Text("SOL"), ..GOOD }, &["tokenOut"]),
            (Request { token_out: Text("BTC"), ..GOOD }, &["tokenOut"]),
            (Request { token_in: Text("sol"), ..GOOD }, &["tokenIn"]),
            (
                Request { token_in: Missing, token_out: Other, amount: Other, slippage: Other },
                &["tokenIn", "tokenOut", "amount", "slippage"],
            ),
        ] {
            check(request, wrong);
        }
    }

    #[test]
    fn the_same_terms_have_the_same_fingerprint_however_written() {
        let fingerprint = |amount| Request { amount, ..GOOD }.judge().unwrap().fingerprint();
        assert_eq!(fingerprint(Number("10")), fingerprint(Text("10.0")));
        assert_eq!(fingerprint(Number("10")), fingerprint(Number("1e1")));
        assert_ne!(fingerprint(Number("10")), fingerprint(Number("10.000000001")));
        assert_eq!(fingerprint(Number("10")).len(), 64);
    }
}
