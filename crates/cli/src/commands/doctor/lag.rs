//! Progress of each part, as the stream and the rows tell it, whoever runs the parts.

use std::{future::Future, time::Duration};

use fillstream_domain::{
    Seq,
    book::{Commit, Symbol},
    subject::{book_inputs, market_commits},
};
use fillstream_event_log::{Consistency, EventLog, Inspector, JetStreamLog};
use fillstream_matching::definitions;
use fillstream_read_store::{Checkpoint, ReadStore, StoreError, StoreErrorKind};
use fillstream_retry::chain;
use serde_json::Value;

use super::finding::Finding;
use crate::{Failure, health::waiting, settings::sqlite_file};

/// An input that nobody commits for longer waits for a matcher: far above --takeover-after.
const COMMITTED_WITHIN: Duration = Duration::from_secs(10);
/// Rows that are this far behind still count as caught up, as for /ready.
const ROWS_LAG: u64 = 1000;
/// The check of the rows.
const CHECK: &str = "read_model";
/// The stream.
const STREAM: &str = "ORDERS";

/// The executor's queue: who works on it, what waits.
pub(super) fn executor(consumer: &Value) -> Finding {
    let number = |name: &str| consumer[name].as_u64().unwrap_or_default();
    let (waiting, in_hand) = (number("num_pending"), number("num_ack_pending"));
    let found = format!("{waiting} orders wait, {in_hand} are in hand");
    let most = consumer["config"]["max_ack_pending"].as_u64().unwrap_or(u64::MAX);
    if in_hand >= most {
        let remedy = "start further executors with a larger --max-ack-pending";
        return Finding::warning("executor", found, format!("less than {most} in hand"), remedy);
    }
    // Whoever works has asked for more.
    if number("num_waiting") == 0 {
        let remedy = "fillstream serve --role executor, or fillstream up";
        return Finding::warning(
            "executor",
            format!("{found}, and no executor asks for any"),
            "at least one",
            remedy,
        );
    }
    Finding::ok("executor", found)
}

/// Each market's last commit against its inputs.
///
/// # Errors
/// When the stream cannot be read.
pub(super) async fn markets(inspector: &Inspector, log: &dyn EventLog) -> Result<Vec<Finding>, Failure> {
    let defined = definitions(log).await?;
    let mut findings = Vec::new();
    for (_, definition) in &defined {
        findings.extend(market(inspector, log, &definition.symbol).await?);
    }
    if findings.is_empty() {
        let found = match defined.len() {
            0 => "no market is defined yet: the first matcher does it".to_owned(),
            count => format!("{count} markets, each committed up to its last input"),
        };
        findings.push(Finding::ok("matcher", found));
    }
    Ok(findings)
}

/// Fault of a market.
async fn market(
    inspector: &Inspector,
    log: &dyn EventLog,
    symbol: &Symbol,
) -> Result<Option<Finding>, Failure> {
    let last = log.last(&market_commits(symbol), Consistency::Leader).await?;
    let covered = match last.as_ref().map(|record| Commit::decode(&record.payload)) {
        None => 0,
        Some(Ok(commit)) => commit.last_input.get(),
        Some(Err(error)) => {
            let found = format!("the last commit of {symbol} cannot be read: {error}");
            let remedy = "fillstream verify";
            return Ok(Some(Finding::wrong("matcher", found, "a commit", remedy)));
        }
    };
    let waits = inspector.next(STREAM, &book_inputs(symbol), Seq::new(covered + 1)).await?;
    let Some(input) = waits else { return Ok(None) };
    let stored_at = fillstream_domain::Timestamp::from_unix_ms(input.stored_at);
    let since = waiting::now(inspector).await?.since(stored_at);
    Ok((since > COMMITTED_WITHIN).then(|| {
        let since = Duration::from_secs(since.as_secs());
        let found = format!(
            "{symbol}: input {} waits for its commit since {}",
            input.seq,
            humantime::format_duration(since)
        );
        let right = format!("committed within {} s", COMMITTED_WITHIN.as_secs());
        let remedy = "fillstream serve --role matcher, or fillstream up; if one runs: fillstream verify --from-snapshot";
        Finding::warning("matcher", found, right, remedy)
    }))
}

