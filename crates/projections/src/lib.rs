//! Views of the log, as pure functions of its events.
//!
//! ```text
//!  event ──▶ rows::…            row changes for the read store
//!        ──▶ channel::entries   what sockets and logs show
//!        ──▶ OrderView          an order as GET shows it
//! ```
//! Nothing here knows SQL text, sockets or the broker.

pub mod channel;
mod order_view;
pub mod rows;

pub use order_view::{LogLine, OrderView};
