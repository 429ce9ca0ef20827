//! Settings of the bridge, with the contract's defaults.

use std::time::Duration;

use fillstream_http_edge::Rate;
use fillstream_projections::market::Parties;

/// Limits and intervals of sockets.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Between two pings.
    pub ping_interval: Duration,
    /// A peer that says nothing for this long is closed.
    pub silence_limit: Duration,
    /// A write that does not get through for this long closes the socket with 4408.
    pub write_timeout: Duration,
    /// From the terminal message to close 1000.
    pub linger: Duration,
    /// Largest message from a client, bytes; 1009 beyond.
    pub max_message: usize,
    /// Events that a client may be behind before it is told `fell_behind`.
    pub queue_events: usize,
    /// Sockets at the same time; upgrades beyond are answered 503.
    pub max_sockets: usize,
    /// Sockets of one address at the same time; 429 beyond. Nothing: no limit.
    pub sockets_of_address: Option<usize>,
    /// Sockets of one user at the same time; 429 beyond. Nothing: no limit.
    pub sockets_of_user: Option<usize>,
    /// Subscriptions of one user on all its sockets of the market. Nothing: no limit but each socket's.
    pub subscriptions_of_user: Option<usize>,
    /// Messages from one socket's client; close 1008 beyond. Nothing: no limit.
    pub messages: Option<Rate>,
    /// Names that public trades show.
    pub trades: Parties,
    /// Readers of the live log at the same time; 503 beyond. Each reads pages of the stream for itself.
    pub log_readers: usize,
    /// Existence of an order must be decided within this, and an outage is told after it.
    pub unreachable_after: Duration,
    /// A history that cannot be read for this long closes the socket with 1013.
    pub load_limit: Duration,
    /// Orders placed since the start that are kept in memory for those who ask soon.
    pub recent_orders: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(30),
            silence_limit: Duration::from_secs(60),
            write_timeout: Duration::from_secs(10),
            linger: Duration::from_secs(1),
            max_message: 1 << 20,
            queue_events: 100,
            max_sockets: 20_000,
            sockets_of_address: None,
            sockets_of_user: None,
            subscriptions_of_user: None,
            messages: None,
            trades: Parties::Named,
            log_readers: 32,
            unreachable_after: Duration::from_secs(2),
            load_limit: Duration::from_secs(30),
            recent_orders: 10_000,
        }
    }
}
