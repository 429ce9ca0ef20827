//! An order while it takes: a new one, or an amended one that has lost its place.

use fillstream_domain::book::{CancelReason, Life, Lots, Pricing, SelfTradePrevention, Side, Ticks};
use fillstream_domain::{OrderId, Timestamp, UserId};

use crate::event::left;
use crate::ladder::is_better;
use crate::{Ended, Event, NewOrder};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Taker {
    pub(crate) id: OrderId,
    pub(crate) user: UserId,
    pub(crate) side: Side,
    /// The worst price; none for market orders.
    pub(crate) limit: Option<Ticks>,
    pub(crate) quantity: Lots,
    pub(crate) filled: Lots,
    pub(crate) self_trade_prevention: SelfTradePrevention,
}

/// Treatment of a taker's rest when nothing more is left at its price.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rest {
    Cancel(CancelReason),
    InBook { price: Ticks, post_only: bool, expires_at: Option<Timestamp> },
}

/// Reasons why a taker stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Nothing of it is left.
    Filled,
    /// Nothing is left at its price.
    NoMore,
    /// It met its own user's order, and its setting ends it there.
    OwnOrder,
    /// It has met as many makers as one input may.
    MaxMakers,
}

/// Outcome of a taker's meeting a maker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meeting {
    Trade,
    CancelMaker,
    CancelTaker,
    CancelBoth,
}

impl Rest {
    pub(crate) const fn of(pricing: Pricing) -> Self {
        match pricing {
            Pricing::Market { fill_or_kill: false } => Self::Cancel(CancelReason::NoLiquidity),
            Pricing::Market { fill_or_kill: true } | Pricing::Limit { life: Life::Fok, .. } => {
                Self::Cancel(CancelReason::FillOrKill)
            }
            Pricing::Limit { life: Life::Ioc, .. } => Self::Cancel(CancelReason::ImmediateOrCancel),
            Pricing::Limit { price, life: Life::Gtc } => {
                Self::InBook { price, post_only: false, expires_at: None }
            }
            Pricing::Limit { price, life: Life::Gtd(at) } => {
                Self::InBook { price, post_only: false, expires_at: Some(at) }
            }
            Pricing::PostOnly { price, expires_at } => Self::InBook { price, post_only: true, expires_at },
        }
    }
}

impl Taker {
    pub(crate) const fn of(order: &NewOrder) -> Self {
        let limit = match order.pricing {
            Pricing::Market { .. } => None,
            Pricing::Limit { price, .. } | Pricing::PostOnly { price, .. } => Some(price),
        };
        Self {
            id: order.order_id,
            user: order.user_id,
            side: order.side,
            limit,
            quantity: order.quantity,
            filled: Lots::ZERO,
            self_trade_prevention: order.self_trade_prevention,
        }
    }

    pub(crate) fn left(&self) -> Lots {
        left(self.quantity, self.filled)
    }

    /// True when it would trade with an order of the other side at `price`.
    pub(crate) fn reaches(&self, price: Ticks) -> bool {
        self.limit.is_none_or(|limit| !is_better(self.side, price, limit))
    }

    pub(crate) fn meets(&self, maker: UserId) -> Meeting {
        let own = || self.user == maker;
        match self.self_trade_prevention {
            SelfTradePrevention::CancelNewest if own() => Meeting::CancelTaker,
            SelfTradePrevention::CancelOldest if own() => Meeting::CancelMaker,
            SelfTradePrevention::CancelBoth if own() => Meeting::CancelBoth,
            SelfTradePrevention::None
            | SelfTradePrevention::CancelNewest
            | SelfTradePrevention::CancelOldest
            | SelfTradePrevention::CancelBoth => Meeting::Trade,
        }
    }

    /// What is left of it will never trade.
    pub(crate) fn cancelled(&self, reason: CancelReason) -> Event {
        let order = Ended {
            order_id: self.id,
            user_id: self.user,
            side: self.side,
            price: self.limit,
            quantity: self.quantity,
            filled: self.filled,
        };
        Event::Cancelled { order, left: self.left(), reason }
    }
}
