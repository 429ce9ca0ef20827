//! Price levels that an input has changed.

use fillstream_domain::book::{Definition, Levels, Lots, Side, Ticks};
use fillstream_order_book::Book;

/// Quantities that came to and left each level, in the order of events. Whatever cancels out is no change.
#[derive(Debug, Default)]
pub(crate) struct Moved(Vec<(Side, Ticks, i128)>);

impl Moved {
    pub(crate) fn came(&mut self, side: Side, price: Ticks, quantity: Lots) {
        self.0.push((side, price, i128::from(quantity.get())));
    }

    pub(crate) fn left(&mut self, side: Side, price: Ticks, quantity: Lots) {
        self.0.push((side, price, -i128::from(quantity.get())));
    }

    /// The levels that are not what they were, as they are now, best first.
    pub(crate) fn levels(mut self, definition: &Definition, book: &Book) -> Levels {
        self.0.sort_unstable_by_key(|(side, price, _)| (*side, *price));
        let mut levels = Levels::default();
        for level in self.0.chunk_by(|one, next| (one.0, one.1) == (next.0, next.1)) {
            let (side, price, _) = level[0];
            if level.iter().map(|(_, _, quantity)| quantity).sum::<i128>() == 0 {
                continue;
            }
            let now = (definition.price(price), definition.quantity(book.level(side, price)));
            match side {
                Side::Buy => levels.bids.push(now),
                Side::Sell => levels.asks.push(now),
            }
        }
        levels.bids.reverse();
        levels
    }
}
