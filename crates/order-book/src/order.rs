//! Requests to the book.

use fillstream_domain::book::{Lots, Pricing, SelfTradePrevention, Side, Ticks};
use fillstream_domain::{OrderId, Timestamp, UserId};

/// An order on its way into the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewOrder {
    /// The order. Refused when an order of this id rests.
    pub order_id: OrderId,
    /// Owner.
    pub user_id: UserId,
    /// Buy or sell.
    pub side: Side,
    /// Quantity, from 1 lot.
    pub quantity: Lots,
    /// At what price and for how long. An expiry in the past is not noticed here: [`Book::expire`] runs first.
    ///
    /// [`Book::expire`]: crate::Book::expire
    pub pricing: Pricing,
    /// Self-trade rule: what happens when it takes and would trade with its own user's orders. It keeps this for later amends.
    pub self_trade_prevention: SelfTradePrevention,
}

/// Limits of one input in the book, and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taking {
    /// Orders that it may meet, whether it trades with them, cancels them or ends them because their time is over; its
    /// rest is cancelled there.
    pub max_makers: u32,
    /// The time that orders in the book are held to: one whose expiry this has reached never trades. Where it stands in
    /// the way it is ended; elsewhere it stays for [`Book::expire`].
    ///
    /// [`Book::expire`]: crate::Book::expire
    pub now: Timestamp,
}

impl Taking {
    /// Of a market without bounds, in which no order has an expiry: what books are measured with.
    pub const UNBOUNDED: Self = Self { max_makers: u32::MAX, now: Timestamp::from_unix_ms(0) };
}

/// A change of a resting order. What is absent stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amend {
    /// The order.
    pub order_id: OrderId,
    /// User who asks.
    pub user_id: UserId,
    /// The new total, what is filled included.
    pub quantity: Option<Lots>,
    /// The new limit.
    pub price: Option<Ticks>,
}
