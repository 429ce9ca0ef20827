//! The listening port: connections come in within limits, say what they want within time, and are let go of gently.
//!
//! ```text
//!  listener ─▶ place? ──────────────▶ TLS? ─▶ Line (times, what a socket has sent) ─▶ hyper ─▶ Answering ─▶ Router
//!               ├─ full: spare place: operators are answered, others told           │
//!               └─ spare ones are taken, too: closed                                 └─ let go of: lingers
//! ```
//! axum's own server sets no time-out and no limit: a client that sends half a request would hold a descriptor for ever.

mod answering;
mod line;
mod places;
mod server;
mod tls;

use std::time::Duration;

pub use places::{PlaceLimits, Places, Refused};
pub use server::{Server, Serving};
pub use tls::{Tls, TlsError};

/// Times of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// From the connection, or the first byte of a request, to the end of its head; for the handshake of TLS as well.
    pub head: Duration,
    /// For a request's body as a whole.
    pub body: Duration,
    /// Between two requests of a connection.
    pub idle: Duration,
    /// A peer that takes nothing of an answer for this long is cut off.
    pub write: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            // Above the 60 s for which load balancers keep their end: they must not send into a connection that closes.
            idle: Duration::from_secs(75),
            write: Duration::from_secs(30),
        }
    }
}
