//! Follows the swaps, so that the list of the unended ones is what the stream says.
//!
//! ```text
//!  checkpoint ──▶ list ◀── tail of orders.swap.> behind it ──(each minute, at the end)──▶ checkpoint
//!  once a day: all swaps from the beginning ──▶ what the list lacks is added, and told
//! ```

use std::{sync::Arc, time::Duration};

use fillstream_domain::{RecordRef, Seq, Timestamp, subject::ALL_SWAPS};
use fillstream_event_log::{After, LogError, Record};
use fillstream_retry::{Retry, chain};
use fillstream_swap_machine::{Heard, Moment, Unended};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    Executor,
    checkpoint::{Checkpoint, UNREAD},
};

/// Records that are taken in at once.
pub(crate) const BATCH: usize = 1_000;
/// First and longest pause before the swaps are followed again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));
/// Tries to read the checkpoint, some seconds; then all swaps are read from the beginning.
const CHECKPOINT_TRIES: u32 = 6;
/// A checkpoint is believed for so long; then all swaps are read from the beginning once more.
const BELIEVED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// Between two looks at what stands in the way of the swaps on the list.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Name of the obstacle of swaps that stand still and that only another executor can go on with.
const ELSEWHERE: &str = "executor: swaps at venues that are not configured here";

/// A record of a swap, as far as the list needs it.
pub(crate) fn heard(record: &Record) -> Option<Heard> {
    let stored_at = Timestamp::from_unix_ms(record.stored_at);
    Heard::read(&record.subject, record.reference(), stored_at, &record.payload)
}

/// Keeps an executor's list.
pub(crate) struct Follower {
    executor: Arc<Executor>,
    /// The last record taken in; none before the first one.
    reached: Option<RecordRef>,
    /// The one that the last checkpoint names.
    written: Option<RecordRef>,
    counted_at: Timestamp,
}

impl Follower {
    pub(crate) fn new(executor: Arc<Executor>) -> Self {
        let counted_at = (executor.clock)();
        Self { executor, reached: None, written: None, counted_at }
    }

