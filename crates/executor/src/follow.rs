//! Follows the swaps, so that the list of the unended ones is what the stream says.
//!
//! ```text
//!  checkpoint ──▶ list ◀── tail of orders.swap.> behind it ──(each minute, at the end)──▶ checkpoint
//!  once a day: all swaps from the beginning ──▶ what the list lacks is added, and told
//! ```

use std::{collections::HashMap, sync::Arc, time::Duration};

use fillstream_domain::{
    OrderId, RecordRef, Seq, Timestamp,
    subject::{ALL_SWAPS, swap_progress},
};
use fillstream_event_log::{After, Consistency, EventLog, LogError, Record};
use fillstream_retry::{Retry, chain};
use fillstream_swap_machine::{Heard, Tells};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{Executor, checkpoint::Checkpoint};

/// Records that are taken in at once.
pub(crate) const BATCH: usize = 1_000;
/// First and longest pause before the swaps are followed again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));
/// A checkpoint is believed for so long; then all swaps are read from the beginning once more.
const BELIEVED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// Between two looks at what stands in the way of the swaps on the list.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Name of the obstacle of swaps that stand still and that only another executor can go on with.
const ELSEWHERE: &str = "executor: swaps at venues that are not configured here";

/// A record of a swap, as far as the list needs it.
pub(crate) fn heard(record: &Record) -> Option<Heard> {
    let stored_at = Timestamp::from_unix_ms(record.stored_at);
    Heard::read(&record.subject, record.seq, stored_at, &record.payload)
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
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.for_ever() => {}
        }
        self.write().await;
    }

    async fn for_ever(&mut self) {
        let obstacles = self.executor.obstacles.clone();
        let what = "executor: unended swaps not followed";
        let mut retry = Retry::new(what, PAUSES.0, PAUSES.1).shown_in(&obstacles);
        self.begin_at_checkpoint().await;
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

    async fn begin_at_checkpoint(&mut self) {
        let executor = Arc::clone(&self.executor);
        let Some(snapshots) = &executor.snapshots else { return };
        let Some(checkpoint) = Checkpoint::read(&**snapshots, executor.log.incarnation()).await else {
            return;
        };
        executor.agenda.hear(checkpoint.swaps());
        (self.reached, self.written) = (Some(checkpoint.reached), Some(checkpoint.reached));
        self.counted_at = checkpoint.counted_at;
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
                obstacles.set(ELSEWHERE, format!("{count} swaps wait for an executor that has their venue"))
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
        let checkpoint = Checkpoint::new(executor.log.incarnation(), reached, self.counted_at, &unended);
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
        let known: HashMap<_, _> =
            self.executor.agenda.heard().into_iter().map(|swap| (swap.order, swap.last)).collect();
        let mut lacking = Vec::new();
        for heard in unended.into_values().filter(|heard| !known.contains_key(&heard.order)) {
            // Whoever drives it takes it off the list, while all were read, before its end is heard of here.
            if !has_ended(&*self.executor.log, heard.order).await? {
                lacking.push(heard);
            }
        }
        for heard in &lacking {
            error!(order_id = %heard.order, seq = %heard.seq, "an unended swap was not on the list: it is taken up");
        }
        info!(swaps = known.len(), lacking = lacking.len(), "the unended swaps are counted anew");
        self.executor.agenda.hear(lacking.into_iter());
        self.counted_at = now;
        self.written = None;
        Ok(())
    }
}

/// True when the last record of a swap tells its end.
async fn has_ended(log: &dyn EventLog, order: OrderId) -> Result<bool, LogError> {
    let last = log.last(&swap_progress(order), Consistency::Leader).await?;
    Ok(last.as_ref().and_then(heard).is_some_and(|heard| matches!(heard.tells, Tells::Ends)))
}

/// The last record of each swap that has not ended at sequence `up_to`.
async fn read_all(executor: &Executor, up_to: Seq) -> Result<HashMap<OrderId, Heard>, LogError> {
    let mut unended = HashMap::new();
    let mut tail = executor.log.follow(After::START, Some(ALL_SWAPS)).await?;
    loop {
        for record in tail.next(BATCH).await? {
            if record.seq > up_to {
                return Ok(unended);
            }
            let reached = record.seq;
            if let Some(heard) = heard(&record) {
                match heard.tells {
                    Tells::Ends => drop(unended.remove(&heard.order)),
                    Tells::Goes | Tells::Pauses(_) => drop(unended.insert(heard.order, heard)),
                }
            }
            if reached == up_to {
                return Ok(unended);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use fillstream_domain::{Incarnation, subject::swap_placed};
    use fillstream_event_log::{MemoryLog, NewRecord};
    use uuid::Uuid;

    use super::*;

    fn append(log: &MemoryLog, subject: String, fields: &str) {
        let payload = format!(
            r#"{{"version":1,"order_id":"{ORDER}","attempt":1,"max_attempts":3,"at":"2026-01-10T07:30:15.123Z",{fields}}}"#
        );
        log.append_now(NewRecord {
            subject,
            after: Seq::ZERO,
            event_id: Uuid::now_v7(),
            event_type: "swap".to_owned(),
            time: "2026-01-10T07:30:15.123Z".to_owned(),
            traceparent: None,
            retries: None,
            payload: payload.into(),
        });
    }

    const ORDER: &str = "0198c0de-0000-7000-8000-000000000001";

    #[tokio::test]
    async fn a_swap_that_has_ended_meanwhile_is_not_lacking() {
        let log = MemoryLog::new(Incarnation::new(7));
        let order: OrderId = ORDER.parse().unwrap();
        let ended = async || has_ended(&log, order).await.unwrap();
        append(
            &log,
            swap_placed(order),
            r#""type":"swap.placed","token_in":"SOL","token_out":"USDC","amount_in":"10","slippage":"0.5","fingerprint":"f""#,
        );
        assert!(!ended().await);
        append(&log, swap_progress(order), r#""type":"swap.routing_started""#);
        assert!(!ended().await);
        append(
            &log,
            swap_progress(order),
            r#""type":"swap.failed","stage":"routing","reason":"none","decided_by":"executor""#,
        );
        assert!(ended().await);
    }
}
