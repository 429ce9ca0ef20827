//! A book by price levels, as commits tell it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fillstream_domain::Amount;
use fillstream_domain::book::{Levels, Side};

/// Levels of each side that the checksum covers.
pub const CHECKSUM_LEVELS: usize = 10;

/// All that rests in a market, by price. Quantities are never 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LevelBook {
    bids: BTreeMap<Amount, Amount>,
    asks: BTreeMap<Amount, Amount>,
}

/// Best prices with all that rests there; nothing on an empty side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Top {
    /// Highest bid: price, quantity.
    pub bid: Option<(Amount, Amount)>,
    /// Lowest ask: price, quantity.
    pub ask: Option<(Amount, Amount)>,
}

impl LevelBook {
    /// Takes in what has changed.
    pub fn apply(&mut self, levels: &Levels) {
        for (side, changed) in [(Side::Buy, &levels.bids), (Side::Sell, &levels.asks)] {
            for (price, quantity) in changed {
                self.set(side, *price, *quantity);
            }
        }
    }

    /// So much rests at a price now; 0 removes the level.
    pub fn set(&mut self, side: Side, price: Amount, quantity: Amount) {
        let levels = match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        if quantity.decimal().is_zero() {
            levels.remove(&price);
        } else {
            levels.insert(price, quantity);
        }
    }

    /// Price and quantity of the bids, best first.
    pub fn bids(&self) -> impl Iterator<Item = (Amount, Amount)> {
        self.bids.iter().rev().map(|(price, quantity)| (*price, *quantity))
    }

    /// Price and quantity of the asks, best first.
    pub fn asks(&self) -> impl Iterator<Item = (Amount, Amount)> {
        self.asks.iter().map(|(price, quantity)| (*price, *quantity))
    }

    /// The best of each side.
    #[must_use]
    pub fn top(&self) -> Top {
        Top { bid: self.bids().next(), ask: self.asks().next() }
    }

    /// At most `count` levels of each side.
    #[must_use]
    pub fn depth(&self, count: usize) -> Levels {
        Levels { bids: self.bids().take(count).collect(), asks: self.asks().take(count).collect() }
    }

    /// CRC-32 (IEEE) of the best [`CHECKSUM_LEVELS`] bids, then asks, as `price:quantity` joined by `|`.
    #[must_use]
    pub fn checksum(&self) -> u32 {
        let mut text = String::new();
        let best = self.bids().take(CHECKSUM_LEVELS).chain(self.asks().take(CHECKSUM_LEVELS));
        for (price, quantity) in best {
            let bar = if text.is_empty() { "" } else { "|" };
            write!(text, "{bar}{price}:{quantity}").expect("a string takes all that is written");
        }
        crc32fast::hash(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use fillstream_domain::parse_exact;
    use proptest::prelude::*;

    use super::*;

    fn amount(text: &str) -> Amount {
        Amount::new(parse_exact(text).unwrap()).unwrap()
    }

    fn book(bids: &[(&str, &str)], asks: &[(&str, &str)]) -> LevelBook {
        let side = |levels: &[(&str, &str)]| {
            levels.iter().map(|(price, quantity)| (amount(price), amount(quantity))).collect()
        };
        let mut book = LevelBook::default();
        book.apply(&Levels { bids: side(bids), asks: side(asks) });
        book
    }

    #[test]
    fn the_checksum_is_what_others_compute() {
        for (bids, asks, checksum) in [
            (&[][..], &[][..], 0),
            // zlib's crc32 of "100:2|99.5:1.25|100.01:0.00000001"
            (&[("99.5", "1.25"), ("100.00", "2.0")], &[("100.01", "0.00000001")], 0x3da7_3cc8),
            // … of "0.1:10"
            (&[], &[("0.10", "10")], 0x4aa6_fff7),
        ] {
            assert_eq!(book(bids, asks).checksum(), checksum, "{bids:?} {asks:?}");
        }
    }

    #[test]
    fn the_checksum_covers_ten_levels_of_each_side() {
        let level = |n: usize| (amount(&(100 + n).to_string()), amount("1"));
        let levels = Levels { bids: (0..12).map(level).collect(), asks: (20..32).map(level).collect() };
        let mut book = LevelBook::default();
        book.apply(&levels);
        let text =
            (2..12).rev().chain(20..30).map(|n| format!("{}:1", 100 + n)).collect::<Vec<_>>().join("|");
        assert_eq!(book.checksum(), crc32fast::hash(text.as_bytes()));
        let before = book.checksum();
        book.set(Side::Buy, amount("101"), amount("7"));
        book.set(Side::Sell, amount("130"), amount("7"));
        assert_eq!(book.checksum(), before, "the eleventh is not seen");
        book.set(Side::Buy, amount("102"), amount("7"));
        assert_ne!(book.checksum(), before, "the tenth is");
    }

    proptest! {
        /// Against a list that is searched from end to end.
        #[test]
        fn it_is_the_book_that_a_list_gives(
            changes in prop::collection::vec((any::<bool>(), 1_u32..30, 0_u32..4), 0..200),
            count in 0_usize..12,
        ) {
            let mut book = LevelBook::default();
            let mut naive: Vec<(bool, u32, u32)> = Vec::new();
            for (bid, price, quantity) in changes {
                let side = if bid { Side::Buy } else { Side::Sell };
                book.set(side, amount(&price.to_string()), amount(&quantity.to_string()));
                naive.retain(|level| (level.0, level.1) != (bid, price));
                if quantity > 0 {
                    naive.push((bid, price, quantity));
                }
                naive.sort_by_key(|level| if level.0 { u32::MAX - level.1 } else { level.1 });
                let side = |bid: bool, count: usize| {
                    let of_side = naive.iter().filter(|level| level.0 == bid).take(count);
                    of_side
                        .map(|level| (amount(&level.1.to_string()), amount(&level.2.to_string())))
                        .collect::<Vec<_>>()
                };
                prop_assert_eq!(book.depth(count), Levels { bids: side(true, count), asks: side(false, count) });
                let best = |bid| side(bid, 1).pop();
                prop_assert_eq!(book.top(), Top { bid: best(true), ask: best(false) });
            }
        }
    }
}
