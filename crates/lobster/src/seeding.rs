//! The published book in the plan: what it shows and no row has told.
//!
//! ```text
//!  book of row 1 ──▶ seeded before it: every level that it shows, without what the row itself does
//!  later books   ──▶ a level that was never seeded nor named: adopted
//!                    another quantity than the rows give: a difference, told and put right
//! ```
//! **Whose shares these are.** What a level shows beyond its known orders belongs first to the orders there that no row
//! submits, in the order of their numbers; the rest to one anonymous order behind them. Behind, because no row ever takes
//! from it: had it stood before an order that is executed, it would have been executed first, and so be named.
//!
//! **Putting right.** Where the rows give more than the book shows, the excess is taken, oldest first, from shares that
//! no later row names.

use std::collections::BTreeMap;

use fillstream_domain::book::{Lots, Side, Ticks};

use crate::ledger::Level;
use crate::message::Kind;
use crate::plan::{Planner, SIDES};
use crate::published::Published;
use crate::{Action, Check, Key, Standing};

pub(crate) struct Seeding<'a> {
    books: &'a [Published],
    standing: BTreeMap<Level, Standing>,
    /// Anonymous orders so far.
    anonymous: u32,
}

impl<'a> Seeding<'a> {
    pub(crate) const fn new(books: &'a [Published]) -> Self {
        Self { books, standing: BTreeMap::new(), anonymous: 0 }
    }

    /// What rested before row 1: what its book shows, without what the row itself has done.
    pub(crate) fn seed(&mut self, first: &Kind, planner: &mut Planner) -> Vec<Action> {
        let Some(book) = self.books.first() else { return Vec::new() };
        let mut asked = Vec::new();
        for side in SIDES {
            for &(price, shown) in book.levels(side) {
                let own = first.named().filter(|named| (named.side, named.price) == (side, price));
                let rested = match (first, own.map(|named| named.quantity)) {
                    (Kind::Submitted(_), Some(came)) => shown.minus(came),
                    (_, went) => shown.plus(went.unwrap_or(Lots::ZERO)),
                };
                let level = (side, price);
                let missing = rested.and_then(|rested| rested.minus(planner.ledger.level(level)));
                asked.extend(self.fill_up(level, missing.unwrap_or(Lots::ZERO), planner));
            }
        }
        asked
    }

    /// A message names this level.
    pub(crate) fn name(&mut self, level: Level) {
        self.standing.insert(level, Standing::Known);
    }

    /// Looks at the book after a row: what is to be compared, and what is to be put right afterwards.
    pub(crate) fn look(&mut self, row: usize, planner: &mut Planner) -> (Vec<Check>, Vec<Action>) {
        let Some(book) = self.books.get(row - 1) else { return (Vec::new(), Vec::new()) };
        let (mut checks, mut after) = (Vec::new(), Vec::new());
        for side in SIDES {
            for (price, published) in shown_or_held(book, side, planner) {
                let level = (side, price);
                let planned = planner.ledger.level(level);
                let unseen = if row == 1 { Standing::Known } else { Standing::Adopted };
                let fresh = !self.standing.contains_key(&level);
                let standing = *self.standing.entry(level).or_insert(unseen);
                if row > 1 {
                    let unseen_since = self.unseen_since(row, level);
                    checks.push(Check { side, price, published, planned, standing, fresh, unseen_since });
                }
                after.extend(self.put_right(level, planned, published, planner));
            }
        }
        (checks, after)
    }

    /// The first row of those just before this one after which the books do not tell what rests at the level.
    fn unseen_since(&self, row: usize, (side, price): Level) -> Option<usize> {
        let untold = |row: &usize| self.books[row - 1].at(side, price).is_none();
        (1..row).rev().take_while(untold).last()
    }

    fn put_right(
        &mut self,
        level: Level,
        planned: Lots,
        published: Lots,
        planner: &mut Planner,
    ) -> Vec<Action> {
        match (published.minus(planned), planned.minus(published)) {
            (Some(missing), _) if missing > Lots::ZERO => self.fill_up(level, missing, planner),
            (_, Some(excess)) if excess > Lots::ZERO => take_away(level, excess, planner),
            _ => Vec::new(),
        }
    }

    fn fill_up(&mut self, level: Level, mut missing: Lots, planner: &mut Planner) -> Vec<Action> {
        let here =
            |number: &u64| planner.lives.get(number).is_some_and(|life| (life.side, life.price) == level);
        let waiting: Vec<(u64, Lots)> =
            planner.waiting.iter().filter(|(number, _)| here(number)).map(|(n, lots)| (*n, *lots)).collect();
        let mut placed = Vec::new();
        for (number, quantity) in waiting {
            if let Some(rest) = missing.minus(quantity) {
                missing = rest;
                placed.extend(planner.place_waiting(number));
            }
        }
        if missing > Lots::ZERO {
            self.anonymous += 1;
            let (order, (side, price)) = (Key::Anonymous(self.anonymous), level);
            placed.push(planner.asked(Action::Place { order, side, price, quantity: missing }));
        }
        placed
    }
}

/// The levels that the book shows, and those that are held in its range though it shows nothing there.
fn shown_or_held(book: &Published, side: Side, planner: &Planner) -> Vec<(Ticks, Lots)> {
    let mut levels = book.levels(side).to_vec();
    let held = planner.ledger.levels(side).map(|(price, _)| price);
    levels.extend(
        held.filter(|price| book.at(side, *price) == Some(Lots::ZERO)).map(|price| (price, Lots::ZERO)),
    );
    levels
}

fn take_away(level: Level, mut excess: Lots, planner: &mut Planner) -> Vec<Action> {
    let mut asked = Vec::new();
    for (order, held) in planner.ledger.queue(level) {
        let to_come = match order {
            Key::Numbered(number) => planner.lives.get(&number).map_or(Lots::ZERO, |life| life.to_come),
            Key::Anonymous(_) | Key::Aggressor(_) => Lots::ZERO,
        };
        let spare = held.left().minus(to_come).unwrap_or(Lots::ZERO).min(excess);
        if spare > Lots::ZERO {
            excess = excess.minus(spare).unwrap_or(Lots::ZERO);
            let less = planner.less(order, spare);
            asked.push(planner.asked(less));
        }
    }
    asked
}