/// The rows against the stream, when there are any. A missing file is not made.
///
/// # Errors
/// When the stream cannot be read.
pub(super) async fn rows(url: &str, log: Option<&JetStreamLog>) -> Result<Finding, Failure> {
    let file = sqlite_file(url);
    if file.as_ref().is_some_and(|file| !file.exists()) {
        let remedy =
            "start `fillstream up` or `fillstream serve --role projector`, or name it with --database-url";
        return Ok(Finding::warning(CHECK, "there is none yet", "a database with rows", remedy));
    }
    against(checkpoint(url), log.map(|log| log as &dyn EventLog)).await
}

/// Verdict on the rows that are read, against the end of the stream.
async fn against(
    read: impl Future<Output = Result<Option<Checkpoint>, StoreError>>,
    log: Option<&dyn EventLog>,
) -> Result<Finding, Failure> {
    let rows = match read.await {
        Ok(rows) => rows,
        Err(error) => {
            let remedy = match error.kind() {
                StoreErrorKind::Damaged => {
                    "start `fillstream serve --role projector`: it sets a broken file aside and makes it anew from the stream"
                }
                StoreErrorKind::NewerSchema => "a newer fillstream has made the tables: use that one",
                StoreErrorKind::Busy
                | StoreErrorKind::Full
                | StoreErrorKind::Unreachable
                | StoreErrorKind::TimedOut
                | StoreErrorKind::ReadOnly
                | StoreErrorKind::Denied
                | StoreErrorKind::Failed
                | StoreErrorKind::Invalid => {
                    "start the database, and look at --database-url and its user's rights"
                }
            };
            return Ok(Finding::wrong(CHECK, chain(&error).to_string(), "reachable", remedy));
        }
    };
    Ok(match (rows, log) {
        // Asked after the rows were read: both go on meanwhile, and newer rows are not beyond the stream's end.
        (Some(rows), Some(log)) => compare(rows, end(log).await?),
        (Some(rows), None) => {
            Finding::ok(CHECK, format!("rows up to sequence {}; the stream was not asked", rows.seq))
        }
        (None, _) => {
            let remedy = "start `fillstream up` or `fillstream serve --role projector`";
            Finding::warning(CHECK, "reachable, and empty", "rows", remedy)
        }
    })
}

/// The stream's end by its leader's word: a replica that is behind would make the rows look newer.
async fn end(log: &dyn EventLog) -> Result<Checkpoint, Failure> {
    let incarnation = log.info().await?.incarnation;
    Ok(Checkpoint { incarnation, seq: waiting::end(log).await?, record: None })
}

/// Checkpoint of the rows. Nothing is made, and tables of an older version stay what they are.
async fn checkpoint(url: &str) -> Result<Option<Checkpoint>, StoreError> {
    let is_file = url.starts_with("sqlite://") && !url.contains('?');
    let reading = if is_file { format!("{url}?mode=ro") } else { url.to_owned() };
    let store = ReadStore::open_to_look(&reading).await?;
    let checkpoint = store.checkpoint().await;
    store.close().await;
    checkpoint
}

/// Sequence of the rows that are there, of a stream that is not: it was there once.
pub(super) async fn rows_of_a_stream(url: &str) -> Option<Seq> {
    if sqlite_file(url).is_some_and(|file| !file.exists()) {
        return None;
    }
    checkpoint(url).await.ok().flatten().map(|rows| rows.seq).filter(|seq| !seq.is_zero())
}

