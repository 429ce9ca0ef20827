//! A market's book as it was: the nearest kept levels, then the commits up to the moment asked for.

use std::collections::BTreeMap;

use fillstream_domain::{
    Amount,
    book::{Commit, Parts, PartsStep, Symbol},
    subject::market_commits,
};
use fillstream_event_log::{Consistency, EventLog, LogError, SnapshotStore};

use crate::snapshots::{Levels, nearest_levels};

/// Why there is no such book.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// The stream has not come so far.
    #[error("the stream has not come so far: its last sequence is {newest}")]
    Ahead {
        /// The newest sequence.
        newest: u64,
    },
    /// The stream cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// The book after every commit whose final part's sequence is at or before `at`. `seq` of the answer is the last such
/// commit's; 0 before the first.
///
/// # Errors
/// See [`PastError`].
pub async fn book_at(
    log: &dyn EventLog,
    snapshots: Option<&dyn SnapshotStore>,
    symbol: &Symbol,
    at: u64,
) -> Result<Levels, PastError> {
    let newest = log.info().await?.last_seq;
    if at > newest {
        return Err(PastError::Ahead { newest });
    }
    let start = match snapshots {
        Some(store) => nearest_levels(log, store, symbol, at).await?,
        None => Levels::none(),
    };
    fold(log, symbol, start, at).await
}

async fn fold(log: &dyn EventLog, symbol: &Symbol, start: Levels, at: u64) -> Result<Levels, PastError> {
    let subject = market_commits(symbol);
    let mut seq = start.seq;
    let mut bids: BTreeMap<Amount, Amount> = start.bids.into_iter().collect();
    let mut asks: BTreeMap<Amount, Amount> = start.asks.into_iter().collect();
    let mut parts = Parts::new();
    let mut from = seq + 1;
    loop {
        let page = log.read(&subject, from, Consistency::Leader).await?;
        for record in page.records.iter().take_while(|record| record.seq <= at) {
            // A foreign writer's message is passed over, as everywhere.
            let Ok(part) = Commit::decode(&record.payload) else { continue };
            if let (PartsStep::Complete(whole), _) = parts.push(record.seq, part) {
                for outcome in whole.iter().flat_map(|(_, part)| &part.outcomes) {
                    take(&mut bids, &outcome.levels.bids);
                    take(&mut asks, &outcome.levels.asks);
                }
                seq = record.seq;
            }
        }
        match page.records.last() {
            Some(last) if page.more && last.seq < at => from = last.seq + 1,
            Some(_) | None => break,
        }
    }
    Ok(Levels { seq, bids: bids.into_iter().rev().collect(), asks: asks.into_iter().collect() })
}

fn take(side: &mut BTreeMap<Amount, Amount>, changed: &[(Amount, Amount)]) {
    for (price, quantity) in changed {
        if quantity.decimal().is_zero() {
            side.remove(price);
        } else {
            side.insert(*price, *quantity);
        }
    }
}
