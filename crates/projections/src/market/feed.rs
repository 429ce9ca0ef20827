//! Best prices and depth of one market's book, as commits change them.
//!
//! ```text
//!  read store: levels, checkpoint ──▶ BookFeed ◀── parts of later commits
//!                                       ├─▶ orderbook_update   one per change of the best prices or quantities
//!                                       └─▶ depth_update       one per input that changed a level
//! ```
//! Both are judged after each input. An input that goes on in the next part is judged when it ends, there.

use std::collections::BTreeMap;

use fillstream_domain::book::{Commit, Levels, Outcome, Symbol};
use fillstream_domain::{Amount, Position, Seq, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use super::messages::{Message, numbered, tagged};
use super::{LevelBook, LevelRow, MarketRow, Top};

/// `orderbook_update`: the best prices. All keys are always there, null on an empty side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "type", rename = "orderbook_update")]
#[schemars(transform = tagged("orderbook_update"))]
#[expect(missing_docs, reason = "the names are the contract's own")]
pub struct OrderbookUpdate {
    pub symbol: Symbol,
    pub best_bid: Option<Amount>,
    pub best_ask: Option<Amount>,
    pub bid_quantity: Option<Amount>,
    pub ask_quantity: Option<Amount>,
    /// Null unless both sides have a price.
    pub spread: Option<Amount>,
    pub timestamp: Timestamp,
}

/// `depth_snapshot`: all levels, best first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "type", rename = "depth_snapshot")]
#[schemars(transform = tagged("depth_snapshot"))]
#[expect(missing_docs, reason = "the names are the contract's own")]
pub struct DepthSnapshot {
    pub symbol: Symbol,
    #[schemars(with = "Vec<[Amount; 2]>")]
    pub bids: Vec<(Amount, Amount)>,
    #[schemars(with = "Vec<[Amount; 2]>")]
    pub asks: Vec<(Amount, Amount)>,
    pub checksum: u32,
    pub timestamp: Timestamp,
}

/// `depth_update`: the levels that one input changed, best first. Quantity 0 removes a level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "type", rename = "depth_update")]
#[schemars(transform = tagged("depth_update"))]
#[expect(missing_docs, reason = "the names are the contract's own")]
pub struct DepthUpdate {
    pub symbol: Symbol,
    #[schemars(with = "Vec<[Amount; 2]>")]
    pub bids: Vec<(Amount, Amount)>,
    #[schemars(with = "Vec<[Amount; 2]>")]
    pub asks: Vec<(Amount, Amount)>,
    /// Of the book after it.
    pub checksum: u32,
    pub timestamp: Timestamp,
}

/// All that a part tells of its market's book, each list numbered on its own channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BookMessages {
    /// The market's top.
    pub tops: Vec<Message<OrderbookUpdate>>,
    /// The market's depth.
    pub depths: Vec<Message<DepthUpdate>>,
}

/// One market's book and where its channels stand.
#[derive(Debug, Clone)]
pub struct BookFeed {
    symbol: Symbol,
    book: LevelBook,
    /// As last told; between the parts of an input the book may be ahead of it.
    top: Top,
    held: Held,
    market_time: Timestamp,
    top_position: Position,
    depth_position: Position,
}

impl BookFeed {
    /// A market in which nothing has happened.
    #[must_use]
    pub fn new(symbol: Symbol) -> Self {
        Self {
            symbol,
            book: LevelBook::default(),
            top: Top::default(),
            held: Held::default(),
            market_time: Timestamp::from_unix_ms(0),
            top_position: Position::START,
            depth_position: Position::START,
        }
    }

    /// The market as the read model holds it.
    #[must_use]
    pub fn restore(market: &MarketRow, levels: &[LevelRow]) -> Self {
        let mut feed = Self::new(market.symbol.clone());
        for level in levels {
            feed.book.set(level.side, level.price, level.quantity);
        }
        feed.top = feed.book.top();
        feed.market_time = market.market_time;
        feed.depth_position = Position::new(market.depth_seq, market.depth_index);
        // Where the top changed last is not in the read model. It never changes without a level: not behind this one.
        feed.top_position = feed.depth_position;
        feed
    }

