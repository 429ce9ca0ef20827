//! A fresh read model beside the live one, and the swap.

use fillstream_domain::Seq;
use fillstream_event_log::{After, EventLog, Follow, LogError, Record};
use fillstream_projections::Batch;
use fillstream_read_store::{Checkpoint, Closing, ReadStore, Rebuild, StoreError};

use crate::batch::rows;

/// Records of one transaction.
const BATCH: usize = 5000;

/// Reasons why a model could not be rebuilt.
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
    let mut fresh = Rebuild::begin(store, log.incarnation()).await?;
    let mut goal = end(log).await?;
    let mut source = Source { tail: log.follow(After::START, None).await?, records: Vec::new() };
    // The stream grows meanwhile: go on until little is left for the time under the lock.
    while fresh.reached().seq < goal {
        let Some((batch, last)) = source.next(fresh.reached().seq, goal).await? else { break };
        fresh.apply(&batch, last.reference()).await?;
        progress(last.seq, goal);
        if last.seq >= goal {
            let now = end(log).await?;
            goal = if now.since(goal) > BATCH as u64 { now } else { goal };
        }
    }
    let mut closing = unless_lost(log, fresh.close_in().await?).await?;
    while closing.reached().seq < closing.must_reach() {
        let until = closing.must_reach();
        let Some((batch, last)) = source.next(closing.reached().seq, until).await? else { break };
        closing.apply(&batch, last.reference()).await?;
        progress(last.seq, last.seq);
    }
    Ok(closing.swap().await?)
}

/// The stream's last sequence, by its leader's word.
async fn end(log: &dyn EventLog) -> Result<Seq, LogError> {
    Ok(log.last_matching(">").await?.map_or(Seq::ZERO, |last| last.seq))
}

/// The live model must be reached only as far as the stream can: one that is ahead of a stream which was put back never is.
async fn unless_lost(log: &dyn EventLog, closing: Closing) -> Result<Closing, LogError> {
    let until = closing.must_reach();
    if until.is_zero() {
        return Ok(closing);
    }
    let found = log.record(until).await?;
    let live = closing.live().and_then(|live| live.reference());
    let is_held = match (found, live) {
        (Some(found), Some(live)) => found.reference() == live,
        // A model of an older version does not say which record it is.
        (Some(_), None) => true,
        // It was removed; or the stream does not come so far.
        (None, _) => until <= end(log).await?,
    };
    Ok(if is_held { closing } else { closing.over_lost_end() })
}

/// The stream as batches.
struct Source {
    tail: Box<dyn Follow>,
    /// Behind the last batch: parts of a commit whose end has not come yet, or what was too much for it.
    records: Vec<Record>,
}

impl Source {
    /// The batch behind `after`, and the last record that it covers. Nothing when all up to `until` is read and is the
    /// beginning of a commit without an end.
    async fn next(&mut self, after: Seq, until: Seq) -> Result<Option<(Batch, Record)>, LogError> {
        loop {
            let rows =
                rows(&self.records, after, Seq::ZERO).expect("nothing lies before the stream's first record");
            let end = rows.end.and_then(|end| self.records.iter().find(|record| record.seq == end).cloned());
            if let Some(end) = end {
                self.records.retain(|record| record.seq > end.seq);
                return Ok(Some((rows.batch, end)));
            }
            if self.records.last().is_some_and(|record| record.seq >= until) {
                return Ok(None);
            }
            self.records.append(&mut self.tail.next(BATCH).await?);
        }
    }
}
