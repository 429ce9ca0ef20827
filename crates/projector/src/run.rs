//! The live projector.

use std::{sync::Arc, time::Duration};

use fillstream_domain::{Timestamp, parked::Cause};
use fillstream_event_log::{EventLog, Follow, LogError, Record};
use fillstream_parked::park;
use fillstream_read_store::{Applied, Checkpoint, ReadStore, StoreError};
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{RebuildError, batch::rows, rebuild};

/// How this part names itself in parked entries.
const PART: &str = "projector";
/// Records of one transaction at most: large enough to carry its cost, small enough to be short.
const BATCH: usize = 2000;
/// Pause before something is tried again that the database or the stream could not do.
const PAUSE: Duration = Duration::from_millis(200);

/// See the crate's first line.
pub struct Projector {
    log: Arc<dyn EventLog>,
    store: ReadStore,
    clock: fn() -> Timestamp,
    position: watch::Sender<u64>,
}

impl Projector {
    /// A projector of the log into the store.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>, store: ReadStore, clock: fn() -> Timestamp) -> Arc<Self> {
        Arc::new(Self { log, store, clock, position: watch::Sender::new(0) })
    }

    /// The last sequence whose rows are in the model.
    #[must_use]
    pub fn position(&self) -> u64 {
        *self.position.borrow()
    }

    /// Works until told to stop.
    ///
    /// # Errors
    /// When the stream was recreated while following it, or the database fails for good.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), RebuildError> {
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            ended = self.follow() => ended,
        }
    }

    async fn follow(&self) -> Result<(), RebuildError> {
        loop {
            let at = self.begin().await?;
            let mut tail = match self.log.follow(at.seq + 1, None).await {
                Ok(tail) => tail,
                Err(LogError::Recreated) => return Err(LogError::Recreated.into()),
                Err(error) => {
                    warn!(%error, "the projector waits for the stream");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            self.project(&mut *tail, at).await?;
        }
    }

    /// Where the model stands. A model of another stream is built anew: it is a view that can be thrown away.
    async fn begin(&self) -> Result<Checkpoint, RebuildError> {
        let incarnation = self.log.incarnation();
        let at = loop {
            match self.store.checkpoint().await {
                Ok(at) => break at.unwrap_or(Checkpoint { incarnation, seq: 0 }),
                Err(error) => self.wait_out(error).await?,
            }
        };
        if at.incarnation == incarnation {
            self.position.send_replace(at.seq);
            return Ok(at);
        }
        warn!("the read model is of another stream and is rebuilt");
        rebuild(&*self.log, &self.store, &mut |_, _| {}).await
    }

    /// Follows from a checkpoint on; returns when the model has moved in a way that the tail cannot follow.
    async fn project(&self, tail: &mut dyn Follow, mut at: Checkpoint) -> Result<(), RebuildError> {
        loop {
            let mut records = tail.next(BATCH).await?;
            // Another projector may have taken the model beyond what this tail gives.
            records.retain(|record| record.seq > at.seq);
            while let Some(last) = records.last().map(|record| record.seq) {
                let rows = rows(&records);
                self.park(rows.unreadable).await;
                match self.store.apply(at, &rows.batch, last).await {
                    Ok(Applied::Done { strays }) => {
                        for order in strays {
                            error!(%order, "events of an order that was never placed, or placed twice");
                        }
                        at.seq = last;
                        records.clear();
                    }
                    Ok(Applied::Moved(now)) if now.seq >= at.seq => {
                        at = now;
                        records.retain(|record| record.seq > at.seq);
                    }
                    Ok(Applied::Moved(_) | Applied::OtherStream(_)) => return Ok(()),
                    Err(error) => {
                        self.wait_out(error).await?;
                        // Whether a lost commit went through is read from the checkpoint.
                        return Ok(());
                    }
                }
                self.position.send_replace(at.seq);
            }
        }
    }

    /// Puts aside what cannot be read, before the checkpoint passes it.
    async fn park(&self, unreadable: Vec<(Record, String)>) {
        for (record, reason) in unreadable {
            warn!(seq = record.seq, subject = record.subject, reason, "an event is parked");
            while let Err(error) =
                park(&*self.log, PART, &record, Cause::Unreadable, reason.clone(), (self.clock)()).await
            {
                warn!(%error, "the parked entry is not written yet");
                sleep(PAUSE).await;
            }
        }
    }

    async fn wait_out(&self, error: StoreError) -> Result<(), RebuildError> {
        if !error.is_transient() {
            return Err(error.into());
        }
        info!(%error, "the database is busy; again in a moment");
        sleep(PAUSE).await;
        Ok(())
    }
}
