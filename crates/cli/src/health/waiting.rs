//! Records that wait, and since when: asked of the stream's leader, because a replica, or the part itself, knows only what it has
//! heard.

use fillstream_domain::{
    Seq, Timestamp,
    book::{Commit, Symbol},
    subject::{book_inputs, market_commits},
};
use fillstream_event_log::{Consistency, EventLog, Inspector, LogError};
use fillstream_retry::chain;

use super::judge::Lacks;

/// The stream.
const STREAM: &str = "ORDERS";
/// All subjects.
const EVERYTHING: &str = ">";

/// The present instant by the leader's clock; by ours where the server does not tell.
pub(crate) async fn now(leader: &Inspector) -> Result<Timestamp, LogError> {
    Ok(leader.now(STREAM).await?.unwrap_or_else(fillstream_clock::now))
}

/// The oldest record behind a position, `now` by the [leader's clock](now).
pub(crate) async fn behind(leader: &Inspector, position: Seq, now: Timestamp) -> Lacks {
    known(oldest(leader, position.next(), EVERYTHING, now).await)
}

/// A market's oldest input behind its last commit, whoever commits.
pub(crate) async fn market(log: &dyn EventLog, leader: &Inspector, symbol: &Symbol, now: Timestamp) -> Lacks {
    known(without_outcome(log, leader, symbol, now).await)
}

/// End of the stream, by its leader's word: another member may believe in another end.
pub(crate) async fn end(log: &dyn EventLog) -> Result<Seq, LogError> {
    Ok(log.last_matching(EVERYTHING).await?.map_or(Seq::ZERO, |last| last.seq))
}

async fn without_outcome(
    log: &dyn EventLog,
    leader: &Inspector,
    symbol: &Symbol,
    now: Timestamp,
) -> Result<Lacks, LogError> {
    let last = log.last(&market_commits(symbol), Consistency::Leader).await?;
    let covered = match last.as_ref().map(|record| (record.seq, Commit::decode(&record.payload))) {
        None => Seq::ZERO,
        Some((_, Ok(commit))) => commit.last_input,
        Some((seq, Err(error))) => {
            return Ok(Lacks::NotKnown(format!("the last commit, {seq}, cannot be read: {}", chain(&error))));
        }
    };
    oldest(leader, covered.next(), &book_inputs(symbol), now).await
}

async fn oldest(leader: &Inspector, from: Seq, pattern: &str, now: Timestamp) -> Result<Lacks, LogError> {
    let found = leader.next(STREAM, pattern, from).await?;
    Ok(found.map_or(Lacks::Nothing, |record| {
        Lacks::Since(record.seq, now.since(Timestamp::from_unix_ms(record.stored_at)))
    }))
}

fn known(asked: Result<Lacks, LogError>) -> Lacks {
    asked.unwrap_or_else(|error| Lacks::NotKnown(chain(&error).to_string()))
}
