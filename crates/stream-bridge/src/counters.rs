//! What the bridge counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows, or is set.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// The value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn sub(&self, less: u64) {
        self.0.fetch_sub(less, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

/// Counts of one process since its start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Sockets open now.
    pub connections: Count,
    /// Sockets that watch an order now.
    pub subscriptions: Count,
    /// Messages written to sockets.
    pub messages_sent: Count,
    /// Times that a socket was told `fell_behind`.
    pub fell_behind: Count,
    /// Histories read from the log, joins of one order sharing one.
    pub histories_read: Count,
    /// Histories that were read again because they missed something known.
    pub stale_reads: Count,
    /// Times that the tail's consumer was set up again.
    pub tail_recreated: Count,
    /// Upgrades refused because the process is full or going down.
    pub refused: Count,
}
