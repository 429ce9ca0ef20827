//! The live projector.
//!
//! ```text
//!  begin ──▶ checkpoint: of this stream, its record still there? ── yes ─▶ follow ─▶ apply, apply, …
//!    ▲           │ no: rows are ahead, or of another stream                  │ database or stream fails
//!    │           └─▶ rescue (file) ─▶ rebuild ─────────────────────┐         ▼
//!    └───────────────────── pause, growing to 30 s ◀───────────────┴─────────┘
//! ```
//! A start, a database that was away and a stream that was put back take the same road. Nothing but another stream under the
//! same name ends a projector.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fillstream_domain::{OrderId, Seq, Timestamp, parked::Cause};
use fillstream_event_log::{After, Consistency, EventLog, Follow, LogError, Record};
use fillstream_parked::park;
use fillstream_read_store::{Applied, Checkpoint, ReadStore, StoreError, StoreErrorKind};
use fillstream_retry::{Obstacles, Retry};
use parking_lot::Mutex;
use tokio::{
    sync::watch,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::batch::{BeganInside, Rows, rows};
use crate::rescue::{RescueError, rescue};
use crate::{RebuildError, rebuild};

/// Name of this part in parked entries.
const PART: &str = "projector";
/// Records of one transaction at most: large enough to carry its cost, small enough to be short.
const BATCH: usize = 2000;
/// Between the end of a transaction and the next one, at least: under load they come together in 200 a second, and an
/// event after a pause is taken in at once.
const GATHER: Duration = Duration::from_millis(5);
/// Before something is tried again that the database or the stream could not do, at first.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// And at last: so long after its cause has gone a trouble may last.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// While nothing comes, the database is asked this often whether it is there, and where the model stands.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// See the crate's first line.
pub struct Projector {
    log: Arc<dyn EventLog>,
    store: ReadStore,
    clock: fn() -> Timestamp,
    /// Directory of the files to which rows are written that the stream has lost.
    directory: PathBuf,
    position: watch::Sender<Seq>,
    applied_at: Mutex<Option<Timestamp>>,
    torn: AtomicU64,
    rescued: AtomicU64,
    obstacles: Obstacles,
}

/// Reasons why the model must be begun anew.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Rescue(RescueError),
}

impl From<RebuildError> for Ended {
    fn from(error: RebuildError) -> Self {
        match error {
            RebuildError::Log(error) => Self::Log(error),
            RebuildError::Store(error) => Self::Store(error),
        }
    }
}

impl From<RescueError> for Ended {
    fn from(error: RescueError) -> Self {
        match error {
            RescueError::Log(error) => Self::Log(error),
            RescueError::Store(error) => Self::Store(error),
            RescueError::File { .. } => Self::Rescue(error),
        }
    }
}

/// Retries, each with its own pauses: reading may go well where writing does not.
struct Retries {
    read: Retry,
    write: Retry,
    stream: Retry,
    rescue: Retry,
}

impl Projector {
    /// A projector of the log into the store. Rows that the stream has lost are written to files in `directory`.
    #[must_use]
    pub fn new(
        log: Arc<dyn EventLog>,
        store: ReadStore,
        clock: fn() -> Timestamp,
        directory: PathBuf,
    ) -> Arc<Self> {
        Arc::new(Self {
            log,
            store,
            clock,
            directory,
            position: watch::Sender::new(Seq::ZERO),
            applied_at: Mutex::default(),
            torn: AtomicU64::new(0),
            rescued: AtomicU64::new(0),
            obstacles: Obstacles::default(),
        })
    }

    /// The last sequence whose rows are in the model.
    #[must_use]
    pub fn position(&self) -> Seq {
        *self.position.borrow()
    }

    /// The same, and every change of it.
    #[must_use]
    pub fn positions(&self) -> watch::Receiver<Seq> {
        self.position.subscribe()
    }

    /// Time at which the stream took the last record whose rows are in the model; nothing before the first one that this process
    /// has applied.
    #[must_use]
    pub fn newest_applied_at(&self) -> Option<Timestamp> {
        *self.applied_at.lock()
    }

