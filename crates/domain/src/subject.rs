//! Subjects of events in the stream: the names, and reading them back.
//!
//! ```text
//!  orders.swap.<order_id>.placed      one event, written once
//!  orders.swap.<order_id>.progress    everything after it, each fenced on the one before
//!  orders.book.<market>.<order_id>    what is asked of a book order
//!  orders.book.<market>.definition    the market's filters and fees
//!  orders.book.<market>.clock         time, when something is about to expire
//!  markets.<market>                   the matcher's commits
//!  parked.<part>.<sequence>           a message that a consumer could not handle
//!  parked.probe                       nothing: shows that the stream takes appends again
//! ```

use crate::{OrderId, Seq, book::Symbol};

/// All placed events of swap orders: what the executor's consumer filters.
pub const ALL_SWAPS_PLACED: &str = "orders.swap.*.placed";
/// All events of all swap orders.
pub const ALL_SWAPS: &str = "orders.swap.>";
/// All commits of all matchers.
pub const ALL_COMMITS: &str = "markets.*";
/// All definitions of markets.
pub const ALL_DEFINITIONS: &str = "orders.book.*.definition";
/// All parked entries.
pub const ALL_PARKED: &str = "parked.>";

/// Subject of the probe by which a process finds out whether the stream takes appends again; it means nothing.
pub const PROBE: &str = "parked.probe";

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

/// The subject of what is asked of a book order.
#[must_use]
pub fn book_order(symbol: &Symbol, order: OrderId) -> String {
    format!("orders.book.{}.{order}", symbol.market())
}

/// The pattern that finds a book order whose market is not known.
#[must_use]
pub fn book_order_anywhere(order: OrderId) -> String {
    format!("orders.book.*.{order}")
}

/// The subject of a market's definitions.
#[must_use]
pub fn book_definition(symbol: &Symbol) -> String {
    format!("orders.book.{}.definition", symbol.market())
}

/// The subject of a market's clock.
#[must_use]
pub fn book_clock(symbol: &Symbol) -> String {
    format!("orders.book.{}.clock", symbol.market())
}

/// All inputs of a market: what its matcher follows.
#[must_use]
pub fn book_inputs(symbol: &Symbol) -> String {
    format!("orders.book.{}.*", symbol.market())
}

/// The subject of a market's commits.
#[must_use]
pub fn market_commits(symbol: &Symbol) -> String {
    format!("markets.{}", symbol.market())
}

/// A subject of a market, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BookSubject {
    /// `orders.book.<market>.<order_id>`
    Order(Symbol, OrderId),
    /// `orders.book.<market>.definition`
    Definition(Symbol),
    /// `orders.book.<market>.clock`
    Clock(Symbol),
    /// `markets.<market>`
    Commits(Symbol),
}

impl BookSubject {
    /// Nothing when the subject is not one of a market.
    #[must_use]
    pub fn parse(subject: &str) -> Option<Self> {
        // A subject holds no other form of a symbol.
        let symbol = |market: &str| if market.contains('/') { None } else { market.parse::<Symbol>().ok() };
        if let Some(market) = subject.strip_prefix("markets.") {
            return symbol(market).map(Self::Commits);
        }
        let (market, kind) = subject.strip_prefix("orders.book.")?.split_once('.')?;
        let symbol = symbol(market)?;
        match kind {
            "definition" => Some(Self::Definition(symbol)),
            "clock" => Some(Self::Clock(symbol)),
            order => Some(Self::Order(symbol, order.parse().ok()?)),
        }
    }

    /// The market.
    #[must_use]
    pub const fn symbol(&self) -> &Symbol {
        match self {
            Self::Order(symbol, _)
            | Self::Definition(symbol)
            | Self::Clock(symbol)
            | Self::Commits(symbol) => symbol,
        }
    }
}

/// The subject of the entry for a message at `seq` that `part` could not handle.
#[must_use]
pub fn parked(part: &str, seq: Seq) -> String {
    format!("parked.{part}.{seq}")
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

    #[test]
    fn subjects_of_markets_read_back() {
        let symbol: Symbol = "BTC/USDT".parse().unwrap();
        let order: OrderId = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e".parse().unwrap();
        for (subject, parsed) in [
            (book_order(&symbol, order), BookSubject::Order(symbol.clone(), order)),
            (book_definition(&symbol), BookSubject::Definition(symbol.clone())),
            (book_clock(&symbol), BookSubject::Clock(symbol.clone())),
            (market_commits(&symbol), BookSubject::Commits(symbol.clone())),
        ] {
            assert_eq!(BookSubject::parse(&subject), Some(parsed), "{subject}");
        }
        for other in [
            "orders.swap.x.placed",
            "orders.book.btc-usdt.clock",
            "orders.book.BTC-USDT.1",
            "markets.BTC",
            "markets.BTC/USDT",
        ] {
            assert_eq!(BookSubject::parse(other), None, "{other}");
        }
    }
}
