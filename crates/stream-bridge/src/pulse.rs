//! Times of pings, of giving up a peer that is silent for too long, and of the end of its token.

use std::{pin::Pin, time::Duration};

use fillstream_http_edge::Lease;
use tokio::time::{Instant, Sleep, sleep_until};

/// One timer for both, armed anew only when it fires.
pub(crate) struct Pulse {
    timer: Pin<Box<Sleep>>,
    next_ping: Instant,
    heard: Instant,
    ping_interval: Duration,
    silence_limit: Duration,
    /// End of the client's token; nothing without one, and once that was told.
    token_ends: Option<Instant>,
    lease: Lease,
}

/// Action that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    Ping,
    Silent,
    /// The token has ended by which the client came in, or its key was withdrawn. The latter is looked for with each ping.
    TokenEnded,
}

impl Pulse {
    pub(crate) fn new(ping_interval: Duration, silence_limit: Duration, lease: Lease) -> Self {
        let now = Instant::now();
        let token_ends = lease.ends().map(Instant::from_std);
        let next_ping = now + ping_interval;
        let first = next_ping.min(now + silence_limit);
        let timer = Box::pin(sleep_until(token_ends.map_or(first, |ends| first.min(ends))));
        Self { timer, next_ping, heard: now, ping_interval, silence_limit, token_ends, lease }
    }

    /// The peer has said something.
    pub(crate) fn heard(&mut self) {
        self.heard = Instant::now();
    }

    /// Waits until something is due. Safe to drop while it waits.
    pub(crate) async fn beat(&mut self) -> Beat {
        loop {
            self.timer.as_mut().await;
            let now = Instant::now();
            if self.token_ends.take_if(|ends| *ends <= now).is_some() {
                self.timer.as_mut().reset(self.next_ping.min(self.heard + self.silence_limit));
                return Beat::TokenEnded;
            }
            let silent = now >= self.heard + self.silence_limit;
            let ping = now >= self.next_ping;
            if ping {
                self.next_ping = now + self.ping_interval;
                if self.lease.is_withdrawn() {
                    (self.lease, self.token_ends) = (Lease::default(), None);
                    self.timer.as_mut().reset(self.next_ping);
                    return Beat::TokenEnded;
                }
            }
            // A peer that counts as silent may be heard after all: asked again with the next ping.
            let silence = self.heard + self.silence_limit;
            let next = if silent { self.next_ping } else { self.next_ping.min(silence) };
            self.timer.as_mut().reset(self.token_ends.map_or(next, |ends| next.min(ends)));
            match (silent, ping) {
                (true, _) => return Beat::Silent,
                (false, true) => return Beat::Ping,
                (false, false) => {}
            }
        }
    }
}
