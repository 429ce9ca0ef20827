//! Actions that are asked of a matcher.

use std::fmt;

use fillstream_domain::OrderId;
use fillstream_domain::book::{Lots, Side, Symbol, Ticks};
use uuid::Uuid;

/// Namespace of the ids of recorded orders (UUIDv5, RFC 9562 section 5.5). Never changes: an import that goes on must
/// find what it has placed.
const RECORDED_ORDERS: Uuid = Uuid::from_u128(0x5c1f_8ad3_41e6_5d0b_b7a2_6669_6c6c_7374);

/// An order of the replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The exchange's order of this number.
    Numbered(u64),
    /// Shares that a book file shows and no message ever names, counted from 1: only price and size are known of them.
    Anonymous(u32),
    /// The aggressive order that the execution in this row (from 1) must have come from.
    Aggressor(usize),
}

impl Key {
    /// The order's id: the same again for the same market.
    #[must_use]
    pub fn id(self, symbol: &Symbol) -> OrderId {
        let name = match self {
            Self::Numbered(number) => format!("{symbol}/{number}"),
            Self::Anonymous(count) => format!("{symbol}/anonymous/{count}"),
            Self::Aggressor(row) => format!("{symbol}/aggressor/{row}"),
        };
        OrderId::new(Uuid::new_v5(&RECORDED_ORDERS, name.as_bytes()))
    }
}

/// One thing that is asked. Prices are in ten-thousandths of a dollar, quantities in shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A limit order that stays until it is filled or cancelled.
    Place {
        /// The order.
        order: Key,
        /// Buy or sell.
        side: Side,
        /// Its limit.
        price: Ticks,
        /// Quantity.
        quantity: Lots,
    },
    /// A limit order that takes what it can at once.
    Take {
        /// The aggressive order.
        order: Key,
        /// Its own side: the other one than the resting order's.
        side: Side,
        /// Its limit: the resting order's price.
        price: Ticks,
        /// Quantity.
        quantity: Lots,
    },
    /// A resting order keeps its place with less.
    Less {
        /// The order.
        order: Key,
        /// Its new total, what is filled included.
        quantity: Lots,
    },
    /// A resting order ends.
    Cancel {
        /// The order.
        order: Key,
    },
}

impl Action {
    /// The order that it is about.
    #[must_use]
    pub const fn order(&self) -> Key {
        match self {
            Self::Place { order, .. }
            | Self::Take { order, .. }
            | Self::Less { order, .. }
            | Self::Cancel { order } => *order,
        }
    }
}

/// Action in words that never change: an import tells by them how far it had come.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place { order, side, price, quantity } => {
                write!(f, "place {order}: {side} {} at {}", quantity.get(), price.get())
            }
            Self::Take { order, side, price, quantity } => {
                write!(f, "take by {order}: {side} {} at {}", quantity.get(), price.get())
            }
            Self::Less { order, quantity } => write!(f, "amend {order} to {}", quantity.get()),
            Self::Cancel { order } => write!(f, "cancel {order}"),
        }
    }
}