    /// Follows until told to stop, and leaves a checkpoint.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let follow = async {
            self.begin_at_checkpoint().await;
            self.executor.agenda.set_recalled();
            self.for_ever().await;
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = follow => {}
        }
        self.write().await;
    }

    async fn for_ever(&mut self) {
        let obstacles = self.executor.obstacles.clone();
        let what = "executor: unended swaps not followed";
        let mut retry = Retry::new(what, PAUSES.0, PAUSES.1).shown_in(&obstacles);
        loop {
            let Err(error) = self.follow(&mut retry).await;
            if error.is_final() {
                // The stream holds other records now: what was heard may not be in it.
                warn!(error = %chain(&error), "the swaps are read from the beginning");
                self.executor.agenda.clear();
                (self.reached, self.written, self.counted_at) = (None, None, (self.executor.clock)());
            }
            retry.failed(&error).await;
        }
    }

    /// Takes in what the checkpoint knows, signed transactions above all: before anything is signed.
    async fn begin_at_checkpoint(&mut self) {
        let executor = Arc::clone(&self.executor);
        let Some(snapshots) = &executor.snapshots else { return };
        let mut retry = Retry::new(UNREAD, PAUSES.0, PAUSES.1).shown_in(&executor.obstacles);
        for _ in 0..CHECKPOINT_TRIES {
            match Checkpoint::read(&**snapshots, executor.log.incarnation()).await {
                Ok(Some(checkpoint)) => {
                    executor.agenda.adopt(checkpoint.unended.into_iter());
                    (self.reached, self.written) = (Some(checkpoint.reached), Some(checkpoint.reached));
                    self.counted_at = checkpoint.counted_at;
                    return retry.done();
                }
                Ok(None) => return retry.done(),
                Err(error) => retry.failed(&error).await,
            }
        }
    }

    async fn follow(&mut self, retry: &mut Retry) -> Result<std::convert::Infallible, LogError> {
        let executor = Arc::clone(&self.executor);
        let after = self.reached.map_or(After::START, After::Record);
        let mut tail = executor.log.follow(after, Some(ALL_SWAPS)).await?;
        retry.done();
        let mut checkpoint = interval(executor.settings.checkpoint_every.max(Duration::from_millis(1)));
        checkpoint.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut tell = interval(TELL_EVERY);
        tell.set_missed_tick_behavior(MissedTickBehavior::Delay);
        checkpoint.tick().await;
        loop {
            tokio::select! {
                records = tail.next(BATCH) => {
                    let records = records?;
                    executor.agenda.hear(records.iter().filter_map(heard));
                    self.reached = records.last().map(Record::reference).or(self.reached);
                }
                _ = tell.tick() => self.tell(),
                _ = checkpoint.tick() => {
                    self.write().await;
                    self.count_anew().await?;
                }
            }
        }
    }

    fn tell(&self) {
        let Executor { agenda, obstacles, .. } = &*self.executor;
        match agenda.summary().elsewhere {
            0 => obstacles.clear(ELSEWHERE),
            count => {
                obstacles.tell(ELSEWHERE, format!("{count} swaps wait for an executor that has their venue"))
            }
        }
    }

    /// Writes the checkpoint when there is anything new in it. Without one a restart takes longer, that is all.
    async fn write(&mut self) {
        let executor = &self.executor;
        let (Some(snapshots), Some(reached)) = (&executor.snapshots, self.reached) else { return };
        if self.written == Some(reached) {
            return;
        }
        let unended = executor.agenda.heard();
        let checkpoint = Checkpoint::new(executor.log.incarnation(), reached, self.counted_at, unended);
        match checkpoint.write(&**snapshots).await {
            Ok(()) => self.written = Some(reached),
            Err(error) => warn!(error = %chain(&error), "the checkpoint of the unended swaps is not written"),
        }
    }

    /// Reads all swaps from the beginning when that was long ago, or, by a clock that was set since, will have been; adds
    /// what the list lacks. One that is on the list and has ended does no harm: it is taken up, and found to have ended.
    async fn count_anew(&mut self) -> Result<(), LogError> {
        let now = (self.executor.clock)();
        let Some(end) = self.reached.map(|reached| reached.seq) else { return Ok(()) };
        if now.since(self.counted_at) < BELIEVED_FOR && self.counted_at <= now {
            return Ok(());
        }
        let unended = read_all(&self.executor, end).await?;
        let agenda = &self.executor.agenda;
        // Whoever drove it to its end meanwhile took it off the list before that was heard of here.
        let lacking: Vec<_> = unended.heard().filter(|swap| !agenda.knows(swap.order)).collect();
        for swap in &lacking {
            error!(order_id = %swap.order, seq = %swap.last, "an unended swap was not on the list: it is taken up");
        }
        info!(swaps = agenda.summary().count, lacking = lacking.len(), "the unended swaps are counted anew");
        agenda.adopt(lacking.into_iter());
        self.counted_at = now;
        self.written = None;
        Ok(())
    }
}

/// The swaps that have not ended at sequence `up_to`.
async fn read_all(executor: &Executor, up_to: Seq) -> Result<Unended, LogError> {
    let mut unended = Unended::new(executor.settings.stalled_after);
    let now = Moment { running: Duration::ZERO, wall: (executor.clock)() };
    let mut tail = executor.log.follow(After::START, Some(ALL_SWAPS)).await?;
    loop {
        for record in tail.next(BATCH).await? {
            if record.seq > up_to {
                return Ok(unended);
            }
            let reached = record.seq;
            if let Some(heard) = heard(&record) {
                unended.hear(heard, now);
            }
            if reached == up_to {
                return Ok(unended);
            }
        }
    }
}
