//! A fresh read model beside the live one, and the swap.

use fillstream_domain::{Incarnation, Seq};
use fillstream_event_log::{EventLog, Follow, LogError, Record};
use fillstream_projections::Batch;
use fillstream_read_store::{Checkpoint, ReadStore, Rebuild, StoreError};

use crate::batch::rows;

/// Records of one transaction.
const BATCH: usize = 5000;

/// Why a model could not be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The stream could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Builds the model anew from the whole stream and swaps it in. `progress` is told how far it is, of how much.
///
/// # Errors
/// See [`RebuildError`]; the live model stays as it is then.
pub async fn rebuild(
    log: &dyn EventLog,
    store: &ReadStore,
    progress: &mut (dyn FnMut(Seq, Seq) + Send),
) -> Result<Checkpoint, RebuildError> {
    let mut fresh = Rebuild::begin(store, Incarnation::new(log.incarnation())).await?;
    let mut goal = Seq::new(log.info().await?.last_seq);
    if goal.is_zero() {
        return Ok(fresh.close_in().await?.swap().await?);
    }
    let mut source = Source { tail: log.follow(1, None).await?, records: Vec::new() };
    // The stream grows meanwhile: go on until little is left for the time under the lock.
    while fresh.reached().seq < goal {
        let Some((batch, last)) = source.next(fresh.reached().seq, goal).await? else { break };
        fresh.apply(&batch, last).await?;
        progress(last, goal);
        if last >= goal {
            let now = Seq::new(log.info().await?.last_seq);
            goal = if now.since(goal) > BATCH as u64 { now } else { goal };
        }
    }
    let mut closing = fresh.close_in().await?;
    while closing.reached().seq < closing.must_reach() {
        let up_to = closing.must_reach();
        let Some((batch, last)) = source.next(closing.reached().seq, up_to).await? else { break };
        closing.apply(&batch, last).await?;
        progress(last, last);
    }
    Ok(closing.swap().await?)
}

/// The stream as batches.
struct Source {
    tail: Box<dyn Follow>,
    /// Behind the last batch: parts of a commit whose end has not come yet, or what was too much for it.
    records: Vec<Record>,
}

impl Source {
    /// The batch behind `after`, and the last sequence that it covers. Nothing when all up to `up_to` is read and is the
    /// beginning of a commit without an end.
    async fn next(&mut self, after: Seq, up_to: Seq) -> Result<Option<(Batch, Seq)>, LogError> {
        loop {
            let rows =
                rows(&self.records, after, Seq::ZERO).expect("nothing lies before the stream's first record");
            if let Some(end) = rows.end {
                self.records.retain(|record| Seq::new(record.seq) > end);
                return Ok(Some((rows.batch, end)));
            }
            if self.records.last().is_some_and(|record| Seq::new(record.seq) >= up_to) {
                return Ok(None);
            }
            self.records.append(&mut self.tail.next(BATCH).await?);
        }
    }
}
