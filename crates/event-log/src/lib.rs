//! The event log: one ordered, durable sequence of records under subjects.
//!
//! ```text
//!            append (fenced)            read (literal subject)
//!  writer ──▶ group commit ──▶ stream ──▶ history
//!                                │
//!                                └──▶ follow (ordered, gapless) ──▶ projections, bridge
//!                                └──▶ work queue (acknowledged) ──▶ executor
//! ```
//! Beside it a [`SnapshotStore`] keeps states that spare a replay.
//! [`EventLog`] is the port; [`JetStreamLog`] is the real one, [`MemoryLog`] passes the same suite.
//! Nothing here knows what a record means.

mod jetstream;
mod log;
mod memory;
mod record;
mod shared;
mod snapshots;
mod stamp;
mod subject;

pub use jetstream::{
    ConnectError, Definitions, JetStreamLog, JetStreamSnapshots, LogOptions, Work, WorkQueue,
};
pub use log::{AppendError, Consistency, Durability, EventLog, Follow, Link, LogError, Page, StreamInfo};
pub use memory::MemoryLog;
pub use record::{HEADER_ROOM, MAX_PARTS, NewRecord, Record};
pub use shared::SharedLog;
pub use snapshots::{MemorySnapshots, SnapshotStore};
