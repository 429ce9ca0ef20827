//! A market's book as its sockets see it, with the positions at which its two channels stand.

use axum::extract::ws::Utf8Bytes;
use fillstream_domain::{
    Position, Seq, Timestamp,
    book::{Commit, Levels},
};
use fillstream_projections::market::{BookFeed, BookMessages, DepthSnapshot, OrderbookUpdate};
use parking_lot::Mutex;

use crate::{
    market::{
        channel::{MarketChannel, MarketStream},
        frame,
    },
    token::Tokens,
};

/// See the module's first line.
pub(crate) struct MarketBook(Mutex<State>);

struct State {
    feed: BookFeed,
    /// The book told anew on each channel as it stands, once somebody wanted it.
    orderbook: Option<Utf8Bytes>,
    depth: Option<Utf8Bytes>,
}

impl MarketBook {
    pub(crate) const fn new(feed: BookFeed) -> Self {
        Self(Mutex::new(State { feed, orderbook: None, depth: None }))
    }

    /// Takes in a part of a complete commit: what it tells, the book having moved already.
    pub(crate) fn take_in(&self, seq: Seq, part: &Commit) -> BookMessages {
        let mut state = self.0.lock();
        (state.orderbook, state.depth) = (None, None);
        state.feed.take(seq, part)
    }

    /// Place of the depth, and at most `levels` of each side.
    pub(crate) fn best(&self, levels: usize) -> (Position, Levels) {
        let state = self.0.lock();
        (state.feed.depth_position(), state.feed.book().depth(levels))
    }

    /// The book as it stands, as a channel of it shows it, at the position from which the channel goes on. `now` is told
    /// as its time when no input has ever come.
    pub(crate) fn snapshot(
        &self,
        channel: &MarketChannel,
        tokens: &Tokens,
        now: Timestamp,
    ) -> (Position, Utf8Bytes) {
        let State { feed, orderbook, depth } = &mut *self.0.lock();
        let time = |market_time: Timestamp| if market_time.unix_ms() == 0 { now } else { market_time };
        match channel.stream() {
            MarketStream::Depth => {
                let at = feed.depth_position();
                let encode = || {
                    let body = feed.depth();
                    let body = DepthSnapshot { timestamp: time(body.timestamp), ..body };
                    frame::snapshot(channel, tokens, at, frame::to_text(&body)).into()
                };
                (at, depth.get_or_insert_with(encode).clone())
            }
            MarketStream::Orders | MarketStream::Fills | MarketStream::Trades | MarketStream::Orderbook => {
                let at = feed.top_position();
                let encode = || {
                    let body = feed.top();
                    let body = OrderbookUpdate { timestamp: time(body.timestamp), ..body };
                    frame::snapshot(channel, tokens, at, frame::to_text(&body)).into()
                };
                (at, orderbook.get_or_insert_with(encode).clone())
            }
        }
    }
}
