//! Price levels of both sides: a window of them around the touch, found by subtraction, and a tree for the rest.
//!
//! ```text
//!   far (tree)     window: one place per tick                 far (tree)
//!   …  40  95 │ 1000 … [bids] 1034 · · 1036 [asks] … 66535 │ 90000 …
//!              base          best bid  best ask
//! ```
//! The book is never crossed, so that a price is of one side only and both share the window: what is at or below the
//! best bid is a bid. Where the window lies can be felt by speed alone: events, hash and snapshots know nothing of it.

mod bitmap;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Bound;

use fillstream_domain::book::{Lots, Side, Ticks};

use self::bitmap::Bitmap;
use crate::codes;
use crate::slab::{NONE, Slot};

/// Ticks in the window, 16 bytes each: a megabyte, which caches hold where it is used, and 6 % of a price of 10,000.00
/// in cents.
const WINDOW: u32 = 1 << 16;

/// Orders outside that the window does not move for, however few levels there are.
const PATIENCE: usize = 64;

/// All orders of one price, oldest first. It is empty when no lots are left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Level {
    pub(crate) head: Slot,
    pub(crate) tail: Slot,
    pub(crate) lots: Lots,
}

impl Level {
    const EMPTY: Self = Self { head: NONE, tail: NONE, lots: Lots::ZERO };
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Ladder {
    /// None before the first order.
    window: Vec<Level>,
    /// The price of the window's first place.
    base: u32,
    occupied: Bitmap,
    /// Levels outside the window; none of them empty.
    far: BTreeMap<Ticks, Level>,
    /// The best bid, the best ask.
    best: [Option<Ticks>; 2],
    /// Orders that came outside the window since it was last looked at.
    strays: usize,
}

impl Ladder {
    /// The best price of a side.
    pub(crate) const fn best(&self, side: Side) -> Option<Ticks> {
        self.best[codes::side(side) as usize]
    }

    const fn best_mut(&mut self, side: Side) -> &mut Option<Ticks> {
        &mut self.best[codes::side(side) as usize]
    }

    /// Where a price of the window is in it; beyond its end for any other.
    const fn place(&self, price: Ticks) -> usize {
        price.get().wrapping_sub(self.base) as usize
    }

    fn price(&self, place: usize) -> Ticks {
        let offset = u32::try_from(place).expect("a place in the window");
        Ticks::new(self.base + offset).expect("no order has a price of 0")
    }

    /// The level at a price, whichever side it is of; empty when nothing rests there.
    pub(crate) fn get(&self, price: Ticks) -> Level {
        let near = self.window.get(self.place(price));
        near.or_else(|| self.far.get(&price)).copied().unwrap_or(Level::EMPTY)
    }

    /// The level at a price where something rests.
    pub(crate) fn get_mut(&mut self, price: Ticks) -> &mut Level {
        let place = self.place(price);
        let near = self.window.get_mut(place);
        near.or_else(|| self.far.get_mut(&price)).expect("a resting order has a level")
    }

    /// Whether what rests at `price`, if anything does, rests on this side.
    pub(crate) fn is_of(&self, side: Side, price: Ticks) -> bool {
        self.best(side).is_some_and(|best| !is_better(side, price, best))
    }

    /// The level at `price`, which is about to hold something.
    pub(crate) fn occupy(&mut self, side: Side, price: Ticks) -> &mut Level {
        if self.best(side).is_none_or(|best| is_better(side, price, best)) {
            *self.best_mut(side) = Some(price);
        }
        if self.place(price) >= self.window.len() {
            self.stray(side);
        }
        let place = self.place(price);
        let Some(level) = self.window.get_mut(place) else {
            return self.far.entry(price).or_insert(Level::EMPTY);
        };
        if level.lots == Lots::ZERO {
            self.occupied.set(place);
        }
        level
    }

    /// The level at `price` holds nothing any more.
    pub(crate) fn vacate(&mut self, side: Side, price: Ticks) {
        let place = self.place(price);
        if place < self.window.len() {
            self.occupied.clear(place);
        } else {
            self.far.remove(&price);
        }
        if self.best(side) == Some(price) {
            *self.best_mut(side) = self.next(side, price);
        }
    }

    /// The next level of a side behind `price`.
    pub(crate) fn next(&self, side: Side, price: Ticks) -> Option<Ticks> {
        match side {
            Side::Buy => self.below(price),
            Side::Sell => self.above(price),
        }
    }

    fn below(&self, price: Ticks) -> Option<Ticks> {
        let place = self.place(price);
        let inside = place < self.window.len();
        let end = if inside { place } else { self.window.len() };
        let near = self.occupied.before(end).map(|place| self.price(place)).filter(|&near| near < price);
        if inside && near.is_some() {
            return near;
        }
        let far = self.far.range(..price).next_back();
        near.max(far.map(|(&far, _)| far))
    }

    fn above(&self, price: Ticks) -> Option<Ticks> {
        let place = self.place(price);
        let inside = place < self.window.len();
        let start = if inside { place + 1 } else { 0 };
        let near = self.occupied.from(start).map(|place| self.price(place)).filter(|&near| near > price);
        if inside && near.is_some() {
            return near;
        }
        let far = self.far.range((Bound::Excluded(price), Bound::Unbounded)).next();
        near.into_iter().chain(far.map(|(&far, _)| far)).min()
    }

    /// An order of this side came outside the window. Once as many have come as there are levels to be moved, so that
    /// moving costs no more than they did, the window follows the side's best price, if that has left its middle.
    #[cold]
    fn stray(&mut self, side: Side) {
        self.strays += 1;
        let levels = self.occupied.occupied() + self.far.len();
        let best = self.best(side).expect("the order that came, at least");
        let middle = (self.window.len() / 4)..(self.window.len() * 3 / 4);
        if levels == 0 || self.strays >= levels + PATIENCE {
            self.strays = 0;
            if !middle.contains(&self.place(best)) {
                self.move_around(best);
            }
        }
    }

    /// Puts `price` in the middle of the window, as far as prices go.
    fn move_around(&mut self, price: Ticks) {
        while let Some(place) = self.occupied.from(0) {
            self.occupied.clear(place);
            let level = std::mem::replace(&mut self.window[place], Level::EMPTY);
            self.far.insert(self.price(place), level);
        }
        if self.window.is_empty() {
            self.window = vec![Level::EMPTY; WINDOW as usize];
            self.occupied = Bitmap::new(self.window.len());
        }
        self.base = price.get().saturating_sub(WINDOW / 2).min(u32::MAX - WINDOW + 1);
        let first = Ticks::new(self.base.max(1)).expect("at least 1");
        let mut inside = self.far.split_off(&first);
        let last = Ticks::new(self.base + (WINDOW - 1)).expect("above the first");
        let mut above = inside.split_off(&last);
        if let Some(level) = above.remove(&last) {
            inside.insert(last, level);
        }
        self.far.append(&mut above);
        for (price, level) in inside {
            let place = self.place(price);
            self.window[place] = level;
            self.occupied.set(place);
        }
    }
}

/// Whether `price` is served before `other` on this side.
pub(crate) const fn is_better(side: Side, price: Ticks, other: Ticks) -> bool {
    rank(side, price) < rank(side, other)
}

/// Lower is served first. One comparison for both sides: which side comes next is nothing that a branch could guess.
const fn rank(side: Side, price: Ticks) -> u32 {
    match side {
        Side::Buy => !price.get(),
        Side::Sell => price.get(),
    }
}
