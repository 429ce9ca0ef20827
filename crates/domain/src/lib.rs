//! Orders: ids, money as integers with units, the request of a client, the events that tell an
//! order's life, and the one table of legal life cycles.
//!
//! ```text
//!  request ──validate──▶ Placement ──▶ Placed ─┐
//!                                              ├──fold──▶ SwapOrder { phase, attempt }
//!                        RoutingStarted, … ────┘
//! ```
//! Nothing here awaits, reads a clock, rolls dice, or knows NATS, SQL or HTTP. Instants and ids arrive.

mod amount;
pub mod book;
mod decimal;
mod id;
pub mod parked;
mod position;
#[cfg(feature = "schema")]
pub mod schema;
mod slippage;
mod stored;
pub mod subject;
pub mod swap;
mod text;
mod timestamp;
mod token;
mod trace;
mod venue;

pub use amount::{Amount, Atoms, Price};
pub use decimal::{DecimalError, parse_exact};
pub use id::{ClientKey, ClientKeyError, IdError, OrderId, TradeId, UserId};
pub use position::{Incarnation, Position, RecordId, RecordIdError, RecordRef, Seq};
pub use slippage::{Slippage, SlippageError};
pub use timestamp::{Timestamp, TimestampError};
pub use token::{Pair, Token};
pub use trace::{TraceParent, TraceParentError};
pub use venue::VenueId;
