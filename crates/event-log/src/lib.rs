//! The event log: one ordered, durable sequence of records under subjects.
//!
//! ```text
//!            append (fenced)            read (literal subject)
//!  writer ──▶ group commit ──▶ stream ──▶ history
//!                                │
//!                                └──▶ follow (ordered, gapless) ──▶ projections, bridge
//!                                └──▶ work queue (acknowledged) ──▶ executor
//! ```
//! [`EventLog`] is the port; [`JetStreamLog`] is the real one, [`MemoryLog`] passes the same suite.
//! Nothing here knows what a record means.

mod jetstream;
mod log;
mod memory;
mod subject;

pub use jetstream::{ConnectError, Definitions, JetStreamLog, LogOptions, Work, WorkQueue};
pub use log::{
    AppendError, Consistency, Durability, EventLog, Follow, Link, LogError, NewRecord, Page, Record,
    StreamInfo,
};
pub use memory::MemoryLog;
