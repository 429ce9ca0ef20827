//! Reading a decimal from its text, exactly: no binary float is ever in between.

use rust_decimal::Decimal;

/// Reasons why a text is not a decimal that we can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not digits with an optional sign, point and exponent.
    #[error("must be a decimal number")]
    NotANumber,
    /// More than 28 digits that matter.
    #[error("must have at most 28 significant digits")]
    TooManyDigits,
    /// An exponent that moves the number out of the range of ±10^28 or below 10^-28.
    #[error("must lie between 10^-28 and 10^28")]
    OutOfRange,
}

/// Digits that matter at most: what a 96-bit coefficient holds of any number.
const MAX_SIGNIFICANT_DIGITS: usize = 28;
/// Digits behind the point at most, as in `rust_decimal`.
const MAX_SCALE: i64 = 28;
/// Longest text worth reading; zeros are free, but not without end.
const MAX_TEXT: usize = 512;

/// Reads `10`, `-0.50`, `1e-7`, `12E+3` exactly. Leading and trailing zeros never matter: the result is normalized.
///
/// # Errors
/// See [`DecimalError`].
pub fn parse_exact(text: &str) -> Result<Decimal, DecimalError> {
    if text.len() > MAX_TEXT {
        return Err(DecimalError::TooManyDigits);
    }
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = split_exponent(unsigned)?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let well_formed = !whole.is_empty() && (!mantissa.contains('.') || !fraction.is_empty());
    if !well_formed || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return Err(DecimalError::NotANumber);
    }
    let significant = Significant::of(whole.bytes().chain(fraction.bytes()))?;
    if significant.digits == 0 {
        return Ok(Decimal::ZERO);
    }
    significant.place(exponent, fraction.len(), negative)
}

/// The digits between the zeros that do not matter.
#[derive(Default)]
struct Significant {
    coefficient: i128,
    digits: usize,
    /// Zeros behind them.
    dropped: usize,
}

impl Significant {
    /// Of ASCII digits. No text in between: decimals are most of what a commit holds.
    fn of(digits: impl Iterator<Item = u8>) -> Result<Self, DecimalError> {
        let mut found = Self::default();
        for digit in digits {
            if digit == b'0' {
                found.dropped += usize::from(found.digits > 0);
                continue;
            }
            let grown = found.digits + found.dropped + 1;
            if grown > MAX_SIGNIFICANT_DIGITS {
                return Err(DecimalError::TooManyDigits);
            }
            for _ in 0..found.dropped + 1 {
                found.coefficient *= 10;
            }
            found.coefficient += i128::from(digit - b'0');
            (found.digits, found.dropped) = (grown, 0);
        }
        Ok(found)
    }

    /// Puts the point where it belongs.
    fn place(&self, exponent: i64, fraction_digits: usize, negative: bool) -> Result<Decimal, DecimalError> {
        let count = |count: usize| i64::try_from(count).map_err(|_| DecimalError::OutOfRange);
        let scale = count(fraction_digits)? - count(self.dropped)? - exponent;
        if scale > MAX_SCALE || count(self.digits)? - scale > MAX_SCALE {
            return Err(DecimalError::OutOfRange);
        }
        let (coefficient, scale) = match u32::try_from(-scale) {
            Ok(zeros) => (self.coefficient * 10_i128.pow(zeros), 0),
            Err(_) => (self.coefficient, u32::try_from(scale).map_err(|_| DecimalError::OutOfRange)?),
        };
        let signed = if negative { -coefficient } else { coefficient };
        Decimal::try_from_i128_with_scale(signed, scale).map_err(|_| DecimalError::OutOfRange)
    }
}

fn split_exponent(text: &str) -> Result<(&str, i64), DecimalError> {
    let Some(at) = text.find(['e', 'E']) else { return Ok((text, 0)) };
    let (mantissa, exponent) = (&text[..at], &text[at + 1..]);
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DecimalError::NotANumber);
    }
    // A hundred digits of exponent are well-formed and far out of range.
    let value = exponent.parse::<i32>().map(i64::from);
    value.map(|value| (mantissa, value)).map_err(|_| DecimalError::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;
    use DecimalError::{NotANumber, OutOfRange, TooManyDigits};

    fn check(text: &str, expected: Result<&str, DecimalError>) {
        assert_eq!(
            parse_exact(text).map(|decimal| decimal.to_string()),
            expected.map(str::to_owned),
            "{text:?}"
        );
    }

    #[test]
    fn texts_are_read_exactly() {
        for (text, value) in [
            ("10", "10"),
            ("10.0", "10"),
            ("010.500", "10.5"),
            ("0.1", "0.1"),
            ("1e-7", "0.0000001"),
            ("1.5E3", "1500"),
            ("12e+1", "120"),
            ("0e999", "0"),
            ("-3.25", "-3.25"),
            ("0.1234567890123456789012345678", "0.1234567890123456789012345678"),
            ("10.00000000000000000000000000000000000000000000", "10"),
            ("9999999999999999999999999999", "9999999999999999999999999999"),
        ] {
            check(text, Ok(value));
        }
    }

    #[test]
    fn refusals_say_what_is_wrong() {
        for (text, error) in [
            ("", NotANumber),
            ("abc", NotANumber),
            ("NaN", NotANumber),
            ("Infinity", NotANumber),
            ("1.", NotANumber),
            (".5", NotANumber),
            ("+1", NotANumber),
            ("1e", NotANumber),
            ("1e+", NotANumber),
            ("1 000", NotANumber),
            ("0x10", NotANumber),
            ("٣", NotANumber),
            ("1e400", OutOfRange),
            ("1e-400", OutOfRange),
            ("1e99999999999999999999", OutOfRange),
            ("12345678901234567890123456789", TooManyDigits),
            ("0.12345678901234567890123456789", TooManyDigits),
        ] {
            check(text, Err(error));
        }
    }

    proptest::proptest! {
        #[test]
        fn every_decimal_survives_its_own_text(coefficient in -9_999_999_999_999_999_999_999_999_999_i128..=9_999_999_999_999_999_999_999_999_999, scale in 0_u32..=28) {
            let decimal = Decimal::from_i128_with_scale(coefficient, scale).normalize();
            proptest::prop_assert_eq!(parse_exact(&decimal.to_string()), Ok(decimal));
        }
    }
}
