//! Messages that a part could not handle: put aside where an operator sees them, never lost, never in the way.
//!
//! ```text
//!  consumer ──park──▶ parked.<part>.<seq>  [entry]
//!  operator ──retry─▶ the message again, at the end of its subject ──▶ [entry][closed: retried]
//!           ──skip──▶                                                  [entry][closed: skipped]
//! ```

use std::collections::{BTreeMap, BTreeSet};

use fillstream_domain::{
    OrderId, Seq, Timestamp,
    book::BookInput,
    parked::{Cause, Closed, Closing, Parked, ParkedEvent},
    subject::{self, BookSubject, SwapSubject},
    swap::SwapEvent,
};
use fillstream_event_log::{After, AppendError, Consistency, EventLog, LogError, NewRecord, Record};
use uuid::Uuid;

/// Longest reason of an entry, bytes: some lines.
const MAX_REASON: usize = 2_000;
/// Records of the list that are taken at once.
const PAGE: usize = 1_000;
/// The part whose records may tell of money that was moved.
const EXECUTOR: &str = "executor";

/// Reasons why an entry could not be dealt with.
#[derive(Debug, thiserror::Error)]
pub enum ParkedError {
    /// No open entry of that part and sequence.
    #[error("there is no open entry {0}; `fillstream parked list` shows them")]
    NotOpen(String),
    /// An undecided swap is no message to be tried again.
    #[error("{0} is an undecided swap: use `fillstream resolve`")]
    NeedsDecision(String),
    /// The message itself cannot be found any more.
    #[error("the message at sequence {0} is not in the stream")]
    Gone(Seq),
    /// The log said no, or nothing.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] LogError),
}

/// An open entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Record that was put aside, and the reason.
    pub entry: Parked,
    /// The entry's own sequence: the fence of closing it.
    pub entry_seq: Seq,
}

/// Puts a record aside; false when it is there already. Doing it again, or another process doing it too, changes
/// nothing.
///
/// # Errors
/// When the stream cannot be reached; the record must not be acknowledged then.
pub async fn park(
    log: &dyn EventLog,
    part: &str,
    record: &Record,
    cause: Cause,
    reason: String,
    at: Timestamp,
) -> Result<bool, AppendError> {
    park_at(log, part, (record.seq, &record.subject), cause, reason, at).await
}

