//! Price levels of both sides: a window of them around the touch, found by subtraction, and a tree for the rest.
//!
//! ```text
//!   far (tree)     window: one place per tick                 far (tree)
//!   …  40  95 │ 1000 … [bids] 1034 · · 1036 [asks] … 1511 │ 90000 …
//!              base          best bid  best ask
//! ```
//! The book is never crossed, so that a price is of one side only and both share the window: what is at or below the
//! best bid is a bid. The window grows with the book and follows the touch, which can be felt by speed and memory alone:
//! events, hash and snapshots know nothing of it.

mod bitmap;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::{Bound, RangeInclusive};

use fillstream_domain::book::{Lots, Side, Ticks};

use self::bitmap::Bitmap;
use crate::codes;
use crate::slab::{NONE, Slot};

/// Ticks in the window, at first and at most, 16 bytes each. At most a megabyte: 6 % of a price of 10,000.00 in cents.
const PLACES: RangeInclusive<usize> = 1 << 9..=1 << 16;

/// Resting orders for each tick of a window that grows, so that the window costs each of them at most 6 bytes.
const ORDERS_PER_PLACE: usize = 3;

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
    /// Empty before the first order.
    window: Vec<Level>,
    /// The price of the window's first place.
    base: u32,
    occupied: Bitmap,
    /// Levels outside the window; none of them empty.
    far: BTreeMap<Ticks, Level>,
    /// The best bid, the best ask.
    best: [Option<Ticks>; 2],
    /// Orders since the window was last looked at that would be better off with another one.
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

    /// Index of a price in the window; beyond its end for any other.
    const fn place(&self, price: Ticks) -> usize {
        price.get().wrapping_sub(self.base) as usize
    }

    fn price(&self, place: usize) -> Ticks {
        let offset = u32::try_from(place).expect("a place in the window");
        Ticks::new(self.base + offset).expect("no order has a price of 0")
    }

    /// Bytes allocated for the window.
    pub(crate) const fn bytes(&self) -> usize {
        self.window.capacity() * size_of::<Level>() + self.occupied.bytes()
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

    /// True when what rests at `price`, if anything does, rests on this side.
    pub(crate) fn is_of(&self, side: Side, price: Ticks) -> bool {
        self.best(side).is_some_and(|best| !is_better(side, price, best))
    }

    /// The level at `price`, which is about to hold something beside all the `orders` that rest.
    #[inline(always)]
    pub(crate) fn occupy(&mut self, side: Side, price: Ticks, orders: usize) -> &mut Level {
        let is_best = self.best(side).is_none_or(|best| is_better(side, price, best));
        if is_best {
            *self.best_mut(side) = Some(price);
        }
        let strays = if is_best { !self.is_central(price) } else { self.place(price) >= self.window.len() };
        if strays {
            self.stray(side, orders);
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

    /// True when a price is in the middle half of the window.
    const fn is_central(&self, price: Ticks) -> bool {
        let places = self.window.len();
        self.place(price).wrapping_sub(places / 4) < places / 2
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

    /// An order came outside the window, or as a side's best off its middle. Once so many have come that moving all levels
    /// costs no more than they did, the window follows the best price, or grows if that is in its middle.
    #[cold]
    fn stray(&mut self, side: Side, orders: usize) {
        self.strays += 1;
        let places = self.window.len();
        let levels = self.occupied.occupied() + self.far.len();
        // A level that moves counts as a quarter of an order that strays, a place of the window as a thirty-second.
        if 4 * self.strays < levels + places / 8 {
            return;
        }
        self.strays = 0;
        let best = self.best(side).expect("the order that came, at least");
        let least = places.max(*PLACES.start());
        if !self.is_central(best) && (base(best, least), least) != (self.base, places) {
            self.move_around(best, least);
        } else if 2 * places <= (orders / ORDERS_PER_PLACE).min(*PLACES.end()) {
            self.move_around(best, 2 * places);
        }
    }

    /// Makes `price` the middle of a window of so many places, no less than before, as far as prices go.
    fn move_around(&mut self, price: Ticks, places: usize) {
        let base = base(price, places);
        let mut start = 0;
        while let Some(place) = self.occupied.from(start) {
            let leaves = self.price(place);
            if leaves.get().wrapping_sub(base) as usize >= places {
                self.far.insert(leaves, std::mem::replace(&mut self.window[place], Level::EMPTY));
            }
            start = place + 1;
        }
        self.window.resize(places, Level::EMPTY);
        // What stays lies within the new window, so that nothing but empty places goes round.
        let steps = base.abs_diff(self.base) as usize % places;
        if base > self.base {
            self.window.rotate_left(steps);
        } else {
            self.window.rotate_right(steps);
        }
        self.base = base;
        self.occupied.reset(places);
        let occupied = self.window.iter().enumerate().filter(|(_, level)| level.lots != Lots::ZERO);
        occupied.for_each(|(place, _)| self.occupied.set(place));
        self.draw_in();
    }

    /// Moves the levels of the tree that are within the window into it.
    fn draw_in(&mut self) {
        let first = Ticks::new(self.base.max(1)).expect("at least 1");
        while let Some((&price, _)) = self.far.range(first..).next()
            && self.place(price) < self.window.len()
        {
            let place = self.place(price);
            self.window[place] = self.far.remove(&price).expect("it was just found");
            self.occupied.set(place);
        }
    }
}

/// The first price of a window of so many places in whose middle `price` is, as far as prices go.
fn base(price: Ticks, places: usize) -> u32 {
    let width = u32::try_from(places).expect("a window is small");
    price.get().saturating_sub(width / 2).min(u32::MAX - width + 1)
}

/// True when `price` is served before `other` on this side.
pub(crate) const fn is_better(side: Side, price: Ticks, other: Ticks) -> bool {
    rank(side, price) < rank(side, other)
}

/// Lower is served first. Arithmetic and no branch: which side comes next is nothing that could be guessed.
const fn rank(side: Side, price: Ticks) -> u32 {
    let of_buy_all_ones = (codes::side(side) as u32).wrapping_sub(1);
    price.get() ^ of_buy_all_ones
}
