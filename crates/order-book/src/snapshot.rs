//! The whole state as bytes, and back.
//!
//! ```text
//!  "fsbook01" ┊ next priority ┊ hash ┊ orders ┊ order, order, …      integers little-endian
//!                                               bids then asks, best price first, oldest order first
//! ```
//! Equal states give equal bytes: slots, the window of the ladder and free places do not show.

use fillstream_domain::book::{Lots, SelfTradePrevention, Side, Ticks};
use fillstream_domain::{OrderId, Timestamp, UserId};
use uuid::Uuid;

use crate::index::Key;
use crate::slab::{Order, Slot};
use crate::{Book, codes};

/// First bytes of a snapshot; another layout gets another number.
const MAGIC: &[u8; 8] = b"fsbook01";
/// Bytes of an order without expiry.
const ORDER: usize = 64;

/// The bytes are no snapshot of a book. Nothing is made of a part of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSnapshot {
    /// Another layout, or no snapshot at all.
    #[error("it does not begin like a snapshot of this version")]
    Version,
    /// It ends too early or goes on too long.
    #[error("its length is not what it says")]
    Length,
    /// No book can hold these orders.
    #[error("its orders do not make a book")]
    Orders,
    /// The restored state is not the one that was taken.
    #[error("its hash is not its orders' hash")]
    Hash,
}

impl Book {
    /// The state as bytes, for [`Self::restore`].
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(MAGIC.len() + 3 * size_of::<u64>() + self.len() * (ORDER + 8));
        bytes.extend_from_slice(MAGIC);
        for number in [self.next_priority, self.hash(), self.len() as u64] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for &side in Side::ALL {
            let heads = self.prices(side).map(|price| self.ladder.get(price).head);
            heads.flat_map(|head| self.slots_from(head)).for_each(|slot| self.write(slot, &mut bytes));
        }
        bytes
    }

    fn write(&self, slot: Slot, bytes: &mut Vec<u8>) {
        let order = self.slab.get(slot);
        bytes.extend_from_slice(order.id.uuid().as_bytes());
        bytes.extend_from_slice(order.user.uuid().as_bytes());
        for number in [order.quantity.get(), order.filled.get(), order.priority] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&order.price.get().to_le_bytes());
        bytes.push(codes::side(order.side));
        bytes.push(codes::self_trade_prevention(order.self_trade_prevention));
        bytes.push(u8::from(order.post_only));
        bytes.push(u8::from(order.expires));
        if let Some(at) = self.expiries.of(slot) {
            bytes.extend_from_slice(&at.unix_ms().to_le_bytes());
        }
    }

    /// The book that the snapshot was taken of: same events from here on, same hash.
    ///
    /// # Errors
    /// When the bytes are not what [`Self::snapshot`] writes; the hash in them is held against the restored state.
    pub fn restore(bytes: &[u8]) -> Result<Self, BadSnapshot> {
        let mut reader = Reader(bytes.strip_prefix(MAGIC).ok_or(BadSnapshot::Version)?);
        let (next_priority, hash, orders) = (reader.u64()?, reader.u64()?, reader.u64()?);
        let mut book = Self { next_priority, ..Self::new() };
        for _ in 0..orders {
            let (order, expires_at) = reader.order()?;
            if !book.can_hold(&order) {
                return Err(BadSnapshot::Orders);
            }
            book.insert(Key::of(order.id), order, expires_at);
        }
        if !reader.0.is_empty() {
            return Err(BadSnapshot::Length);
        }
        if book.hash() == hash { Ok(book) } else { Err(BadSnapshot::Hash) }
    }

    /// True when the order can be the next of a snapshot.
    fn can_hold(&self, order: &Order) -> bool {
        let queue = self.ladder.get(order.price);
        let behind_the_last = queue.lots == Lots::ZERO || self.slab.get(queue.tail).priority < order.priority;
        let crossed = match (order.side, self.ladder.best(order.side.opposite())) {
            (Side::Buy, Some(ask)) => order.price >= ask,
            (Side::Sell, Some(bid)) => order.price <= bid,
            (Side::Buy | Side::Sell, None) => false,
        };
        order.filled < order.quantity
            && order.priority < self.next_priority
            && behind_the_last
            && !crossed
            && queue.lots.plus(order.left()).is_some()
            && self.index.find(Key::of(order.id), order.id, &self.slab).is_none()
    }
}

/// Bytes that are still to be read.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], BadSnapshot> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(BadSnapshot::Length)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u64(&mut self) -> Result<u64, BadSnapshot> {
        self.take().map(u64::from_le_bytes)
    }

    fn word<T: Copy>(&mut self, words: &[T], code: impl Fn(T) -> u8) -> Result<T, BadSnapshot> {
        let [byte] = self.take()?;
        words.iter().copied().find(|&word| code(word) == byte).ok_or(BadSnapshot::Orders)
    }

    fn order(&mut self) -> Result<(Order, Option<Timestamp>), BadSnapshot> {
        let order = Order {
            id: OrderId::new(Uuid::from_bytes(self.take()?)),
            user: UserId::new(Uuid::from_bytes(self.take()?)),
            quantity: Lots::new(self.u64()?),
            filled: Lots::new(self.u64()?),
            priority: self.u64()?,
            price: Ticks::new(u32::from_le_bytes(self.take()?)).ok_or(BadSnapshot::Orders)?,
            side: self.word(Side::ALL, codes::side)?,
            self_trade_prevention: self.word(SelfTradePrevention::ALL, codes::self_trade_prevention)?,
            post_only: self.word(&[false, true], u8::from)?,
            expires: self.word(&[false, true], u8::from)?,
        };
        let expires_at = if order.expires { Some(self.take().map(i64::from_le_bytes)?) } else { None };
        Ok((order, expires_at.map(Timestamp::from_unix_ms)))
    }
}
