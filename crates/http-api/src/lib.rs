//! HTTP of swap orders; of the order book: see [`BookApi`].
//!
//! ```text
//!  POST execute ─▶ body ─▶ judge ─▶ order id (from the key, when there is one) ─▶ append, fence 0 ─▶ 201
//!                                                                          └─ beaten ─▶ read ─▶ 201 replayed | 422
//!  GET order    ─▶ ended? read store : the log ─▶ fold ─▶ 200
//! ```
//! Nothing is answered before the stream has acknowledged it, and an order is read from the log until it has ended:
//! right after the 201 it is there.

mod address;
mod body;
mod book;
mod described;
mod key;
mod orders;
mod place;
mod refused;
mod room;
mod routes;
mod trace;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use fillstream_domain::{OrderId, Seq, Timestamp};
use fillstream_event_log::EventLog;
use fillstream_http_edge::Askers;

pub use book::{
    Answer, BookApi, BookAt, Markets, OUTCOME_PATIENCE, OpenOrders, OrdersWanted, Outcomes, PAGE_PATIENCE,
    Pages, PastBooks, PastError, StoreUnreachable, StoredMarkets, TailOutcomes, Written, book_router,
    orders_cursor, trades_cursor,
};
pub use room::Room;
pub use routes::{method_not_allowed, not_found, read_router, router};

/// Orders as the read store has them.
#[async_trait]
pub trait StoredOrders: Send + Sync + 'static {
    /// The order's events, in order, each with its sequence, and whether the order has ended; nothing when the store
    /// does not know the order (yet), or cannot be asked.
    async fn stored(&self, order: OrderId) -> Option<StoredOrder>;
}

/// An order as the read store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOrder {
    /// Payloads of its events, each with its sequence in the stream.
    pub events: Vec<(Seq, Bytes)>,
    /// Nothing follows any more.
    pub ended: bool,
}

/// State that the handlers work with.
#[derive(Clone)]
pub struct Api {
    /// Log where orders are appended and read.
    pub log: Arc<dyn EventLog>,
    /// Read store of ended orders.
    pub stored: Arc<dyn StoredOrders>,
    /// State of the intake: open, or why new orders are refused.
    pub room: Room,
    /// Finds out who asks.
    pub askers: Arc<Askers>,
    /// The address that clients are told, when it is not the request's host: `https://api.example`.
    pub public_url: Option<String>,
    /// Host and port where this server listens: what is told to a request that names no host.
    pub listen: String,
    /// The present instant.
    pub clock: fn() -> Timestamp,
}
