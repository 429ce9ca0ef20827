//! The stream-bridge: a client that watches an order gets its history as one backfill, then the live tail, with
//! no gap, no duplicate and no silent connection.
//!
//! ```text
//!  stream ──follow──▶ Hub ──▶ Topic (one per watched order: fold, gate, shared frames)
//!                                │  wake
//!                     history ──▶┤
//!                                ▼
//!                 Socket (cursor = gate for life) ──▶ client, over a WebSocket or as server-sent events
//! ```
//! A socket has no queue of its own: it has a place in its topic's frames. A slow client's place falls behind; it is
//! told so and goes on from there, so what is bounded is the topic, once for all its sockets.

// A test that this crate and a suite have in common calls it by its name.
#[cfg(test)]
extern crate self as fillstream_stream_bridge;

mod catch_up;
mod condition;
mod counters;
mod crowd;
mod described;
mod frame;
mod history;
mod hub;
#[cfg(test)]
mod interleaving;
mod log;
mod market;
mod pulse;
mod recent;
mod settings;
mod shown;
mod socket;
mod speak;
mod sse;
mod tail;
mod token;
mod topic;
mod upgrade;
mod wire;

pub use counters::{Closes, Count, Counters};
pub use described::channels;
pub use history::JoinError;
pub use hub::Hub;
pub use log::log_router;
pub use market::{
    AskedMarket, Body, Books, HistoryError, MarketChannel, MarketHistory, MarketStream, Stored, Told,
    is_market_path, market_sockets, own_fills, upgrade_market,
};
pub use settings::Settings;
pub use sse::{events, wants_events};
pub use token::{After, Channel, Family, NotAToken};
pub use upgrade::{Asked, upgrade};
