//! The live projector.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fillstream_domain::{Incarnation, OrderId, Seq, Timestamp, book::Torn, parked::Cause};
use fillstream_event_log::{Consistency, EventLog, Follow, LogError, Record};
use fillstream_parked::park;
use fillstream_read_store::{Applied, Checkpoint, ReadStore, StoreError};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::batch::{BeganInside, Rows, rows};
use crate::{RebuildError, rebuild};

/// How this part names itself in parked entries.
const PART: &str = "projector";
/// Records of one transaction at most: large enough to carry its cost, small enough to be short.
const BATCH: usize = 2000;
/// Between the end of a transaction and the next one, at least: under load they come together in 200 a second, and an
/// event after a pause is taken in at once.
const GATHER: Duration = Duration::from_millis(5);
/// Pause before something is tried again that the database or the stream could not do.
const PAUSE: Duration = Duration::from_millis(200);

/// See the crate's first line.
pub struct Projector {
    log: Arc<dyn EventLog>,
    store: ReadStore,
    clock: fn() -> Timestamp,
    position: watch::Sender<Seq>,
    torn: AtomicU64,
}

impl Projector {
    /// A projector of the log into the store.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>, store: ReadStore, clock: fn() -> Timestamp) -> Arc<Self> {
        Arc::new(Self { log, store, clock, position: watch::Sender::new(Seq::ZERO), torn: AtomicU64::new(0) })
    }

    /// The last sequence whose rows are in the model.
    #[must_use]
    pub fn position(&self) -> Seq {
        *self.position.borrow()
    }

    /// How many commits it has left out because their end is not in the stream.
    #[must_use]
    pub fn torn(&self) -> u64 {
        self.torn.load(Ordering::Relaxed)
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
            let mut tail = match self.log.follow(at.seq.next().get(), None).await {
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
        let incarnation = Incarnation::new(self.log.incarnation());
        let at = loop {
            match self.store.checkpoint().await {
                Ok(at) => break at.unwrap_or(Checkpoint { incarnation, seq: Seq::ZERO }),
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
        let mut records = Vec::new();
        let mut due = Instant::now();
        loop {
            records.append(&mut tail.next(BATCH).await?);
            // Little comes at a time, and a transaction costs as much as some twenty events: what comes soon goes along.
            while records.len() < BATCH
                && let Ok(more) = timeout_at(due, tail.next(BATCH)).await
            {
                records.append(&mut more?);
            }
            // Another projector may have taken the model beyond what this tail gives.
            records.retain(|record| Seq::new(record.seq) > at.seq);
            while !records.is_empty() {
                let rows = self.rows(&mut records, at.seq).await;
                let Some(end) = rows.end.filter(|end| *end > at.seq) else {
                    // The end of a commit is still to come.
                    break;
                };
                self.park(rows.unreadable).await;
                match self.store.apply(at, &rows.batch, end).await {
                    Ok(Applied::Done { strays }) => {
                        self.report(&strays, &rows.torn);
                        at.seq = end;
                    }
                    Ok(Applied::Moved(now)) if now.seq >= at.seq => at = now,
                    Ok(Applied::Moved(_) | Applied::OtherStream(_)) => return Ok(()),
                    Err(error) => {
                        self.wait_out(error).await?;
                        // Whether a lost commit went through is read from the checkpoint.
                        return Ok(());
                    }
                }
                records.retain(|record| Seq::new(record.seq) > at.seq);
                self.position.send_replace(at.seq);
            }
            due = Instant::now() + GATHER;
        }
    }

    /// The rows of the records behind the model. When these begin within a commit, its earlier parts are put in front.
    async fn rows(&self, records: &mut Vec<Record>, after: Seq) -> Rows {
        let mut asked_from = after.next();
        loop {
            match rows(records, after, asked_from) {
                Ok(rows) => return rows,
                Err(inside) => {
                    let before = records.first().map_or(Seq::ZERO, |record| Seq::new(record.seq));
                    let earlier = self.earlier(&inside, before).await;
                    records.splice(0..0, earlier);
                    asked_from = inside.read_again_from;
                }
            }
        }
    }

    /// Records of the subject from the first part on, before the sequence `before`.
    async fn earlier(&self, inside: &BeganInside, before: Seq) -> Vec<Record> {
        let (mut from, mut earlier) = (inside.read_again_from, Vec::new());
        while from < before {
            match self.log.read(&inside.subject, from.get(), Consistency::Leader).await {
                Ok(page) => {
                    let more = page.more;
                    earlier.extend(page.records.into_iter().filter(|record| Seq::new(record.seq) < before));
                    let end = earlier.last().map_or(before, |record: &Record| Seq::new(record.seq).next());
                    from = if more { end } else { before };
                }
                Err(error) => {
                    warn!(%error, "the beginning of a commit is not read yet");
                    sleep(PAUSE).await;
                }
            }
        }
        earlier
    }

    fn report(&self, strays: &[OrderId], torn: &[Torn]) {
        for order in strays {
            error!(order_id = %order, "events of an order that was never placed, or placed twice");
        }
        for Torn { first, last } in torn {
            self.torn.fetch_add(1, Ordering::Relaxed);
            warn!(%first, %last, "parts of a commit without an end are left out");
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
