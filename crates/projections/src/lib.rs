//! Views of the log, as pure functions of its events.
//!
//! ```text
//!  event ──▶ rows::…            row changes for the read store
//!        ──▶ channel::entries   what sockets and logs show
//!        ──▶ OrderView          an order as GET shows it
//!  commit ─▶ market::…           the same for the order book
//! ```
//! Nothing here knows SQL text, sockets or the broker.

mod batch;
pub mod channel;
mod column;
pub mod market;
mod order_view;
pub mod rows;

pub use batch::Batch;
pub use order_view::{LogLine, OrderView};