/// As [`park`], for a record that is known by its sequence and subject.
///
/// # Errors
/// As [`park`].
pub async fn park_at(
    log: &dyn EventLog,
    part: &str,
    (seq, subject): (Seq, &str),
    cause: Cause,
    reason: String,
    at: Timestamp,
) -> Result<bool, AppendError> {
    let order_id = order_of(subject);
    let reason = short(reason);
    let place = subject::parked(part, seq);
    let event = ParkedEvent::parked(Parked {
        part: part.to_owned(),
        seq,
        subject: subject.to_owned(),
        cause,
        order_id,
        reason,
        at,
    });
    match log.append(new_record(place, Seq::ZERO, &event)).await {
        Ok(_) => Ok(true),
        Err(AppendError::Fenced { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A reason may quote the message, and an entry must fit into one however large that was.
fn short(mut reason: String) -> String {
    if reason.len() > MAX_REASON {
        let end = (0..=MAX_REASON).rev().find(|at| reason.is_char_boundary(*at)).unwrap_or(0);
        reason.truncate(end);
        reason.push('…');
    }
    reason
}

/// The order that a subject names, swap or book.
fn order_of(subject: &str) -> Option<OrderId> {
    match (SwapSubject::parse(subject), BookSubject::parse(subject)) {
        (Some(swap), _) => Some(swap.order()),
        (None, Some(BookSubject::Order(_, order))) => Some(order),
        (None, Some(BookSubject::Definition(_) | BookSubject::Clock(_) | BookSubject::Commits(_)) | None) => {
            None
        }
    }
}

/// The open entries, in the order in which they were made.
///
/// # Errors
/// When the stream cannot be reached.
pub async fn list(log: &dyn EventLog) -> Result<Vec<Open>, LogError> {
    // Followed, not asked for at once: the server lists no more than 1,024 subjects in one answer.
    let first = log.info().await?.first_seq;
    let mut entries = BTreeMap::new();
    let mut tail = log.follow(After::Seq(first.prev()), Some(subject::ALL_PARKED)).await?;
    while !tail.caught_up().await? {
        for record in tail.next(PAGE).await? {
            match open(&record) {
                Some(entry) => drop(entries.insert(record.subject, entry)),
                None => drop(entries.remove(&record.subject)),
            }
        }
    }
    let mut entries: Vec<_> = entries.into_values().collect();
    entries.sort_unstable_by_key(|open| open.entry_seq);
    Ok(entries)
}

fn open(record: &Record) -> Option<Open> {
    let entry = match ParkedEvent::decode(&record.payload) {
        Ok(ParkedEvent::Parked(entry)) => entry.body,
        Ok(ParkedEvent::Closed(_)) => return None,
        Err(error) => unreadable_entry(record, &error.to_string())?,
    };
    Some(Open { entry, entry_seq: record.seq })
}

/// An entry of another version stays on the list: what an operator does not see is lost.
fn unreadable_entry(record: &Record, reason: &str) -> Option<Parked> {
    let (part, seq) = record.subject.strip_prefix("parked.")?.rsplit_once('.')?;
    Some(Parked {
        part: part.to_owned(),
        seq: seq.parse().ok()?,
        subject: record.subject.clone(),
        cause: Cause::Unreadable,
        order_id: None,
        reason: format!("the entry itself cannot be read: {reason}"),
        at: Timestamp::from_unix_ms(0),
    })
}

/// Appends the message anew, at the end of its subject, and closes every part's entry of it.
///
/// # Errors
/// See [`ParkedError`].
pub async fn retry(log: &dyn EventLog, part: &str, seq: Seq, at: Timestamp) -> Result<Seq, ParkedError> {
    let asked = find(log, part, seq).await?.entry;
    if asked.cause == Cause::Review {
        return Err(ParkedError::NeedsDecision(subject::parked(part, seq)));
    }
    let place = &asked.subject;
    let page = log.read(place, seq, Consistency::Leader).await?;
    let original = page.records.into_iter().find(|record| record.seq == seq).ok_or(ParkedError::Gone(seq))?;
    let after = log.last(place, Consistency::Leader).await?.map_or(Seq::ZERO, |last| last.seq);
    let again = NewRecord {
        subject: place.clone(),
        after,
        event_id: Uuid::now_v7(),
        event_type: type_of(&original),
        time: at.to_string(),
        traceparent: original.traceparent.map(|trace| trace.to_string()),
        retries: Some(seq),
        payload: original.payload,
    };
    let retried_as = log.append(again).await?;
    // It is there anew for every part: nobody is to append it once more.
    for entry in log.last_of_each(&subject::parked("*", seq)).await?.iter().filter_map(open) {
        if entry.entry.cause == Cause::Unreadable {
            let part = &entry.entry.part;
            end(log, (part, seq), entry.entry_seq, Closing::Retried, Some(retried_as), at).await?;
        }
    }
    Ok(retried_as)
}

/// The CloudEvents `type` of a message, as far as this version can tell.
fn type_of(record: &Record) -> String {
    let swap = SwapEvent::decode(&record.payload).map(|event| event.event_type());
    let known = swap.or_else(|_| BookInput::decode(&record.payload).map(|input| input.event_type()));
    known.map_or_else(|_| "fillstream.unreadable.v1".to_owned(), |event_type| event_type.cloud_event_type())
}

/// Closes the entry; its message stays left out. Returns the swap that goes under review by that: a record of it was left
/// out that may tell of a transaction, so no other one may be signed.
///
/// # Errors
/// See [`ParkedError`].
pub async fn skip(
    log: &dyn EventLog,
    part: &str,
    seq: Seq,
    at: Timestamp,
) -> Result<Option<OrderId>, ParkedError> {
    let open = find(log, part, seq).await?;
    if open.entry.cause == Cause::Review {
        return Err(ParkedError::NeedsDecision(subject::parked(part, seq)));
    }
    let doubtful = match SwapSubject::parse(&open.entry.subject) {
        Some(SwapSubject::Progress(order)) if part == EXECUTOR => {
            let record = log.record(seq).await?;
            let event = record.and_then(|record| SwapEvent::decode(&record.payload).ok());
            event.is_none_or(|event| event.may_tell_of_money()).then_some(order)
        }
        Some(SwapSubject::Progress(_) | SwapSubject::Placed(_)) | None => None,
    };
    end(log, (part, seq), open.entry_seq, Closing::Skipped, None, at).await?;
    Ok(doubtful)
}

/// Closes all of a part's open entries of an order, after its outcome was decided: the one that asked for the decision, and
/// those of records that no longer matter. What was not put aside yet at `asked` will not be.
///
/// # Errors
/// See [`ParkedError`].
pub async fn resolved(
    log: &dyn EventLog,
    part: &str,
    order: OrderId,
    asked: Option<Seq>,
    at: Timestamp,
) -> Result<(), ParkedError> {
    let open = list(log).await?.into_iter().map(|open| open.entry);
    let of_order = open.filter(|entry| entry.part == part && entry.order_id == Some(order));
    let places: BTreeSet<_> = of_order.map(|entry| entry.seq).chain(asked).collect();
    for seq in places {
        close(log, part, seq, at).await?;
    }
    Ok(())
}

async fn close(log: &dyn EventLog, part: &str, seq: Seq, at: Timestamp) -> Result<(), ParkedError> {
    let place = subject::parked(part, seq);
    loop {
        let last = log.last(&place, Consistency::Leader).await?;
        if last.as_ref().is_some_and(|last| open(last).is_none()) {
            return Ok(());
        }
        let entry_seq = last.map_or(Seq::ZERO, |last| last.seq);
        match end(log, (part, seq), entry_seq, Closing::Resolved, None, at).await {
            Err(ParkedError::Append(AppendError::Fenced { .. })) => {}
            ended => return ended,
        }
    }
}

/// Decision of an operator about a message; none while there is none, or it was never put aside. The part leaves it out then:
/// it is never applied at its old place.
///
/// # Errors
/// When the stream cannot be reached.
pub async fn closing(log: &dyn EventLog, part: &str, seq: Seq) -> Result<Option<Closed>, LogError> {
    let last = log.last(&subject::parked(part, seq), Consistency::Leader).await?;
    Ok(last.and_then(|last| match ParkedEvent::decode(&last.payload) {
        Ok(ParkedEvent::Closed(closed)) => Some(closed.body),
        // An entry of another version stays open.
        Ok(ParkedEvent::Parked(_)) | Err(_) => None,
    }))
}

async fn find(log: &dyn EventLog, part: &str, seq: Seq) -> Result<Open, ParkedError> {
    let place = subject::parked(part, seq);
    let last = log.last(&place, Consistency::Leader).await?;
    last.as_ref().and_then(open).ok_or(ParkedError::NotOpen(place))
}

async fn end(
    log: &dyn EventLog,
    (part, seq): (&str, Seq),
    entry_seq: Seq,
    closing: Closing,
    retried_as: Option<Seq>,
    at: Timestamp,
) -> Result<(), ParkedError> {
    let event = ParkedEvent::closed(Closed { part: part.to_owned(), seq, closing, retried_as, at });
    log.append(new_record(subject::parked(part, seq), entry_seq, &event)).await?;
    Ok(())
}

fn new_record(subject: String, after: Seq, event: &ParkedEvent) -> NewRecord {
    NewRecord {
        subject,
        after,
        event_id: Uuid::now_v7(),
        event_type: event.cloud_event_type().to_owned(),
        time: event.at().to_string(),
        traceparent: None,
        retries: None,
        payload: event.encode().into(),
    }
}

#[cfg(test)]
mod tests {
    use fillstream_domain::Incarnation;
    use fillstream_event_log::MemoryLog;

    use super::*;

    #[tokio::test]
    async fn more_entries_than_one_answer_names_are_all_on_the_list() {
        let log = MemoryLog::new(Incarnation::new(1));
        let at = Timestamp::from_unix_ms(0);
        let parked = 1..=1_500;
        for seq in parked.clone().map(Seq::new) {
            park_at(&log, "matcher", (seq, "orders.book.BTC-USDT.x"), Cause::Unreadable, String::new(), at)
                .await
                .unwrap();
        }
        skip(&log, "matcher", Seq::new(7), at).await.unwrap();
        let listed: Vec<_> = list(&log).await.unwrap().iter().map(|open| open.entry.seq.get()).collect();
        assert_eq!(listed, parked.filter(|seq| *seq != 7).collect::<Vec<_>>());
    }
}
