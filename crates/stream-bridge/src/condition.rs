//! Condition of the process as sockets need it: that the stream is lost, that it goes down.

use std::{convert::Infallible, time::Duration};

use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tracing::info;

use crate::hub::Hub;

/// Between two looks whether the stream answers.
const PROBE_PAUSE: Duration = Duration::from_millis(500);
/// Between two questions to a stream that does not answer.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// See the module's first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Condition {
    /// Nothing has come from the stream for longer than people should be left without a word.
    pub(crate) stream_lost: bool,
    /// The process goes down.
    pub(crate) stopping: bool,
    /// Number of times the stream has lost its end: what sockets were told before the last one is of a history that is gone.
    pub(crate) history: u64,
}

impl Hub {
    /// Sockets are told that the process goes down, and no new one is taken.
    pub fn stop(&self) {
        self.condition.send_modify(|condition| condition.stopping = true);
    }

    pub(crate) fn condition(&self) -> watch::Receiver<Condition> {
        self.condition.subscribe()
    }

    /// Tells sockets of an outage once it has lasted, and of its end. A connection proves little: a server that
    /// hangs, a stream without a leader or a tail that is stuck keep it up. So the stream is asked how far it is, and
    /// the tail has to get there.
    pub(crate) async fn watch_stream(&self) -> Infallible {
        let mut link = self.log.link();
        loop {
            let current = self.becomes_current();
            tokio::pin!(current);
            if timeout(self.settings.unreachable_after, &mut current).await.is_err() {
                self.tell_lost(true);
                current.await;
            }
            // Also when it was lost as a tail before this one saw it.
            if self.condition.borrow().stream_lost {
                self.tell_lost(false);
            }
            tokio::select! {
                () = sleep(PROBE_PAUSE) => {}
                // A broken connection is looked into at once.
                Ok(()) = link.changed() => {}
            }
        }
    }

    /// Waits until the stream answers and the tail is where it then ends.
    async fn becomes_current(&self) {
        loop {
            if let Ok(Ok(last)) = timeout(self.settings.unreachable_after, self.end()).await {
                return self.passes(last).await;
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    fn tell_lost(&self, lost: bool) {
        info!(lost, "the stream's reachability has changed");
        self.condition.send_modify(|condition| condition.stream_lost = lost);
    }
}
