//! Contender: what a book must do to be compared.

use super::script::Operation;

/// A book under measurement.
pub(super) trait Contender {
    const NAME: &'static str;
    /// An operation in the book's own words: putting it so is not measured.
    type Command;

    fn new() -> Self;

    fn command(operation: &Operation) -> Self::Command;

    /// Does what is asked and tells the trades, in order.
    fn answer(&mut self, command: &Self::Command, trades: &mut Trades);
}

/// All trades so far, for comparison.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Trades {
    pub(super) count: u64,
    digest: u64,
}

impl Trades {
    pub(super) fn add(&mut self, maker: u64, price: u64, quantity: u64) {
        self.count += 1;
        for word in [maker, price, quantity] {
            self.digest = (self.digest.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }
}
