//! A market's book as it was: the nearest kept levels, then the commits up to the moment asked for.

use std::collections::BTreeMap;

use fillstream_domain::{
    Amount, Seq,
    book::{self, Commit, Rules, Symbol},
    subject::market_commits,
};
use fillstream_event_log::{Consistency, EventLog, LogError, SnapshotStore};
use serde::Deserialize;

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
    // Levels of a commit whose last part is still to come.
    let mut held: Vec<book::Levels> = Vec::new();
    let mut from = seq.next();
    loop {
        let page = log.read(&subject, from, Consistency::Leader).await?;
        for record in page.records.iter().take_while(|record| record.seq <= up_to) {
            // A foreign writer's message is passed over, as everywhere.
            let Some(part) = PartLevels::of(&record.payload) else { continue };
            if part.part == 1 {
                held.clear();
            }
            held.extend(part.outcomes.into_iter().map(|outcome| outcome.levels));
            if part.last {
                for levels in held.drain(..) {
                    take(&mut bids, &levels.bids);
                    take(&mut asks, &levels.asks);
                }
                seq = record.seq;
            }
        }
        match page.records.last() {
            Some(last) if page.more && last.seq < up_to => from = last.seq.next(),
            Some(_) | None => break,
        }
    }
    Ok(Levels { seq, bids: bids.into_iter().rev().collect(), asks: asks.into_iter().collect() })
}

/// Parts of a commit that a book needs: all else, most of it, is passed over unread.
#[derive(Deserialize)]
struct PartLevels {
    #[serde(rename = "type")]
    name: String,
    version: u32,
    part: u32,
    last: bool,
    outcomes: Vec<OutcomeLevels>,
}

#[derive(Deserialize)]
struct OutcomeLevels {
    #[serde(default)]
    levels: book::Levels,
}

impl PartLevels {
    fn of(payload: &[u8]) -> Option<Self> {
        let part: Self = serde_json::from_slice(payload).ok()?;
        let ours = part.name == Commit::EVENT_TYPE.name && Rules::of_version(part.version).is_some();
        ours.then_some(part)
    }
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
