//! A market's book as it was: the nearest kept levels, then the commits up to the moment asked for.

use std::collections::BTreeMap;

use fillstream_commit_reader::{CommitReader, LaterVersion, OnForeign};
use fillstream_domain::{Amount, Seq, book::Symbol, subject::market_commits};
use fillstream_event_log::{Consistency, EventLog, LogError, SnapshotStore};

use crate::snapshots::{Levels, nearest_levels};

/// Reasons why there is no such book.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// The stream has not come so far.
    #[error("the stream has not come so far: its last sequence is {newest}")]
    Ahead {
        /// The newest sequence.
        newest: Seq,
    },
    /// The stream cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A commit on the way is of a later version.
    #[error(transparent)]
    LaterVersion(#[from] LaterVersion),
}

/// The book after every commit whose final part's sequence is at or before `up_to`. `seq` of the answer is the last such
/// commit's; [`Seq::ZERO`] before the first.
///
/// # Errors
/// See [`PastError`].
pub async fn book_at(
    log: &dyn EventLog,
    snapshots: Option<&dyn SnapshotStore>,
    symbol: &Symbol,
    up_to: Seq,
) -> Result<Levels, PastError> {
    let newest = log.info().await?.last_seq;
    if up_to > newest {
        return Err(PastError::Ahead { newest });
    }
    let start = match snapshots {
        Some(store) => nearest_levels(log, store, symbol, up_to).await,
        None => Levels::none(),
    };
    fold(log, symbol, start, up_to).await
}

async fn fold(log: &dyn EventLog, symbol: &Symbol, start: Levels, up_to: Seq) -> Result<Levels, PastError> {
    let subject = market_commits(symbol);
    let mut seq = start.seq;
    let mut bids: BTreeMap<Amount, Amount> = start.bids.into_iter().collect();
    let mut asks: BTreeMap<Amount, Amount> = start.asks.into_iter().collect();
    let mut reader = CommitReader::new("book?at=", OnForeign::StopAtLater);
    let mut from = seq.next();
    loop {
        let page = log.read(&subject, from, Consistency::Leader).await?;
        for record in page.records.iter().take_while(|record| record.seq <= up_to) {
            for whole in reader.take(log, record).await? {
                for outcome in whole.outcomes() {
                    change(&mut bids, &outcome.levels.bids);
                    change(&mut asks, &outcome.levels.asks);
                }
                seq = whole.end();
            }
        }
        match page.records.last() {
            Some(last) if page.more && last.seq < up_to => from = last.seq.next(),
            Some(_) | None => break,
        }
    }
    Ok(Levels { seq, bids: bids.into_iter().rev().collect(), asks: asks.into_iter().collect() })
}

fn change(side: &mut BTreeMap<Amount, Amount>, changed: &[(Amount, Amount)]) {
    for (price, quantity) in changed {
        if quantity.decimal().is_zero() {
            side.remove(price);
        } else {
            side.insert(*price, *quantity);
        }
    }
}
