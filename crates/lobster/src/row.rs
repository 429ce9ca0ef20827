//! Rows of comma-separated integers, and errors that name the row and the field.

use std::str::FromStr;

use fillstream_domain::book::{Lots, Side, Ticks};

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("row {row}: {field} {must}")]
pub struct RowError {
    /// Which row, from 1.
    pub row: usize,
    /// Which of its fields.
    pub field: String,
    /// What the field must be.
    pub must: String,
}

impl RowError {
    pub(crate) fn new(row: usize, field: impl Into<String>, must: impl Into<String>) -> Self {
        Self { row, field: field.into(), must: must.into() }
    }
}

/// The rows of a file that are not empty, numbered from 1.
pub(crate) fn rows(text: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    lines.map(|(line, row)| (row, line.split(',').map(str::trim).collect()))
}

/// A field of a row under its name.
#[derive(Clone, Copy)]
pub(crate) struct Field<'a> {
    pub(crate) row: usize,
    pub(crate) name: &'a str,
    pub(crate) text: &'a str,
}

impl Field<'_> {
    pub(crate) fn must(&self, must: &str) -> RowError {
        RowError::new(self.row, self.name, format!("must be {must}, and is {:?}", self.text))
    }

    pub(crate) fn integer<T: FromStr>(&self) -> Result<T, RowError> {
        self.text.parse().map_err(|_| self.must("a whole number in its range"))
    }

    /// A price at which an order can rest, in ten-thousandths of a dollar.
    pub(crate) fn price(&self) -> Result<Ticks, RowError> {
        let price = self.text.parse().ok().and_then(Ticks::new);
        price.ok_or_else(|| self.must("a price in dollars times 10000, above 0 and below 4294967296"))
    }

    /// Shares, at least one.
    pub(crate) fn shares(&self) -> Result<Lots, RowError> {
        let shares = self.text.parse().ok().filter(|shares| *shares > 0_u64);
        shares.map(Lots::new).ok_or_else(|| self.must("a whole number of shares, at least 1"))
    }

    pub(crate) fn side(&self) -> Result<Side, RowError> {
        match self.text {
            "1" => Ok(Side::Buy),
            "-1" => Ok(Side::Sell),
            _ => Err(self.must("1 (buy) or -1 (sell)")),
        }
    }

    /// Seconds with up to twelve decimals, as picoseconds: the samples' nanoseconds carry digits of a binary float.
    pub(crate) fn picoseconds(&self) -> Result<u64, RowError> {
        let (seconds, fraction) = self.text.split_once('.').unwrap_or((self.text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let parsed = || {
            let seconds: u64 = seconds.parse().ok()?;
            let fraction: u64 = format!("{fraction:0<12}").parse().ok()?;
            seconds.checked_mul(1_000_000_000_000)?.checked_add(fraction)
        };
        let written = digits(seconds) && digits(fraction) && fraction.len() <= 12;
        written.then(parsed).flatten().ok_or_else(|| self.must("seconds with at most twelve decimals"))
    }
}
