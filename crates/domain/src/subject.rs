//! Where events live in the stream: the names, and reading them back.
//!
//! ```text
//!  orders.swap.<order_id>.placed      one event, written once
//!  orders.swap.<order_id>.progress    everything after it, each fenced on the one before
//!  parked.<part>.<sequence>           a message that a consumer could not handle
//! ```

use crate::OrderId;

/// All placed events of swap orders: what the executor's consumer filters.
pub const ALL_SWAPS_PLACED: &str = "orders.swap.*.placed";
/// All parked entries.
pub const ALL_PARKED: &str = "parked.>";

/// The subject of a swap order's placed event.
#[must_use]
pub fn swap_placed(order: OrderId) -> String {
    format!("orders.swap.{order}.placed")
}

/// The subject of a swap order's later events.
#[must_use]
pub fn swap_progress(order: OrderId) -> String {
    format!("orders.swap.{order}.progress")
}

/// The subject of the entry for a message at `sequence` that `part` could not handle.
#[must_use]
pub fn parked(part: &str, sequence: u64) -> String {
    format!("parked.{part}.{sequence}")
}

/// A subject of a swap order, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwapSubject {
    /// `orders.swap.<order_id>.placed`
    Placed(OrderId),
    /// `orders.swap.<order_id>.progress`
    Progress(OrderId),
}

impl SwapSubject {
    /// Nothing when the subject is not one of a swap order.
    #[must_use]
    pub fn parse(subject: &str) -> Option<Self> {
        let (id, kind) = subject.strip_prefix("orders.swap.")?.split_once('.')?;
        let order = id.parse().ok()?;
        match kind {
            "placed" => Some(Self::Placed(order)),
            "progress" => Some(Self::Progress(order)),
            _ => None,
        }
    }

    /// The order that the subject belongs to.
    #[must_use]
    pub const fn order(self) -> OrderId {
        match self {
            Self::Placed(order) | Self::Progress(order) => order,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_read_back() {
        let order: OrderId = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e".parse().unwrap();
        assert_eq!(SwapSubject::parse(&swap_placed(order)), Some(SwapSubject::Placed(order)));
        assert_eq!(SwapSubject::parse(&swap_progress(order)), Some(SwapSubject::Progress(order)));
        for other in ["orders.swap.x.placed", "orders.book.BTC-USDT.1", "parked.executor.7", "orders.swap."] {
            assert_eq!(SwapSubject::parse(other), None, "{other}");
        }
    }
}