    /// Trouble that stands in its way now.
    #[must_use]
    pub const fn obstacles(&self) -> &Obstacles {
        &self.obstacles
    }

    /// Number of commits that it has left out because their end is not in the stream.
    #[must_use]
    pub fn torn(&self) -> u64 {
        self.torn.load(Ordering::Relaxed)
    }

    /// Number of rows that it has written to files because the stream has lost them.
    #[must_use]
    pub fn rescued(&self) -> u64 {
        self.rescued.load(Ordering::Relaxed)
    }

    /// Works until told to stop. No trouble of the database ends it.
    ///
    /// # Errors
    /// When the stream was recreated while following it.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), RebuildError> {
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            recreated = self.work() => Err(recreated.into()),
        }
    }

    /// Ends with the stream alone.
    async fn work(&self) -> LogError {
        let retry = |what| Retry::new(what, FIRST_PAUSE, LONGEST_PAUSE).shown_in(&self.obstacles);
        let mut retries = Retries {
            read: retry("projector: checkpoint not read"),
            write: retry("projector: rows not written"),
            stream: retry("projector: stream not followed"),
            rescue: retry("projector: rows ahead of the stream not rescued"),
        };
        loop {
            match self.round(&mut retries).await {
                Ok(()) => {}
                Err(Ended::Log(LogError::Recreated)) => return LogError::Recreated,
                Err(Ended::Log(error)) => retries.stream.failed(&error).await,
                Err(Ended::Rescue(error)) => retries.rescue.failed(&error).await,
                Err(Ended::Store(error)) => self.heal(error, &mut retries).await,
            }
        }
    }

    /// Waits; what can be done about the database meanwhile, is.
    async fn heal(&self, error: StoreError, retries: &mut Retries) {
        match error.kind() {
            StoreErrorKind::Damaged => self.set_aside().await,
            StoreErrorKind::Busy | StoreErrorKind::Full => {}
            StoreErrorKind::NewerSchema => {
                error!(
                    "the tables are a newer program's: rows stay away until this one is newer, all else goes on"
                );
            }
            StoreErrorKind::Unreachable
            | StoreErrorKind::TimedOut
            | StoreErrorKind::ReadOnly
            | StoreErrorKind::Denied
            | StoreErrorKind::Failed
            | StoreErrorKind::Invalid => self.store.reconnect(),
        }
        retries.write.failed(&error).await;
    }

    /// A broken file can be thrown away: the stream has all of it.
    async fn set_aside(&self) {
        match self.store.set_aside().await {
            Ok(Some(file)) => {
                warn!(file = %file.display(), "the read model's file is broken: set aside, rebuilt")
            }
            Ok(None) => {}
            Err(error) => warn!(error = %fillstream_retry::chain(&error), "the broken file is not set aside"),
        }
    }

    /// From the checkpoint on, for as long as the tail can follow the model.
    async fn round(&self, retries: &mut Retries) -> Result<(), Ended> {
        if self.store.is_damaged() {
            self.set_aside().await;
        }
        let Some(at) = self.begin(retries).await? else { return Ok(()) };
        let after = match at.reference() {
            Some(record) => After::Record(record),
            None => After::Seq(at.seq),
        };
        match self.log.follow(after, None).await {
            Ok(mut tail) => {
                retries.stream.done();
                self.project(&mut *tail, at, retries).await
            }
            Err(error) => self.unless_lost(error, retries).await,
        }
    }

    /// Reads the model's checkpoint; nothing when it had to be looked at, and is to be begun again.
    async fn begin(&self, retries: &mut Retries) -> Result<Option<Checkpoint>, Ended> {
        let incarnation = self.log.incarnation();
        let at = match self.store.checkpoint().await {
            Ok(at) => at.unwrap_or(Checkpoint::start(incarnation)),
            Err(error) if error.kind() == StoreErrorKind::NewerSchema => return Err(error.into()),
            Err(error) => {
                self.store.reconnect();
                if error.kind() == StoreErrorKind::Damaged {
                    self.set_aside().await;
                }
                retries.read.failed(&error).await;
                return Ok(None);
            }
        };
        retries.read.done();
        if at.incarnation != incarnation {
            self.anew(at, "they are of another stream", retries).await?;
            return Ok(None);
        }
        self.position.send_replace(at.seq);
        if at.record.is_none() && !at.seq.is_zero() {
            // An older version has written it. Once: from here on the checkpoint proves itself.
            if let Some(record) = self.log.record(at.seq).await? {
                let record = record.reference();
                if self.store.adopt(at, record).await? {
                    info!(seq = %at.seq, id = %record.id, "the checkpoint's record was not known: taken from the stream");
                }
                return Ok(Some(at.moved_to(record)));
            }
        }
        Ok(Some(at))
    }

    /// A stream that was put back, or trimmed behind the model, is no trouble that passes: the model is built anew.
    async fn unless_lost(&self, error: LogError, retries: &mut Retries) -> Result<(), Ended> {
        let why = match error {
            LogError::LostEnd { .. } | LogError::BeyondEnd { .. } => "the stream lost its end",
            LogError::Trimmed { .. } => "records that come next were removed from the stream",
            error @ (LogError::Unreachable(_)
            | LogError::Server(_)
            | LogError::Unreadable(_)
            | LogError::Denied { .. }
            | LogError::Recreated
            | LogError::Invalid(_)
            | LogError::StoreFull(_)) => return Err(error.into()),
        };
        match self.store.checkpoint().await? {
            Some(at) => self.anew(at, why, retries).await,
            None => Ok(()),
        }
    }

    /// Builds the model anew: it is a view that can be thrown away, once what the stream does not know is in a file.
    async fn anew(&self, at: Checkpoint, why: &str, retries: &mut Retries) -> Result<(), Ended> {
        warn!(seq = %at.seq, why, "the read model is rebuilt");
        if let Some(rescued) = rescue(&*self.log, &self.store, &at, &self.directory).await? {
            self.rescued.fetch_add(rescued.lines, Ordering::Relaxed);
            let (file, rows, common) = (rescued.file.display(), rescued.lines, rescued.common);
            error!(%file, rows, last = %common, "the stream has lost acknowledged orders or trades: they are in this file");
        }
        retries.rescue.done();
        let reached = rebuild(&*self.log, &self.store, &mut |_, _| {}).await?;
        retries.write.done();
        self.position.send_replace(reached.seq);
        info!(seq = %reached.seq, "the read model is rebuilt: done");
        Ok(())
    }

    /// Follows from a checkpoint on; returns when the model has moved in a way that the tail cannot follow.
    async fn project(
        &self,
        tail: &mut dyn Follow,
        mut at: Checkpoint,
        retries: &mut Retries,
    ) -> Result<(), Ended> {
        let mut records = Vec::new();
        let mut due = Instant::now();
        loop {
            match timeout(LOOK_EVERY, tail.next(BATCH)).await {
                Ok(Ok(mut more)) => records.append(&mut more),
                Ok(Err(error)) => return self.unless_lost(error, retries).await,
                Err(_) if self.stays_at(at).await? => {
                    self.prove(retries).await?;
                    continue;
                }
                Err(_) => return Ok(()),
            }
            // Little comes at a time, and a transaction costs as much as some twenty events: what comes soon goes along.
            while records.len() < BATCH
                && let Ok(more) = timeout_at(due, tail.next(BATCH)).await
            {
                match more {
                    Ok(mut more) => records.append(&mut more),
                    Err(error) => return self.unless_lost(error, retries).await,
                }
            }
            if !pass(&mut records, at) {
                return Ok(());
            }
            while !records.is_empty() {
                let rows = self.rows(&mut records, at.seq).await;
                let end = rows.end.filter(|end| *end > at.seq);
                let Some(end) = end.and_then(|end| records.iter().find(|record| record.seq == end)) else {
                    // The end of a commit is still to come.
                    break;
                };
                let (to, stored_at) = (end.reference(), Timestamp::from_unix_ms(end.stored_at));
                self.park(rows.unreadable).await;
                match self.store.apply(at, &rows.batch, to).await? {
                    Applied::Done { strays } => {
                        self.report(&strays, rows.torn);
                        retries.write.done();
                        at = at.moved_to(to);
                        *self.applied_at.lock() = Some(stored_at);
                    }
                    // Another projector was first.
                    Applied::Moved(now) if now.seq > at.seq => at = now,
                    Applied::Moved(_) | Applied::OtherStream(_) => return Ok(()),
                }
                if !pass(&mut records, at) {
                    return Ok(());
                }
                self.position.send_replace(at.seq);
            }
            due = Instant::now() + GATHER;
        }
    }

    /// Ends what trouble there was: the model and the stream fit each other, and rows could be written, if there were any.
    async fn prove(&self, retries: &mut Retries) -> Result<(), StoreError> {
        if retries.write.failing_since().is_some() {
            self.store.prove_writable().await?;
            retries.write.done();
        }
        retries.rescue.done();
        Ok(())
    }

    /// True when the database is there, and the model where this projector has left it.
    async fn stays_at(&self, at: Checkpoint) -> Result<bool, StoreError> {
        let found = self.store.checkpoint().await?;
        Ok(!self.store.is_damaged() && found.unwrap_or(Checkpoint::start(at.incarnation)) == at)
    }

    /// The rows of the records behind the model. When these begin within a commit, its earlier parts are put in front.
    async fn rows(&self, records: &mut Vec<Record>, after: Seq) -> Rows {
        let mut asked_from = after.next();
        loop {
            match rows(records, after, asked_from) {
                Ok(rows) => return rows,
                Err(inside) => {
                    let until = records.first().map_or(Seq::ZERO, |record| record.seq);
                    let earlier = self.earlier(&inside, until).await;
                    records.splice(0..0, earlier);
                    asked_from = inside.read_again_from;
                }
            }
        }
    }

    /// Records of the subject from the first part on, up to before the sequence `until`.
    async fn earlier(&self, inside: &BeganInside, until: Seq) -> Vec<Record> {
        let mut retry = self.retry("projector: a commit's beginning not read");
        let (mut from, mut earlier) = (inside.read_again_from, Vec::new());
        while from < until {
            match self.log.read(&inside.subject, from, Consistency::Leader).await {
                Ok(page) => {
                    retry.done();
                    let more = page.more;
                    earlier.extend(page.records.into_iter().filter(|record| record.seq < until));
                    let end = earlier.last().map_or(until, |record: &Record| record.seq.next());
                    from = if more { end } else { until };
                }
                Err(error) => retry.failed(&error).await,
            }
        }
        earlier
    }

    fn report(&self, strays: &[OrderId], torn: u64) {
        for order_id in strays {
            error!(%order_id, "events of an order that was never placed, or placed twice");
        }
        self.torn.fetch_add(torn, Ordering::Relaxed);
    }

    /// Puts aside what cannot be read, before the checkpoint passes it.
    async fn park(&self, unreadable: Vec<(Record, String)>) {
        for (record, reason) in unreadable {
            warn!(seq = %record.seq, subject = record.subject, reason, "an event is parked");
            let mut retry = self.retry("projector: parked entry not appended");
            while let Err(error) =
                park(&*self.log, PART, &record, Cause::Unreadable, reason.clone(), (self.clock)()).await
            {
                retry.failed(&error).await;
            }
            retry.done();
        }
    }

    fn retry(&self, what: &'static str) -> Retry {
        Retry::new(what, FIRST_PAUSE, Duration::from_secs(5)).shown_in(&self.obstacles)
    }
}

/// Leaves what lies behind the checkpoint. False when the checkpoint's record is another one: the model is of another
/// history than these records.
fn pass(records: &mut Vec<Record>, at: Checkpoint) -> bool {
    let found = records.iter().find(|record| record.seq == at.seq);
    let same = found.is_none_or(|found| at.record.is_none_or(|id| found.reference().id == id));
    records.retain(|record| record.seq > at.seq);
    same
}
