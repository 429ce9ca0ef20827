//! The book: what rests, and the few steps of which every operation is made.

use fillstream_domain::book::{CancelReason, Lots, Side, Ticks};
use fillstream_domain::{OrderId, Timestamp, UserId};

use crate::expiry::Expiries;
use crate::hash::StateHash;
use crate::index::Index;
use crate::ladder::Ladder;
use crate::slab::{Links, NONE, Order, Slab, Slot};
use crate::{Event, Refused, Resting};

/// One market's resting orders, by price and then by time.
#[derive(Debug, Clone)]
pub struct Book {
    pub(crate) slab: Slab,
    pub(crate) index: Index,
    pub(crate) ladder: Ladder,
    pub(crate) expiries: Expiries,
    pub(crate) hash: StateHash,
    /// What the next order that rests gets.
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
        let entry = self.index.entry(order_id, &self.slab).ok_or(Refused::UnknownOrEnded)?;
        if self.slab.get(*entry.get()).user != user_id {
            return Err(Refused::NotOwner);
        }
        let (slot, _) = entry.remove();
        let (order, _) = self.take_out(slot);
        events.push(cancelled(&order, CancelReason::Requested));
        Ok(())
    }

    /// The order, when it rests.
    #[must_use]
    pub fn order(&self, order_id: OrderId) -> Option<Resting> {
        self.index.find(order_id, &self.slab).map(|slot| self.slab.get(slot).view())
    }

    /// How many orders rest.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether no order rests.
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

    /// Bytes that are held for resting orders: the orders and their index, with what lies idle; without the ladder,
    /// whose size does not depend on them.
    #[must_use]
    pub fn bytes_of_orders(&self) -> usize {
        self.slab.bytes() + self.index.bytes()
    }

    pub(crate) fn prices(&self, side: Side) -> impl Iterator<Item = Ticks> + '_ {
        std::iter::successors(self.ladder.best(side), move |&price| self.ladder.next(side, price))
    }

    pub(crate) fn slots_from(&self, head: Slot) -> impl Iterator<Item = Slot> + '_ {
        let behind = |slot: Slot| Some(slot).filter(|&slot| slot != NONE);
        std::iter::successors(behind(head), move |&slot| behind(self.slab.links(slot).next))
    }

    /// The slot of a resting order that belongs to this user.
    pub(crate) fn owned(&self, order_id: OrderId, user_id: UserId) -> Result<Slot, Refused> {
        let slot = self.index.find(order_id, &self.slab).ok_or(Refused::UnknownOrEnded)?;
        if self.slab.get(slot).user == user_id { Ok(slot) } else { Err(Refused::NotOwner) }
    }

    pub(crate) fn cancel_slot(&mut self, slot: Slot, reason: CancelReason, events: &mut Vec<Event>) {
        let (order, _) = self.remove(slot);
        events.push(cancelled(&order, reason));
    }

    /// The priority of the next order that rests.
    pub(crate) const fn take_priority(&mut self) -> u64 {
        let priority = self.next_priority;
        self.next_priority += 1;
        priority
    }

    /// Puts an order behind all others of its price. The caller has made sure that the level can hold it.
    pub(crate) fn insert(&mut self, order: Order, expires_at: Option<Timestamp>) {
        let level = self.ladder.occupy(order.side, order.price);
        let slot = self.slab.insert(order, Links { previous: level.tail, next: NONE });
        match level.tail {
            NONE => level.head = slot,
            last => self.slab.links_mut(last).next = slot,
        }
        level.tail = slot;
        level.lots = level.lots.plus(order.left()).expect("a level that could overflow refuses the order");
        self.index.insert(slot, &self.slab);
        self.hash.add(self.slab.get(slot));
        if let Some(at) = expires_at {
            self.expiries.insert(at, order.priority, slot);
            self.hash.add_expiry(order.priority, at);
        }
    }

    /// Takes an order out of the book.
    pub(crate) fn remove(&mut self, slot: Slot) -> (Order, Option<Timestamp>) {
        self.index.remove(slot, &self.slab);
        self.take_out(slot)
    }

    /// Takes an order out that is not in the index any more.
    fn take_out(&mut self, slot: Slot) -> (Order, Option<Timestamp>) {
        let (order, links) = self.slab.remove(slot);
        self.hash.take(&order);
        self.unlink(&order, links);
        let expires_at = order.expires.then(|| self.expiries.remove(slot, order.priority));
        if let Some(at) = expires_at {
            self.hash.take_expiry(order.priority, at);
        }
        (order, expires_at)
    }

    /// Closes the queue over an order that is gone.
    fn unlink(&mut self, order: &Order, Links { previous, next }: Links) {
        let level = self.ladder.get_mut(order.price);
        match previous {
            NONE => level.head = next,
            _ => self.slab.links_mut(previous).next = next,
        }
        match next {
            NONE => level.tail = previous,
            _ => self.slab.links_mut(next).previous = previous,
        }
        level.lots = level.lots.minus(order.left()).expect("a level holds what its orders hold");
        if level.lots == Lots::ZERO {
            self.ladder.vacate(order.side, order.price);
        }
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