    /// Takes in the part at `seq`, whose commit must be complete, and tells what it changed.
    pub fn take(&mut self, seq: Seq, part: &Commit) -> BookMessages {
        let (mut tops, mut depths) = (Vec::new(), Vec::new());
        for outcome in &part.outcomes {
            self.book.apply(&outcome.levels);
            self.market_time = outcome.at;
            let Some(changed) = self.held.take(outcome) else { continue };
            depths.push(self.depth_update(changed));
            let top = self.book.top();
            if top != self.top {
                self.top = top;
                tops.push(self.top());
            }
        }
        let messages =
            BookMessages { tops: numbered(seq, tops, |_| ()), depths: numbered(seq, depths, |_| ()) };
        self.top_position =
            messages.tops.last().map_or(self.top_position, |last| Position::new(seq, last.index));
        self.depth_position =
            messages.depths.last().map_or(self.depth_position, |last| Position::new(seq, last.index));
        messages
    }

    /// The book as it is.
    #[must_use]
    pub const fn book(&self) -> &LevelBook {
        &self.book
    }

    /// Position of the last message of the market's top; 0, 0 before the first.
    #[must_use]
    pub const fn top_position(&self) -> Position {
        self.top_position
    }

    /// Position of the last message of the market's depth; 0, 0 before the first.
    #[must_use]
    pub const fn depth_position(&self) -> Position {
        self.depth_position
    }

    /// The best prices, as whoever joins is told them.
    #[must_use]
    pub fn top(&self) -> OrderbookUpdate {
        let Top { bid, ask } = self.top;
        let price = |level: Option<(Amount, Amount)>| level.map(|(price, _)| price);
        let quantity = |level: Option<(Amount, Amount)>| level.map(|(_, quantity)| quantity);
        let (best_bid, best_ask) = (price(bid), price(ask));
        let spread = best_bid
            .zip(best_ask)
            .and_then(|(bid, ask)| ask.decimal().checked_sub(bid.decimal()).and_then(Amount::new));
        OrderbookUpdate {
            symbol: self.symbol.clone(),
            best_bid,
            best_ask,
            bid_quantity: quantity(bid),
            ask_quantity: quantity(ask),
            spread,
            timestamp: self.market_time,
        }
    }

    /// All levels, as whoever joins is told them.
    #[must_use]
    pub fn depth(&self) -> DepthSnapshot {
        DepthSnapshot {
            symbol: self.symbol.clone(),
            bids: self.book.bids().collect(),
            asks: self.book.asks().collect(),
            checksum: self.book.checksum(),
            timestamp: self.market_time,
        }
    }

    fn depth_update(&self, changed: Levels) -> DepthUpdate {
        DepthUpdate {
            symbol: self.symbol.clone(),
            bids: changed.bids,
            asks: changed.asks,
            checksum: self.book.checksum(),
            timestamp: self.market_time,
        }
    }
}

/// Levels of an input that goes on in the next part.
#[derive(Debug, Clone, Default)]
struct Held {
    bids: BTreeMap<Amount, Amount>,
    asks: BTreeMap<Amount, Amount>,
}

impl Held {
    /// All levels that the input changed, once it has ended; nothing when it changed none.
    fn take(&mut self, outcome: &Outcome) -> Option<Levels> {
        let Levels { bids, asks } = &outcome.levels;
        let in_one_part = self.bids.is_empty() && self.asks.is_empty() && !outcome.goes_on;
        if in_one_part {
            return (!outcome.levels.is_empty()).then(|| outcome.levels.clone());
        }
        self.bids.extend(bids.iter().copied());
        self.asks.extend(asks.iter().copied());
        if outcome.goes_on {
            return None;
        }
        let Self { bids, asks } = std::mem::take(self);
        let levels = Levels { bids: bids.into_iter().rev().collect(), asks: asks.into_iter().collect() };
        (!levels.is_empty()).then_some(levels)
    }
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
