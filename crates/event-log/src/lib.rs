//! The event log: one ordered, durable sequence of records under subjects.
//!
//! ```text
//!            append (fenced)            read (literal subject)
//!  writer ──▶ group commit ──▶ stream ──▶ history
//!                                │
//!                                └──▶ follow (ordered, gapless) ──▶ projections, bridge
//!                                ├──▶ work queue (acknowledged) ──▶ executor
//!                                └──▶ browse (pages of a pattern) ──▶ who looks into it
//! ```
//! Beside it a [`SnapshotStore`] keeps states that spare a replay.
//! [`EventLog`] is the port; [`JetStreamLog`] is the real one, [`MemoryLog`] passes the same suite.
//! A [`Service`] answers requests that come over the same connection.
//! Nothing here knows what a record means.

mod browse;
mod error;
mod jetstream;
mod log;
mod memory;
mod memory_queue;
mod observe;
mod proof;
mod reading;
mod record;
mod service;
mod shared;
mod snapshots;
mod stamp;
mod subject;
mod work;

pub use browse::{Browse, Message, Messages};
pub use error::{AppendError, Cause, LogError, Refusal, ServerError};
pub use jetstream::{
    Access, ArchiveError, ConnectError, Definitions, Greeting, INCARNATION, Inspector, JetStreamLog,
    JetStreamQueue, JetStreamSnapshots, Limits, LogOptions, Probe, Right, StreamArchive, StreamShape,
    host_and_port, without_passwords,
};
pub use log::{After, Consistency, Durability, EventLog, Follow, Link, Page, StreamInfo};
pub use memory::MemoryLog;
pub use memory_queue::MemoryQueue;
pub use observe::AppendObserver;
pub use record::{HEADER_ROOM, MAX_PARTS, NewRecord, Record};
pub use service::{
    Answers, EndpointDefinition, Pairs, Service, ServiceDefinition, ServiceReply, ServiceRequest,
};
pub use shared::SharedLog;
pub use snapshots::{MemorySnapshots, SnapshotStore};
pub use subject::is_pattern;
pub use work::{Acknowledgement, Receipt, Work, WorkQueue};
