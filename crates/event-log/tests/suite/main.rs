//! The proof of the event log: one suite over every log, and what only the real one can suffer.
//!
//! ```text
//!  test ──▶ JetStreamLog ──▶ [Proxy: cuts at a given byte] ──▶ nats-server of its own [killed, held down]
//!    └────▶ Witness: reads the stream by itself, past the log and the proxy
//! ```
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "tests: their names say what they show, a panic is a failure"
)]

mod browse;
mod connection;
mod contract;
mod cuts;
mod follow;
mod groups;
mod handover;
mod kills;
mod outage;
mod paging;
mod parts;
mod proxy;
mod put_back;
mod records;
mod recreated;
mod replica;
mod server;
mod service;
mod shared;
mod snapshots;
mod tail;
mod times;
mod work;
