//! A fresh read model beside the live one, and the swap.

use fillstream_event_log::{EventLog, Follow, LogError};
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
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Checkpoint, RebuildError> {
    let mut fresh = Rebuild::begin(store, log.incarnation()).await?;
    let mut goal = log.info().await?.last_seq;
    if goal == 0 {
        return Ok(fresh.close_in().await?.swap().await?);
    }
    let mut tail = log.follow(1, None).await?;
    // The stream grows meanwhile: go on until little is left for the time under the lock.
    while fresh.reached().seq < goal {
        let (batch, last) = next(&mut *tail).await?;
        fresh.apply(&batch, last).await?;
        progress(last, goal);
        if last >= goal {
            let now = log.info().await?.last_seq;
            goal = if now - goal > BATCH as u64 { now } else { goal };
        }
    }
    let mut closing = fresh.close_in().await?;
    while closing.reached().seq < closing.must_reach() {
        let (batch, last) = next(&mut *tail).await?;
        closing.apply(&batch, last).await?;
        progress(last, last);
    }
    Ok(closing.swap().await?)
}

async fn next(tail: &mut dyn Follow) -> Result<(fillstream_projections::rows::RowBatch, u64), LogError> {
    let records = tail.next(BATCH).await?;
    let last = records.last().map_or(0, |record| record.seq);
    Ok((rows(&records).batch, last))
}
