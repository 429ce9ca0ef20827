//! Resting orders, one by one: once as the exchange's rows tell it, once as the matcher's answers do.

use std::collections::BTreeMap;

use fillstream_domain::book::{Lots, Side, Ticks};

use crate::{Action, Key};

/// A price level.
pub(crate) type Level = (Side, Ticks);

/// An order that has been placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) level: Level,
    /// Its total, what is filled included.
    pub(crate) quantity: Lots,
    pub(crate) filled: Lots,
    /// Its turn among all that were placed.
    pub(crate) turn: usize,
}

impl Held {
    pub(crate) fn left(&self) -> Lots {
        self.quantity.minus(self.filled).unwrap_or(Lots::ZERO)
    }
}

/// All orders that were placed, ended ones included.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    orders: BTreeMap<Key, Held>,
    levels: BTreeMap<Level, Lots>,
}

impl Ledger {
    pub(crate) const fn new() -> Self {
        Self { orders: BTreeMap::new(), levels: BTreeMap::new() }
    }

    pub(crate) fn order(&self, order: Key) -> Option<&Held> {
        self.orders.get(&order)
    }

    /// Rest of an order; nothing of one that was never placed.
    pub(crate) fn left(&self, order: Key) -> Lots {
        self.order(order).map_or(Lots::ZERO, Held::left)
    }

    pub(crate) fn level(&self, level: Level) -> Lots {
        self.levels.get(&level).copied().unwrap_or(Lots::ZERO)
    }

    /// The levels of a side at which something rests, by price.
    pub(crate) fn levels(&self, side: Side) -> impl Iterator<Item = (Ticks, Lots)> + '_ {
        self.levels.iter().filter(move |((of, _), _)| *of == side).map(|((_, price), lots)| (*price, *lots))
    }

    /// The orders that rest at a level, in the order in which they came.
    pub(crate) fn queue(&self, level: Level) -> Vec<(Key, Held)> {
        let here = self.orders.iter().filter(|(_, held)| held.level == level && held.left() > Lots::ZERO);
        let mut queue: Vec<_> = here.map(|(key, held)| (*key, *held)).collect();
        queue.sort_by_key(|(_, held)| held.turn);
        queue
    }

    /// Applies what is asked as if it were granted. What a taker does is told by its executions: [`fill`](Self::fill).
    pub(crate) fn apply(&mut self, action: &Action) {
        match *action {
            Action::Place { order, side, price, quantity } => self.place(order, (side, price), quantity),
            Action::Take { .. } => {}
            Action::Less { order, quantity } => {
                self.change(order, |held| held.quantity = quantity.max(held.filled))
            }
            Action::Cancel { order } => self.change(order, |held| held.quantity = held.filled),
        }
    }

    fn place(&mut self, order: Key, level: Level, quantity: Lots) {
        let turn = self.orders.len();
        self.orders.insert(order, Held { level, quantity, filled: Lots::ZERO, turn });
        self.settle(level, Lots::ZERO, quantity);
    }

    /// So much of it is executed; more than is left counts as what is left.
    pub(crate) fn fill(&mut self, order: Key, quantity: Lots) {
        self.change(order, |held| {
            held.filled = held.filled.plus(quantity).unwrap_or(held.quantity).min(held.quantity);
        });
    }

    fn change(&mut self, order: Key, change: impl FnOnce(&mut Held)) {
        let Some(held) = self.orders.get_mut(&order) else { return };
        let (level, before) = (held.level, held.left());
        change(held);
        let after = held.left();
        self.settle(level, before, after);
    }

    fn settle(&mut self, level: Level, before: Lots, after: Lots) {
        let rest = self.level(level).minus(before).and_then(|rest| rest.plus(after)).unwrap_or(after);
        if rest == Lots::ZERO {
            self.levels.remove(&level);
        } else {
            self.levels.insert(level, rest);
        }
    }
}
