//! Book files: the exchange's book after each event, the best levels of each side.
//!
//! ```text
//!  ask price,ask size,bid price,bid size, and again for each deeper level     5859400,200,5853300,18,…
//! ```

use fillstream_domain::book::{Lots, Side, Ticks};

use crate::row::{Field, RowError, rows};

/// Price that stands for an empty level, with its sign: asks, bids.
const NO_ASK: &str = "9999999999";
const NO_BID: &str = "-9999999999";

/// The book after one event, as the exchange had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    asks: Vec<(Ticks, Lots)>,
    bids: Vec<(Ticks, Lots)>,
    /// Levels of each side that the row has room for.
    depth: usize,
}

impl Published {
    /// The levels of a side, best first.
    #[must_use]
    pub fn levels(&self, side: Side) -> &[(Ticks, Lots)] {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    /// Size that rests at a price; nothing is known of it when it lies behind the last level.
    #[must_use]
    pub fn at(&self, side: Side, price: Ticks) -> Option<Lots> {
        let levels = self.levels(side);
        let shown = levels.iter().find(|(level, _)| *level == price).map(|(_, quantity)| *quantity);
        shown.or_else(|| self.covers(side, price).then_some(Lots::ZERO))
    }

    /// True when a level at this price would be shown.
    fn covers(&self, side: Side, price: Ticks) -> bool {
        let levels = self.levels(side);
        let inside = |last: Ticks| match side {
            Side::Buy => price >= last,
            Side::Sell => price <= last,
        };
        levels.len() < self.depth || levels.last().is_none_or(|(last, _)| inside(*last))
    }
}

/// Reads a book file.
///
/// # Errors
/// The first field that is wrong, with its row.
pub fn books(text: &str) -> Result<Vec<Published>, RowError> {
    rows(text).map(|(row, fields)| book(row, &fields)).collect()
}

fn book(row: usize, fields: &[&str]) -> Result<Published, RowError> {
    if !fields.len().is_multiple_of(4) {
        let must = format!("must be four for each level, and are {}", fields.len());
        return Err(RowError::new(row, "columns", must));
    }
    let mut book = Published { asks: Vec::new(), bids: Vec::new(), depth: fields.len() / 4 };
    for (columns, number) in fields.chunks_exact(4).zip(1..) {
        let side = |side, none, price, size| {
            let names = [format!("{side} price {number}"), format!("{side} size {number}")];
            level(row, &names, none, [price, size])
        };
        book.asks.extend(side("ask", NO_ASK, columns[0], columns[1])?);
        book.bids.extend(side("bid", NO_BID, columns[2], columns[3])?);
    }
    let falls = |levels: &[(Ticks, Lots)]| levels.is_sorted_by(|one, next| one.0 > next.0);
    let rises = |levels: &[(Ticks, Lots)]| levels.is_sorted_by(|one, next| one.0 < next.0);
    match (rises(&book.asks), falls(&book.bids)) {
        (false, _) => Err(RowError::new(row, "ask prices", "must rise from level to level")),
        (_, false) => Err(RowError::new(row, "bid prices", "must fall from level to level")),
        (true, true) => Ok(book),
    }
}

fn level(
    row: usize,
    names: &[String; 2],
    none: &str,
    [price, size]: [&str; 2],
) -> Result<Option<(Ticks, Lots)>, RowError> {
    let (price, size) =
        (Field { row, name: &names[0], text: price }, Field { row, name: &names[1], text: size });
    match (price.text == none, size.text) {
        (true, "0") => Ok(None),
        (true, _) => Err(size.must("0 at an empty level")),
        (false, _) => Ok(Some((price.price()?, size.shares()?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_levels_are_no_levels() {
        let read = books("101,5,99,6,9999999999,0,98,7\n").unwrap().remove(0);
        let level = |price, size| (Ticks::new(price).unwrap(), Lots::new(size));
        assert_eq!(read.levels(Side::Sell), [level(101, 5)]);
        assert_eq!(read.levels(Side::Buy), [level(99, 6), level(98, 7)]);
        let at = |side, price| read.at(side, Ticks::new(price).unwrap()).map(Lots::get);
        assert_eq!(
            [at(Side::Sell, 101), at(Side::Sell, 200)],
            [Some(5), Some(0)],
            "the asks end with the first"
        );
        assert_eq!([at(Side::Buy, 98), at(Side::Buy, 97)], [Some(7), None], "what is deeper is unknown");
    }

    #[test]
    fn errors_name_the_row_and_the_field() {
        for (bad, error) in [
            ("101,5,99", "columns must be four for each level, and are 3"),
            (
                "101,5,99,6,102,0,98,7",
                "ask size 2 must be a whole number of shares, at least 1, and is \"0\"",
            ),
            ("101,5,-9999999999,6", "bid size 1 must be 0 at an empty level, and is \"6\""),
            ("102,5,99,6,101,5,98,7", "ask prices must rise from level to level"),
            ("101,5,98,6,102,5,98,7", "bid prices must fall from level to level"),
        ] {
            assert_eq!(books(bad).unwrap_err().to_string(), format!("row 1: {error}"));
        }
    }
}
