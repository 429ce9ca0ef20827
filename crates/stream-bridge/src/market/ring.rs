//! The last messages of a channel, shared by all its sockets.
//!
//! ```text
//!  push ──▶ before │ line line line line │ end
//!                      ▲            ▲
//!                   a slow       a current socket's place
//! ```
//! Each message names the one before it on the channel, whoever reads it. What is not kept any more, up to `before`,
//! is in the read store (orders, trades) or of no interest (books, which are told anew as a whole).

use fillstream_domain::{Position, Seq};
use std::{collections::VecDeque, sync::Arc};

use axum::extract::ws::Utf8Bytes;
use fillstream_projections::market::{DepthUpdate, OrderUpdate, OrderbookUpdate, TradeShown};

use crate::{
    market::{channel::MarketChannel, frame},
    token::Tokens,
};

/// Messages that a channel keeps: more than an order causes that sweeps thousands of makers, so that nobody who keeps up
/// has to read from the store.
/// Few in this crate's own tests, so that they read from the store what is not kept.
pub(crate) const MAX_LINES: usize = if cfg!(test) { 12 } else { 16_384 };
/// Bytes that a channel keeps, about: what the contract lets one client have under way.
pub(crate) const MAX_BYTES: usize = 8 << 20;

/// Content of a message, without its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// To the order's user. Shared by the user's channels.
    Order(Arc<OrderUpdate>),
    /// Shared by the channel of all trades and that of its market.
    Trade(Arc<TradeShown>),
    /// The best prices after an input that changed them.
    Orderbook(OrderbookUpdate),
    /// The levels that an input changed.
    Depth(DepthUpdate),
    /// As it was stored: a JSON object with its `type`.
    Stored(String),
}

impl Body {
    /// As a JSON object.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Order(update) => frame::to_text(&**update),
            Self::Trade(trade) => frame::to_text(&**trade),
            Self::Orderbook(update) => frame::to_text(update),
            Self::Depth(update) => frame::to_text(update),
            Self::Stored(text) => text.clone(),
        }
    }

    /// Bytes that it takes, about, its frame included: they bound what is kept.
    fn bytes(&self) -> usize {
        match self {
            Self::Order(_) | Self::Trade(_) => 1200,
            Self::Orderbook(_) => 600,
            Self::Depth(update) => 600 + 64 * (update.bids.len() + update.asks.len()),
            Self::Stored(text) => 2 * text.len() + 200,
        }
    }
}

/// A message at its place on its channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its position.
    pub at: Position,
    /// Its event causes nothing further on the channel.
    pub last: bool,
    /// Of the record at its sequence, where that comes from the store and is known there.
    pub tag: Option<u64>,
    /// Content.
    pub body: Body,
}

/// A message that is kept, and its frame once somebody wanted it.
#[derive(Debug)]
struct Line {
    told: Told,
    bytes: usize,
    /// Number of the channel's event that it belongs to, counted since the process started.
    event: u64,
    frame: Option<Utf8Bytes>,
}

/// See the module's first line.
#[derive(Debug)]
pub(crate) struct Ring {
    lines: VecDeque<Line>,
    /// The position of the channel's last message before the first line; none while that is not known.
    before: Option<Position>,
    bytes: usize,
    /// Events so far.
    events: u64,
}

impl Ring {
    /// A channel whose last message so far is at `before`; nothing while that is not known.
    pub(crate) const fn new(before: Option<Position>) -> Self {
        Self { lines: VecDeque::new(), before, bytes: 0, events: 0 }
    }

    /// Place of the channel before the first message that came: what was not known at its beginning.
    pub(crate) fn begin(&mut self, before: Position) {
        self.before.get_or_insert(before);
    }

    /// End of the channel; nothing when nothing has come and its beginning is not known.
    pub(crate) fn end(&self) -> Option<Position> {
        self.lines.back().map(|line| line.told.at).or(self.before)
    }

    /// The next message. One at or before the channel's end is not taken: it is known already.
    pub(crate) fn push(&mut self, told: Told) {
        let end = self.end();
        if end.is_some_and(|end| told.at <= end) {
            return;
        }
        self.events += u64::from(self.lines.is_empty() || end.is_none_or(|end| end.seq != told.at.seq));
        let bytes = told.body.bytes();
        self.bytes += bytes;
        self.lines.push_back(Line { told, bytes, event: self.events, frame: None });
        while self.lines.len() > MAX_LINES || self.bytes > MAX_BYTES && self.lines.len() > 1 {
            let Some(oldest) = self.lines.pop_front() else { return };
            self.bytes -= oldest.bytes;
            self.before = Some(oldest.told.at);
        }
    }

    /// What lies behind `after` up to the position returned is not kept any more.
    pub(crate) fn forgotten(&self, after: Position) -> Option<Position> {
        self.before.filter(|before| after < *before)
    }

    /// The channel's last message at or before `position`; nothing when that is not kept any more.
    pub(crate) fn at_or_before(&self, position: Position) -> Option<Position> {
        let behind = self.first_behind(position);
        let kept = behind.checked_sub(1).map(|place| self.lines[place].told.at);
        kept.or_else(|| self.before.filter(|before| *before <= position))
    }

    /// Number of messages that are kept behind `after`.
    pub(crate) fn count_behind(&self, after: Position) -> usize {
        self.lines.len() - self.first_behind(after)
    }

    /// Events so far.
    pub(crate) const fn events(&self) -> u64 {
        self.events
    }

    /// Events at or before `seq`, as far as they are kept.
    pub(crate) fn events_up_to(&self, seq: Seq) -> u64 {
        let behind = self.lines.partition_point(|line| line.told.at.seq <= seq);
        self.lines.get(behind).map_or(self.events, |line| line.event - 1)
    }

    /// Number of events, of those kept, behind `after`, not counting the first `seen` ones.
    pub(crate) fn events_behind(&self, after: Position, seen: u64) -> u64 {
        let first = self.lines.get(self.first_behind(after)).map_or(self.events, |line| line.event - 1);
        self.events - first.max(seen)
    }

    /// The frames behind `after`, `max` at most, each with its position. Encoded when first wanted, then shared.
    /// Nothing while the channel's beginning is not known: the first one could not name the one before it.
    pub(crate) fn frames_behind(
        &mut self,
        channel: &MarketChannel,
        tokens: &Tokens,
        after: Position,
        max: usize,
    ) -> Vec<(Position, Utf8Bytes)> {
        let Some(before) = self.before else { return Vec::new() };
        let from = self.first_behind(after);
        let mut previous = from.checked_sub(1).map_or(before, |place| self.lines[place].told.at);
        let mut frames = Vec::new();
        for Line { told, frame, .. } in self.lines.range_mut(from..).take(max) {
            let text = frame.get_or_insert_with(|| frame::live(channel, tokens, told, previous).into());
            frames.push((told.at, text.clone()));
            previous = told.at;
        }
        frames
    }

    /// The index of the first line behind `after`.
    fn first_behind(&self, after: Position) -> usize {
        self.lines.partition_point(|line| line.told.at <= after)
    }
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
