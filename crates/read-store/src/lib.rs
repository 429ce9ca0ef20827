//! The SQL read model: rows and checkpoint in one transaction, SQLite and PostgreSQL.
//!
//! ```text
//!  projector ──apply(from, Batch, to)──▶ one transaction: checkpoint from → to, then the rows
//!                                             │ lost: another projector was first, nothing is written
//!  GET ──swap_order, book_orders, …──▶ views ─┤
//!                                             ▼
//!            read_model: incarnation, seq, generation ──▶ rows of that generation
//!                                             ▲
//!  rebuild ──apply──▶ rows of the next ───────┘ swap: the one row moves on, for all readers at once
//! ```
//! The stream is the truth. Everything here can be thrown away and rebuilt from it.

mod access;
mod ahead;
mod connect;
mod error;
mod market_channels;
mod market_read;
mod market_sql;
mod market_write;
mod migrations;
mod own_trades;
mod read;
mod rebuild;
mod right;
mod settings;
mod sql;
mod store;
#[cfg(feature = "test-postgres")]
pub mod test_postgres;
#[cfg(feature = "test-postgres")]
pub mod test_raw;
mod write;

pub use error::{StoreError, StoreErrorKind};
pub use market_channels::StoredChannel;
pub use market_read::Books;
pub use read::Dump;
pub use rebuild::{Closing, Rebuild};
pub use settings::DatabaseSettings;
pub use store::{Applied, Checkpoint, ReadStore};
