//! Answers of the book: events, or the reason why nothing happened.

use fillstream_domain::book::{CancelReason, Lots, Side, Ticks};
use fillstream_domain::{OrderId, UserId};

/// An order in the book, or as it was there at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resting {
    /// The order.
    pub order_id: OrderId,
    /// Owner.
    pub user_id: UserId,
    /// Buy or sell.
    pub side: Side,
    /// Its limit.
    pub price: Ticks,
    /// All of it.
    pub quantity: Lots,
    /// Quantity that has traded, at most `quantity`.
    pub filled: Lots,
}

impl Resting {
    /// Quantity that can still trade.
    #[must_use]
    pub fn left(&self) -> Lots {
        left(self.quantity, self.filled)
    }
}

/// An order of which something was left that will never trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The order.
    pub order_id: OrderId,
    /// Owner.
    pub user_id: UserId,
    /// Buy or sell.
    pub side: Side,
    /// Its limit; none for market orders.
    pub price: Option<Ticks>,
    /// All of it.
    pub quantity: Lots,
    /// Quantity that has traded.
    pub filled: Lots,
}

impl From<Resting> for Ended {
    fn from(order: Resting) -> Self {
        let Resting { order_id, user_id, side, price, quantity, filled } = order;
        Self { order_id, user_id, side, price: Some(price), quantity, filled }
    }
}

/// One thing that happened in the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Two orders traded, at the maker's price.
    Trade {
        /// The order that rested, after the trade. It has left the book when nothing is left of it.
        maker: Resting,
        /// The order that came or was amended.
        taker: OrderId,
        /// Quantity of the taker that has traded, this trade included.
        taker_filled: Lots,
        /// The maker's price.
        price: Ticks,
        /// Quantity, from 1 lot.
        quantity: Lots,
    },
    /// What was left of an order will never trade. It is not in the book (any more).
    Cancelled {
        /// The order.
        order: Ended,
        /// Quantity that was left, from 1 lot.
        left: Lots,
        /// Reason.
        reason: CancelReason,
    },
    /// What is left of a new order, or of an amended one that has lost its place, rests behind all others of its price.
    Rested {
        /// The order.
        order: Resting,
    },
    /// An order has new terms. Trades, and a `Rested` or `Cancelled`, may follow when it has lost its place.
    /// It has ended, filled, when its quantity is what is filled.
    Amended {
        /// With its old terms.
        before: Resting,
        /// With its new terms.
        after: Resting,
        /// It stands in the queue where it stood.
        kept_place: bool,
    },
}

/// Outcome of an amend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Amended {
    /// The order is already what was asked for: no event.
    Unchanged,
    /// It has less quantity, in the same place.
    KeptPlace,
    /// It went through matching anew: what is left of it, if anything, rests behind all others of its price.
    Requeued,
    /// Its quantity is what is filled: it has ended.
    Filled,
}

/// Reasons why nothing was done. The book and its hash are what they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refused {
    /// An order of this id rests.
    #[error("an order with this id is already in the book")]
    DuplicateOrder,
    /// No order of this id rests.
    #[error("the order is unknown or has ended")]
    UnknownOrEnded,
    /// The order is another user's.
    #[error("the order belongs to somebody else")]
    NotOwner,
    /// A quantity of 0 lots, for a new order or an amend.
    #[error("the quantity must be at least one lot")]
    ZeroQuantity,
    /// A post-only order would trade at once.
    #[error("the post-only order would take")]
    WouldTake,
    /// The new quantity is less than what has traded.
    #[error("the quantity is below what is filled")]
    BelowFilled,
    /// The sum of what rests at the price would pass 2^64 - 1 lots.
    #[error("the price level cannot hold more")]
    LevelFull,
}

/// Rest of `quantity` when `filled` has traded.
pub(crate) fn left(quantity: Lots, filled: Lots) -> Lots {
    quantity.minus(filled).expect("an order never trades more than its quantity")
}
