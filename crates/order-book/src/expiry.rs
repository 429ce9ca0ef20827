//! Expiries, beside the orders: most orders have none.

use std::collections::{BTreeMap, BTreeSet};

use fillstream_domain::Timestamp;
use fillstream_domain::book::CancelReason;

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
    /// Ends every order whose expiry `now` has reached: a `Cancelled` each, by expiry and then by place in time.
    pub fn expire(&mut self, now: Timestamp, events: &mut Vec<Event>) {
        while let Some((at, slot)) = self.expiries.first()
            && at <= now
        {
            self.cancel_slot(slot, CancelReason::Expired, events);
        }
    }

    /// The earliest expiry of a resting order.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.expiries.first().map(|(at, _)| at)
    }
}