/// Whose rows they are, and how far they go.
fn compare(rows: Checkpoint, stream: Checkpoint) -> Finding {
    let found = format!("rows up to sequence {} of {}", rows.seq, stream.seq);
    if rows.incarnation != stream.incarnation {
        let remedy = "fillstream rebuild";
        return Finding::wrong(CHECK, "the rows are of another stream", "of this one", remedy);
    }
    if rows.seq > stream.seq {
        let remedy = "start `fillstream serve --role projector`, or fillstream rebuild: what only the rows know is \
                      written to a file, then they are made anew";
        return Finding::wrong(CHECK, format!("{found}: they are newer"), "not beyond the stream", remedy);
    }
    if stream.seq.since(rows.seq) > ROWS_LAG {
        let right = format!("at most {ROWS_LAG} behind");
        let remedy = "start `fillstream serve --role projector`, or wait while it falls";
        return Finding::warning(CHECK, found, right, remedy);
    }
    Finding::ok(CHECK, found)
}

/// Entries that wait for an operator.
///
/// # Errors
/// When the stream cannot be read.
pub(super) async fn parked(log: &JetStreamLog) -> Result<Finding, Failure> {
    let open = fillstream_parked::list(log).await?;
    if open.is_empty() {
        return Ok(Finding::ok("parked", "nothing is"));
    }
    let remedy = "fillstream parked list";
    Ok(Finding::warning("parked", format!("{} entries wait for a decision", open.len()), "none", remedy))
}

#[cfg(test)]
mod tests {
    use fillstream_domain::{Incarnation, Seq};
    use fillstream_event_log::{MemoryLog, NewRecord};
    use serde_json::json;

    use super::*;
    use crate::commands::doctor::finding::Verdict;

    #[test]
    fn rows_belong_to_their_stream_and_follow_it() {
        let at = |incarnation, seq| Checkpoint {
            incarnation: Incarnation::new(incarnation),
            seq: Seq::new(seq),
            record: None,
        };
        for (rows, verdict, remedy) in [
            (at(1, 5_000), Verdict::Ok, ""),
            (at(1, 4_000), Verdict::Ok, ""),
            (at(1, 3_999), Verdict::Warning, "projector"),
            (at(1, 5_001), Verdict::Wrong, "written to a file"),
            (at(2, 5_000), Verdict::Wrong, "fillstream rebuild"),
        ] {
            let found = compare(rows, at(1, 5_000));
            assert_eq!(found.verdict, verdict, "{rows:?}");
            assert!(found.remedy.unwrap_or_default().contains(remedy), "{rows:?}");
        }
    }

    #[tokio::test]
    async fn what_is_stored_while_the_rows_are_read_does_not_make_them_newer() {
        let log = MemoryLog::new(Incarnation::new(1));
        let placed = stored(&log);
        let read = async {
            let seq = stored(&log);
            assert!(seq > placed);
            Ok(Some(Checkpoint { incarnation: Incarnation::new(1), seq, record: None }))
        };
        let found = against(read, Some(&log)).await.expect("the log can be read");
        assert_eq!(found.verdict, Verdict::Ok, "{}", found.found);
    }

    fn stored(log: &MemoryLog) -> Seq {
        log.append_now(NewRecord {
            subject: "parked.probe".to_owned(),
            after: Seq::ZERO,
            event_id: uuid::Uuid::nil(),
            event_type: "probe".to_owned(),
            time: "2026-11-20T10:00:00.000Z".to_owned(),
            traceparent: None,
            retries: None,
            payload: b"{}".as_slice().into(),
        })
    }

    #[test]
    fn a_queue_without_workers_or_without_room_is_told() {
        for (asking, in_hand, verdict) in
            [(1, 0, Verdict::Ok), (0, 0, Verdict::Warning), (1, 4096, Verdict::Warning)]
        {
            let consumer = json!({ "num_waiting": asking, "num_ack_pending": in_hand, "num_pending": 3,
                                   "config": { "max_ack_pending": 4096 } });
            assert_eq!(executor(&consumer).verdict, verdict, "{consumer}");
        }
    }
}
