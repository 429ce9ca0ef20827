//! Expiries, beside the orders: most orders have none.

use std::collections::{BTreeMap, BTreeSet};

use fillstream_domain::book::CancelReason;
use fillstream_domain::{OrderId, Timestamp};

use crate::index::Key;
use crate::slab::Slot;
use crate::{Book, Event};

/// The orders that expire, by time and then by their place in the book.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expiries {
    in_time: BTreeSet<(Timestamp, u64, Slot)>,
    of_slot: BTreeMap<Slot, Timestamp>,
}

impl Expiries {
    pub(crate) fn insert(&mut self, at: Timestamp, priority: u64, slot: Slot) {
        self.in_time.insert((at, priority, slot));
        self.of_slot.insert(slot, at);
    }

    /// Forgets an order that has an expiry, and tells which.
    pub(crate) fn remove(&mut self, slot: Slot, priority: u64) -> Timestamp {
        let at = self.of_slot.remove(&slot).expect("an order that expires is here");
        self.in_time.remove(&(at, priority, slot));
        at
    }

    pub(crate) fn of(&self, slot: Slot) -> Option<Timestamp> {
        self.of_slot.get(&slot).copied()
    }

    fn first(&self) -> Option<(Timestamp, Slot)> {
        self.in_time.first().map(|&(at, _, slot)| (at, slot))
    }
}

impl Book {
    /// Ends orders whose expiry `now` has reached, `at_most` of them: a `Cancelled` each, by expiry and then by place in
    /// time. What is left is due and stays in the book until a later call; it never trades: see [`Taking::now`].
    ///
    /// [`Taking::now`]: crate::Taking::now
    pub fn expire(&mut self, now: Timestamp, at_most: u32, events: &mut Vec<Event>) {
        for _ in 0..at_most {
            match self.expiries.first() {
                Some((at, slot)) if at <= now => self.cancel_slot(slot, CancelReason::Expired, events),
                Some(_) | None => return,
            }
        }
    }

    /// Ends one order if `now` has reached its expiry, out of its turn: whoever asks for something about it finds what
    /// an [`expire`](Self::expire) without a bound would have left.
    pub fn expire_order(&mut self, order_id: OrderId, now: Timestamp, events: &mut Vec<Event>) {
        let found = self.index.find(Key::of(order_id), order_id, &self.slab);
        if let Some(entry) = found.filter(|entry| self.is_due(entry.slot, now)) {
            self.cancel_slot(entry.slot, CancelReason::Expired, events);
        }
    }

    /// True when the time of an order in the book is over.
    pub(crate) fn is_due(&self, slot: Slot, now: Timestamp) -> bool {
        self.slab.get(slot).expires && self.expiries.of(slot).is_some_and(|at| at <= now)
    }

    /// The earliest expiry of a resting order.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.expiries.first().map(|(at, _)| at)
    }
}
