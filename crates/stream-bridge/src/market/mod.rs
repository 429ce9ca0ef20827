//! The sockets of the market: a user's orders, trades, best prices, depth.
//!
//! ```text
//!  tail ─▶ commits, whole ─▶ registry ─▶ feeds (one per channel: shared frames)
//!                               ▲            ▲ places
//!  /ws/… ─▶ door ─▶ seat ───────┘     MarketSocket (subscriptions) ─▶ client
//!                                            ▲
//!                 read store, by MarketHistory: what a feed does not keep
//! ```
//! A message names the one before it on its channel, whoever reads it. A subscription begins at a position that the first
//! live message names: the channel's last message at that moment, from the read store when this process has not seen
//! it. So a plain client can prove that it missed nothing, over restarts and over instances.

mod book;
mod channel;
pub(crate) mod described;
mod door;
mod feed;
mod fills;
mod frame;
mod history;
#[cfg(test)]
mod interleaving;
mod news;
mod open;
mod registry;
mod request;
mod ring;
mod say;
mod socket;
mod stored;
mod subscription;
mod tail;

pub use channel::{MarketChannel, MarketStream};
pub use described::market_sockets;
pub use door::{AskedMarket, is_market_path, upgrade_market};
pub use fills::own_fills;
pub use history::{Books, HistoryError, MarketHistory, Stored};
pub use ring::{Body, Told};

pub(crate) use registry::Markets;
pub(crate) use tail::MarketTail;
