//! Counters of the bridge.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;

use crate::{hub::Hub, wire::End};

/// No close was sent by either side, or the peer's is answered.
const GONE: u16 = 1006;

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

/// Number of connections that have ended, by close code (RFC 6455); 1006 stands for peers that went without one.
#[derive(Debug, Default)]
pub struct Closes(Mutex<BTreeMap<u16, u64>>);

impl Closes {
    /// Each code that there was, with its count.
    #[must_use]
    pub fn all(&self) -> Vec<(u16, u64)> {
        self.0.lock().iter().map(|(code, count)| (*code, *count)).collect()
    }

    pub(crate) fn note(&self, end: &End) {
        let code = match end {
            End::Close(code, _) => *code,
            End::Gone => GONE,
            // No end: the connection stays.
            End::Anew => return,
        };
        *self.0.lock().entry(code).or_default() += 1;
    }
}

/// Counts of one process since its start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Sockets and event streams open now, or being opened.
    pub connections: Count,
    /// Orders that sockets watch now, and channels of the market, each counted for each socket.
    pub subscriptions: Count,
    /// Orders that sockets watch now.
    pub orders_watched: Count,
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
    /// Upgrades refused, for whatever reason.
    pub refused: Count,
    /// Of these: because the address has all the sockets that it may have.
    pub refused_of_address: Count,
    /// Of these: because the user has.
    pub refused_of_user: Count,
    /// Sockets and event streams that have ended, by close code.
    pub closed: Closes,
    /// Sockets closed because their token had ended.
    pub tokens_ended: Count,
    /// Sockets closed because their client spoke too often.
    pub spoke_too_often: Count,
}

/// Counts one for as long as it is held.
pub(crate) struct Held {
    hub: Arc<Hub>,
    count: fn(&Counters) -> &Count,
}

impl Held {
    pub(crate) fn new(hub: &Arc<Hub>, count: fn(&Counters) -> &Count) -> Self {
        count(&hub.counters).add(1);
        Self { hub: Arc::clone(hub), count }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        (self.count)(&self.hub.counters).sub(1);
    }
}
