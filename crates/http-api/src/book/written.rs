//! Places that this process has acknowledged or answered, so that its lists and books show them: a user who places an order
//! and asks for all of them misses none, and a book is never older than what was said of it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use fillstream_domain::Seq;
use tokio::time::timeout;

use super::StoredMarkets;

/// Time that a list or a book waits for the read store; afterwards it shows what there is.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);

/// The last sequence that this process has written, or answered with.
#[derive(Debug, Default)]
pub struct Written(AtomicU64);

impl Written {
    /// An append was acknowledged, or a commit at this sequence was told.
    pub(super) fn note(&self, seq: Seq) {
        self.0.fetch_max(seq.get(), Ordering::Relaxed);
    }

    /// The last sequence noted.
    pub(super) fn last(&self) -> Seq {
        Seq::new(self.0.load(Ordering::Relaxed))
    }

    /// Waits until the read store has what was written before this call, for as long as a client may be kept waiting.
    pub(super) async fn is_stored(&self, stored: &dyn StoredMarkets) {
        let _ = timeout(PATIENCE, stored.holds(self.last())).await;
    }
}
