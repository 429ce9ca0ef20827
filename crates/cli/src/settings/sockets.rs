//! Settings of sockets.

use std::num::NonZeroU32;

use clap::Args;
use fillstream_http_edge::Rate;
use fillstream_projections::market::Parties;

use super::{Span, at_least_one, span::at_least};
use crate::Failure;

/// Sockets of one address, with authentication: some users behind one address.
const SOCKETS_OF_ADDRESS: usize = 1000;
/// Sockets of one user, with authentication.
const SOCKETS_OF_USER: usize = 100;
/// Subscriptions of one user, with authentication.
const SUBSCRIPTIONS_OF_USER: usize = 1000;
/// Messages a second of one socket, with authentication: subscriptions are few, and pings are rare.
const MESSAGES_OF_SOCKET: u32 = 50;

/// Sockets.
#[derive(Debug, Clone, Args)]
pub(crate) struct SocketSettings {
    /// Between two pings
    #[arg(
        long,
        env = "FILLSTREAM_PING_INTERVAL",
        value_parser = at_least::<1>,
        default_value = "30s",
        value_name = "TIME",
        help_heading = "Sockets"
    )]
    pub(crate) ping_interval: Span,
    /// A peer that is silent for this long is closed
    #[arg(
        long,
        env = "FILLSTREAM_SILENCE_LIMIT",
        value_parser = at_least::<1>,
        default_value = "60s",
        value_name = "TIME",
        help_heading = "Sockets"
    )]
    pub(crate) silence_limit: Span,
    /// A write that does not get through for this long closes the socket with 4408
    #[arg(
        long,
        env = "FILLSTREAM_WRITE_TIMEOUT",
        value_parser = at_least::<1>,
        default_value = "10s",
        value_name = "TIME",
        help_heading = "Sockets"
    )]
    pub(crate) write_timeout: Span,
    /// From an order's last message to the close
    #[arg(
        long,
        env = "FILLSTREAM_SOCKET_LINGER",
        default_value = "1s",
        value_name = "TIME",
        help_heading = "Sockets"
    )]
    pub(crate) socket_linger: Span,
    /// Largest message from a client, bytes
    #[arg(long, env = "FILLSTREAM_MAX_MESSAGE", value_name = "BYTES", value_parser = at_least_one(), default_value_t = 1 << 20, help_heading = "Sockets")]
    pub(crate) max_message: usize,
    /// Events that a client may be behind before it is told so
    #[arg(long, env = "FILLSTREAM_QUEUE_EVENTS", value_name = "N", value_parser = at_least_one(), default_value_t = 100, help_heading = "Sockets")]
    pub(crate) queue_events: usize,
    /// Sockets at the same time
    #[arg(long, env = "FILLSTREAM_MAX_SOCKETS", value_name = "N", value_parser = at_least_one(), default_value_t = 20_000, help_heading = "Sockets")]
    pub(crate) max_sockets: usize,
    /// Sockets of one address at the same time; 0: no limit [default: 1000 with authentication, else none]
    #[arg(long, env = "FILLSTREAM_SOCKETS_PER_ADDRESS", value_name = "N", help_heading = "Limits")]
    sockets_per_address: Option<usize>,
    /// Sockets of one user at the same time; 0: no limit [default: 100 with authentication, else none]
    #[arg(long, env = "FILLSTREAM_SOCKETS_PER_USER", value_name = "N", help_heading = "Limits")]
    sockets_per_user: Option<usize>,
    /// Subscriptions of one user on its sockets of the market; 0: no limit [default: 1000 with authentication, else none]
    #[arg(long, env = "FILLSTREAM_SUBSCRIPTIONS_PER_USER", value_name = "N", help_heading = "Limits")]
    subscriptions_per_user: Option<usize>,
    /// Messages a second from one socket's client, ten times as many at once; 0: no limit
    /// [default: 50 with authentication, else none]
    #[arg(long, env = "FILLSTREAM_MESSAGES_PER_SOCKET", value_name = "N", help_heading = "Limits")]
    messages_per_socket: Option<u32>,
    /// What all sockets together hold of messages that are not complete, bytes; who would exceed it is closed with 1013
    #[arg(long, env = "FILLSTREAM_UNFINISHED_MESSAGES", value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..), default_value_t = 64 << 20, help_heading = "Limits")]
    unfinished_messages: u64,
}

impl SocketSettings {
    /// Who answers every ping must never count as silent.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let (ping, silence) = (self.ping_interval, self.silence_limit);
        if silence.get() <= ping.get() {
            return Err(format!(
                "--silence-limit is {silence}, but must be above --ping-interval ({ping}): a client that only answers \
                 pings would be closed"
            )
            .into());
        }
        Ok(())
    }

    /// Bytes of unfinished messages, of all sockets together.
    pub(crate) const fn unfinished_messages(&self) -> u64 {
        self.unfinished_messages
    }

    /// With the limits that hold by default when clients prove who they are, or without.
    pub(crate) fn bridge(&self, authenticated: bool) -> fillstream_stream_bridge::Settings {
        let limit = |set: Option<usize>, by_default: usize| {
            let limit = set.unwrap_or(if authenticated { by_default } else { 0 });
            Some(limit).filter(|limit| *limit > 0)
        };
        let messages = self.messages_per_socket.unwrap_or(if authenticated { MESSAGES_OF_SOCKET } else { 0 });
        fillstream_stream_bridge::Settings {
            ping_interval: self.ping_interval.get(),
            silence_limit: self.silence_limit.get(),
            write_timeout: self.write_timeout.get(),
            linger: self.socket_linger.get(),
            max_message: self.max_message,
            queue_events: self.queue_events,
            max_sockets: self.max_sockets,
            sockets_of_address: limit(self.sockets_per_address, SOCKETS_OF_ADDRESS),
            sockets_of_user: limit(self.sockets_per_user, SOCKETS_OF_USER),
            subscriptions_of_user: limit(self.subscriptions_per_user, SUBSCRIPTIONS_OF_USER),
            trades: if authenticated { Parties::Unnamed } else { Parties::Named },
            messages: NonZeroU32::new(messages).map(|messages| Rate::with_burst_of(messages, 1)),
            ..fillstream_stream_bridge::Settings::default()
        }
    }
}
