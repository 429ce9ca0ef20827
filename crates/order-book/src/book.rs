//! The book: what rests, and the few steps of which every operation is made.

use fillstream_domain::book::{CancelReason, Lots, Side, Ticks};
use fillstream_domain::{OrderId, Timestamp, UserId};

use crate::expiry::Expiries;
use crate::hash::StateHash;
use crate::index::{Entry, Index, Key};
use crate::ladder::Ladder;
use crate::slab::{NONE, Order, Slab, Slot};
use crate::{Event, Refused, Resting};

/// One market's resting orders, by price and then by time.
#[derive(Debug, Clone)]
pub struct Book {
    pub(crate) slab: Slab,
    pub(crate) index: Index,
    pub(crate) ladder: Ladder,
    pub(crate) expiries: Expiries,
    pub(crate) hash: StateHash,
    /// Number that the next order that rests gets.
    pub(crate) next_priority: u64,
}

impl Default for Book {
    fn default() -> Self {
        Self::new()
    }
}

impl Book {
    /// A book in which nothing rests.
    #[must_use]
    pub fn new() -> Self {
        Self {
            slab: Slab::new(),
            index: Index::default(),
            ladder: Ladder::default(),
            expiries: Expiries::default(),
            hash: StateHash::default(),
            next_priority: 0,
        }
    }

    /// Takes an order out at its owner's wish: one `Cancelled`.
    ///
    /// # Errors
    /// `UnknownOrEnded`, `NotOwner`.
    pub fn cancel(
        &mut self,
        order_id: OrderId,
        user_id: UserId,
        events: &mut Vec<Event>,
    ) -> Result<(), Refused> {
        let entry = self.owned(order_id, user_id)?;
        self.cancel_entry(entry, CancelReason::Requested, events);
        Ok(())
    }

    /// The order, when it rests.
    #[must_use]
    pub fn order(&self, order_id: OrderId) -> Option<Resting> {
        self.index.find(Key::of(order_id), order_id, &self.slab).map(|entry| self.slab.get(entry.slot).view())
    }

    /// Number of orders that rest.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// True when no order rests.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The best price of a side and all that rests there.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<(Ticks, Lots)> {
        self.ladder.best(side).map(|price| (price, self.ladder.get(price).lots))
    }

    /// All that rests on a side at a price.
    #[must_use]
    pub fn level(&self, side: Side, price: Ticks) -> Lots {
        if self.ladder.is_of(side, price) { self.ladder.get(price).lots } else { Lots::ZERO }
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = (Ticks, Lots)> + '_ {
        self.prices(side).map(|price| (price, self.ladder.get(price).lots))
    }

    /// The orders of a side at a price, in the order in which they will trade.
    pub fn queue(&self, side: Side, price: Ticks) -> impl Iterator<Item = Resting> + '_ {
        let head = if self.ladder.is_of(side, price) { self.ladder.get(price).head } else { NONE };
        self.slots_from(head).map(|slot| self.slab.get(slot).view())
    }

    /// A digest of the whole state: every resting order with all its terms, the order of the queues, and the counter
    /// that places are given by. Equal states have equal hashes on any machine and in any version.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash.finish(self.next_priority)
    }

    /// Bytes that are held for resting orders: the orders, their index and the levels near the touch, with what lies
    /// idle. Levels far away and expiries, of which there are few, are not counted.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.slab.bytes() + self.index.bytes() + self.ladder.bytes()
    }

    pub(crate) fn prices(&self, side: Side) -> impl Iterator<Item = Ticks> + '_ {
        std::iter::successors(self.ladder.best(side), move |&price| self.ladder.next(side, price))
    }

    pub(crate) fn slots_from(&self, head: Slot) -> impl Iterator<Item = Slot> + '_ {
        let behind = |slot: Slot| Some(slot).filter(|&slot| slot != NONE);
        std::iter::successors(behind(head), move |&slot| behind(self.slab.links(slot).next))
    }

    /// A resting order that belongs to this user.
    #[inline(always)]
    pub(crate) fn owned(&self, order_id: OrderId, user_id: UserId) -> Result<Entry, Refused> {
        let entry =
            self.index.find(Key::of(order_id), order_id, &self.slab).ok_or(Refused::UnknownOrEnded)?;
        if self.slab.get(entry.slot).user == user_id { Ok(entry) } else { Err(Refused::NotOwner) }
    }

    pub(crate) fn cancel_slot(&mut self, slot: Slot, reason: CancelReason, events: &mut Vec<Event>) {
        self.cancel_entry(self.index.entry_of(slot, &self.slab), reason, events);
    }

    #[inline(always)]
    fn cancel_entry(&mut self, entry: Entry, reason: CancelReason, events: &mut Vec<Event>) {
        events.push(cancelled(self.slab.get(entry.slot), reason));
        self.remove(entry);
    }

    /// The priority of the next order that rests.
    pub(crate) const fn take_priority(&mut self) -> u64 {
        let priority = self.next_priority;
        self.next_priority += 1;
        priority
    }

    /// Puts an order behind all others of its price. The caller has made sure that the level can hold it.
    #[inline(always)]
    pub(crate) fn insert(&mut self, key: Key, order: Order, expires_at: Option<Timestamp>) {
        let level = self.ladder.occupy(order.side, order.price, self.index.len());
        level.lots = level.lots.plus(order.left()).expect("a level that could overflow refuses the order");
        let slot = self.slab.push(order, level);
        self.index.insert(key, slot, &self.slab);
        self.hash.add(self.slab.get(slot));
        if let Some(at) = expires_at {
            self.expiries.insert(at, order.priority, slot);
            self.hash.add_expiry(order.priority, at);
        }
    }

    /// Takes an order out of the book, and tells when it would have expired.
    #[inline(always)]
    pub(crate) fn remove(&mut self, entry: Entry) -> Option<Timestamp> {
        self.index.remove(entry);
        self.take_out(entry.slot)
    }

    /// Takes an order out that is not in the index any more.
    fn take_out(&mut self, slot: Slot) -> Option<Timestamp> {
        let order = self.slab.get(slot);
        self.hash.take(order);
        let &Order { side, price, priority, expires, .. } = order;
        let level = self.ladder.get_mut(price);
        level.lots = level.lots.minus(order.left()).expect("a level holds what its orders hold");
        self.slab.free(slot, level);
        if level.lots == Lots::ZERO {
            self.ladder.vacate(side, price);
        }
        if !expires {
            return None;
        }
        let at = self.expiries.remove(slot, priority);
        self.hash.take_expiry(priority, at);
        Some(at)
    }

    /// Changes the quantities of a resting order in its place; something must be left.
    pub(crate) fn resize(&mut self, slot: Slot, quantity: Lots, filled: Lots) {
        let order = self.slab.get_mut(slot);
        let before = order.left();
        self.hash.take(order);
        (order.quantity, order.filled) = (quantity, filled);
        self.hash.add(order);
        let less = before.minus(order.left()).expect("an order in its place never grows");
        let level = self.ladder.get_mut(order.price);
        level.lots = level.lots.minus(less).expect("a level holds what its orders hold");
    }
}

fn cancelled(order: &Order, reason: CancelReason) -> Event {
    Event::Cancelled { order: order.view().into(), left: order.left(), reason }
}
