//! What this process has had acknowledged, so that its lists show it: a user who places an order and asks for all of
//! them misses none.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use fillstream_domain::Seq;
use tokio::time::{sleep, timeout};

use super::StoredMarkets;

/// How long a list waits for the read store; afterwards it shows what there is.
const PATIENCE: Duration = Duration::from_millis(500);
/// Between two looks at how far the read store is.
const PAUSE: Duration = Duration::from_millis(2);

/// The last sequence that this process has written.
#[derive(Debug, Default)]
pub struct Written(AtomicU64);

impl Written {
    /// An append was acknowledged.
    pub(super) fn note(&self, seq: Seq) {
        self.0.fetch_max(seq.get(), Ordering::Relaxed);
    }

    /// Waits until the read store has what was written before this call, for as long as a client may be kept waiting.
    pub(super) async fn is_stored(&self, stored: &dyn StoredMarkets) {
        let written = Seq::new(self.0.load(Ordering::Relaxed));
        let reached = async {
            // A store that does not answer will not answer the list either, which says so.
            while stored.checkpoint().await.is_ok_and(|checkpoint| checkpoint < written) {
                sleep(PAUSE).await;
            }
        };
        let _ = timeout(PATIENCE, reached).await;
    }
}
