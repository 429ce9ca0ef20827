//! HTTP of the order book.
//!
//! ```text
//!  POST          ─▶ body ─▶ judged by the market's definition, room for it ─▶ append, fence 0 ─▶ 201
//!  PATCH, DELETE ─▶ find ─▶ owner? ended? ─▶ append, fenced on the order's subject ─▶ the matcher's answer ─▶ 200 | 409 | 422
//!                                                                              └─ none within the patience ─▶ 202
//!  GET order     ─▶ read store, else the log: right after the 201 it is there
//!  GET lists, markets, books, trades ─▶ read store, definitions
//! ```
//! Nothing is answered before the stream has acknowledged it, and what is refused here is never stored.

mod batch;
mod board;
mod change;
mod cursor;
mod described;
mod find;
mod intake;
mod list;
mod markets;
mod members;
mod open_orders;
mod order_body;
mod outcomes;
mod own_trades;
mod pages;
mod place;
mod ports;
mod public;
mod refusal;
mod routes;
mod written;

use std::{sync::Arc, time::Duration};

use axum::http::{HeaderValue, StatusCode, header};
use fillstream_domain::{OrderId, Timestamp};
use fillstream_event_log::EventLog;
use fillstream_http_edge::{Askers, Problem};

use crate::{Room, refused::unreachable};

pub use cursor::{orders_cursor, trades_cursor};
pub use markets::Markets;
pub use open_orders::OpenOrders;
pub use outcomes::{Answer, Outcomes, TailOutcomes};
pub use pages::{PAGE_PATIENCE, Pages};
pub use ports::{BookAt, OrdersWanted, PastBooks, PastError, StoreUnreachable, StoredMarkets};
pub use routes::book_router;
pub use written::Written;

/// Time that PATCH and DELETE wait for the matcher's answer before they say 202 (CONTRACT.md).
pub const OUTCOME_PATIENCE: Duration = Duration::from_secs(5);

/// State that the book's handlers work with.
#[derive(Clone)]
pub struct BookApi {
    /// Log where orders are appended, and found before the read store knows them.
    pub log: Arc<dyn EventLog>,
    /// Store of orders, trades and books.
    pub stored: Arc<dyn StoredMarkets>,
    /// Outcomes of amends and cancels.
    pub outcomes: Arc<dyn Outcomes>,
    /// The markets and their definitions.
    pub markets: Arc<Markets>,
    /// Books as they were, when this process can show them.
    pub past: Option<Arc<dyn PastBooks>>,
    /// State of the intake: open, or why new orders are refused.
    pub room: Room,
    /// Room for each user's further orders.
    pub open: Arc<OpenOrders>,
    /// Places acknowledged here: lists wait until the read store has them.
    pub written: Arc<Written>,
    /// Places of pages of rows.
    pub pages: Arc<Pages>,
    /// Finds out who asks.
    pub askers: Arc<Askers>,
    /// Time that PATCH and DELETE wait: [`OUTCOME_PATIENCE`], less in tests.
    pub patience: Duration,
    /// The present instant.
    pub clock: fn() -> Timestamp,
}

fn store_unreachable(_: StoreUnreachable) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_unreachable", "The read store cannot be reached.")
        .header(header::RETRY_AFTER, HeaderValue::from_static("2"))
}

fn unknown_order(order: OrderId) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown_order", format!("There is no order {order}."))
}
