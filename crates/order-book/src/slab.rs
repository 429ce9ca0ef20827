//! Resting orders in numbered slots; a slot that falls free is the next to be used.
//!
//! ```text
//!  orders   0 [A]    1 [ ]       2 [B]    3 [ ]
//!  links    0 [· 2]  1 [· 3]     2 [0 ·]  3 [· ·]      a queue: A, B      free: 1, then 3
//! ```

use fillstream_domain::book::{Lots, SelfTradePrevention, Side, Ticks};
use fillstream_domain::{OrderId, UserId};
use uuid::Uuid;

use crate::Resting;
use crate::event::left;
use crate::ladder::Level;

/// The number of a slot. It says nothing about the order in it and never leaves the book.
pub(crate) type Slot = u32;

/// No slot: the end of a list.
pub(crate) const NONE: Slot = Slot::MAX;

/// A resting order. 64 bytes, a line of the cache: what only few orders have is kept elsewhere.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Order {
    pub(crate) id: OrderId,
    pub(crate) user: UserId,
    pub(crate) quantity: Lots,
    pub(crate) filled: Lots,
    /// Its place in time: lower came first. Given anew when the order loses its place.
    pub(crate) priority: u64,
    pub(crate) price: Ticks,
    pub(crate) side: Side,
    pub(crate) self_trade_prevention: SelfTradePrevention,
    pub(crate) post_only: bool,
    /// It has an entry among the expiries.
    pub(crate) expires: bool,
}

const _: () = assert!(size_of::<Order>() == 64);

/// What is in a slot that was never used.
const VACANT: Order = Order {
    id: OrderId::new(Uuid::nil()),
    user: UserId::new(Uuid::nil()),
    quantity: Lots::ZERO,
    filled: Lots::ZERO,
    priority: 0,
    price: Ticks::new(1).expect("not 0"),
    side: Side::Buy,
    self_trade_prevention: SelfTradePrevention::None,
    post_only: false,
    expires: false,
};

/// The neighbours of an order in its level's queue. Apart from the orders, because taking an order out of a queue
/// touches three of them, and only one order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Links {
    pub(crate) previous: Slot,
    /// The one behind; of a free slot the next free one.
    pub(crate) next: Slot,
}

impl Order {
    pub(crate) fn left(&self) -> Lots {
        left(self.quantity, self.filled)
    }

    /// As the outside sees it.
    pub(crate) const fn view(&self) -> Resting {
        Resting {
            order_id: self.id,
            user_id: self.user,
            side: self.side,
            price: self.price,
            quantity: self.quantity,
            filled: self.filled,
        }
    }
}

/// All resting orders.
#[derive(Debug, Clone)]
pub(crate) struct Slab {
    orders: Vec<Order>,
    links: Vec<Links>,
    free: Slot,
}

/// The slab grows by this part of itself, which is the most that lies idle in a book that grows.
const GROWTH: usize = 32;
/// The least that it grows by, in orders.
const LEAST_GROWTH: usize = 64;

impl Slab {
    pub(crate) const fn new() -> Self {
        Self { orders: Vec::new(), links: Vec::new(), free: NONE }
    }

    /// Puts an order behind all others of its level.
    #[inline(always)]
    pub(crate) fn push(&mut self, order: Order, level: &mut Level) -> Slot {
        if self.free == NONE {
            self.grow();
        }
        let slot = self.free;
        self.free = self.links(slot).next;
        self.orders[slot as usize] = order;
        *self.links_mut(slot) = Links { previous: level.tail, next: NONE };
        match level.tail {
            NONE => level.head = slot,
            last => self.links_mut(last).next = slot,
        }
        level.tail = slot;
        slot
    }

    /// Adds a free slot, and room for some more.
    #[cold]
    fn grow(&mut self) {
        let length = self.orders.len();
        if length == self.orders.capacity() {
            let more = (length / GROWTH).max(LEAST_GROWTH);
            self.orders.reserve_exact(more);
            self.links.reserve_exact(more);
        }
        self.orders.push(VACANT);
        self.links.push(Links { previous: NONE, next: self.free });
        self.free = Slot::try_from(length).expect("memory ends long before 2^32 orders of 72 bytes");
    }

    /// Takes an order out of its level, whose queue closes over it; the slot is free from now on.
    pub(crate) fn free(&mut self, slot: Slot, level: &mut Level) {
        let Links { previous, next } = self.links(slot);
        match previous {
            NONE => level.head = next,
            _ => self.links_mut(previous).next = next,
        }
        match next {
            NONE => level.tail = previous,
            _ => self.links_mut(next).previous = previous,
        }
        self.links_mut(slot).next = self.free;
        self.free = slot;
    }

    /// The order in a slot that the index or a queue names.
    pub(crate) fn get(&self, slot: Slot) -> &Order {
        &self.orders[slot as usize]
    }

    pub(crate) fn get_mut(&mut self, slot: Slot) -> &mut Order {
        &mut self.orders[slot as usize]
    }

    pub(crate) fn links(&self, slot: Slot) -> Links {
        self.links[slot as usize]
    }

    fn links_mut(&mut self, slot: Slot) -> &mut Links {
        &mut self.links[slot as usize]
    }

    /// Bytes allocated.
    pub(crate) const fn bytes(&self) -> usize {
        self.orders.capacity() * size_of::<Order>() + self.links.capacity() * size_of::<Links>()
    }
}
