//! The whole log once more: every commit recomputed from the inputs that it covers, and its outcomes held to the
//! invariants of a market.

use fillstream_commit_reader::WholeCommit;
use fillstream_domain::{
    Seq,
    book::Symbol,
    subject::{ALL_COMMITS, ALL_DEFINITIONS, BookSubject, market_commits},
};
use fillstream_event_log::{Consistency, EventLog, LogError, SnapshotStore};
use fillstream_matcher::{Audit, hash_text};
use serde::Serialize;
use std::collections::BTreeSet;

use crate::load::{Loaded, Replay, newest_snapshot};

/// Findings of a verification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The stream's last sequence when it began.
    pub last_seq: Seq,
    /// Each market, in alphabetical order.
    pub markets: Vec<Verified>,
}

/// Findings about a market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The market.
    pub symbol: Symbol,
    /// The commit behind which the replay began; [`Seq::ZERO`] for the beginning.
    pub from_commit: Seq,
    /// The last commit that was recomputed and is right.
    pub last_commit: Seq,
    /// The last input that it covers.
    pub last_input: Seq,
    /// The state's hash behind it, 16 hex digits.
    pub hash: String,
    /// Commits that never ended, because power was lost within a batch. Nothing is wrong with the log for it.
    pub torn: u64,
    /// The first commit that is not what its inputs give; nothing behind it was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<Difference>,
}

/// Place where a log does not reproduce itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The sequence near which it is.
    pub seq: Seq,
    /// Statement of what is there and what should be.
    pub what: String,
}

impl Report {
    /// Nothing differs.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.markets.iter().all(|market| market.difference.is_none())
    }
}

/// Recomputes every commit of every market, from nothing or from each market's newest snapshot. `progress` is told the
/// market and the sequence it has come to. Appends nothing.
///
/// # Errors
/// When the stream cannot be read.
pub async fn verify(
    log: &dyn EventLog,
    snapshots: Option<&dyn SnapshotStore>,
    progress: &mut (dyn FnMut(&Symbol, Seq) + Send),
) -> Result<Report, LogError> {
    let last_seq = log.info().await?.last_seq;
    let mut markets = Vec::new();
    for symbol in symbols(log).await? {
        let last = log.last(&market_commits(&symbol), Consistency::Leader).await?;
        let last = last.map_or(Seq::ZERO, |record| record.seq).min(last_seq);
        let nothing = Loaded::nothing(&symbol);
        let begin = match snapshots {
            Some(store) => newest_snapshot(log, store, &symbol, last).await?.unwrap_or(nothing),
            None => nothing,
        };
        markets.push(market(log, begin, last, progress).await?);
    }
    Ok(Report { last_seq, markets })
}

/// Whatever somebody has ever defined or committed, also when its definition cannot be read.
async fn symbols(log: &dyn EventLog) -> Result<BTreeSet<Symbol>, LogError> {
    let mut symbols = BTreeSet::new();
    for pattern in [ALL_DEFINITIONS, ALL_COMMITS] {
        let records = log.last_of_each(pattern).await?;
        let subjects = records.iter().filter_map(|record| BookSubject::parse(&record.subject));
        symbols.extend(subjects.map(|subject| subject.symbol().clone()));
    }
    Ok(symbols)
}

/// Audits the outcomes by themselves, whoever computed them: money is conserved, the book is never crossed.
fn audited(audit: &mut Audit, commit: WholeCommit) -> Result<(), fillstream_matcher::Difference> {
    let whole = commit.assembled();
    whole.iter().flat_map(|commit| &commit.outcomes).try_for_each(|outcome| audit.read(outcome))
}

async fn market(
    log: &dyn EventLog,
    begin: Loaded,
    last: Seq,
    progress: &mut (dyn FnMut(&Symbol, Seq) + Send),
) -> Result<Verified, LogError> {
    let (symbol, from_commit) = (begin.machine.symbol().clone(), begin.commit);
    let mut difference = None;
    let mut audit = Audit::behind(&begin.machine);
    let mut replay = Replay::begin(log, begin, last).await?;
    while difference.is_none() {
        let right = match replay.next_commit().await? {
            Ok(None) => break,
            Ok(Some(commit)) => audited(&mut audit, commit),
            Err(found) => Err(found),
        };
        difference = right.err().map(|found| Difference { seq: found.seq, what: found.what });
        progress(&symbol, replay.loaded.commit);
    }
    let machine = &replay.loaded.machine;
    Ok(Verified {
        from_commit,
        last_commit: replay.loaded.commit,
        last_input: machine.cursor(),
        hash: hash_text(machine.hash()),
        torn: replay.torn(),
        difference,
        symbol,
    })
}
