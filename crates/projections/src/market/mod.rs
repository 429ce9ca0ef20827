//! The market's side: what a matcher's commits mean to clients and to the read model.
//!
//! ```text
//!  part of a commit ──▶ messages()   order_update, trade_executed
//!                   ──▶ BookFeed     orderbook_update, depth_update, depth_snapshot, checksum
//!  whole commits ─────▶ MarketBatch  rows
//!  placed, definition ─▶ MarketBatch
//! ```
//! A message's position is the sequence of the part that holds it and its place among what that part causes on the
//! message's channel. Channels are: the orders of one user, the trades of all markets, the top of one market, the depth
//! of one market. A part belongs to one market, so that a channel cut down to a market has the same positions.

mod batch;
mod feed;
#[cfg(test)]
mod fixture;
mod levels;
mod messages;
mod order_view;
mod rows;
mod trade_shown;

pub use batch::MarketBatch;
pub use feed::{BookFeed, BookMessages, DepthSnapshot, DepthUpdate, OrderbookUpdate};
pub use levels::{CHECKSUM_LEVELS, LevelBook, Top};
pub use messages::{Action, Message, Messages, OrderUpdate, Reason, TradeExecuted, messages};
pub use order_view::{BookOrderView, average_price};
pub use rows::{
    BookOrderPatch, BookOrderRow, DefinitionRow, LevelRow, MarketPatch, MarketRow, OpenCount, TradeRow,
    UserUpdateRow,
};
pub use trade_shown::{Parties, TradeShown};
