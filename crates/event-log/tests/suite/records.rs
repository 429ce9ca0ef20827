//! Records to append, and what must be true of them afterwards.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use fillstream_domain::Seq;
use fillstream_event_log::{AppendError, Consistency, EventLog, Follow, NewRecord, Page, Record};
use futures_util::future::join_all;
use uuid::Uuid;

use crate::server::Stored;

/// No wait in this suite is longer, unless something is broken.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A record with an id of its own.
pub(crate) fn record(subject: impl Into<String>, after: u64) -> NewRecord {
    let event_id = Uuid::now_v7();
    NewRecord {
        subject: subject.into(),
        after: Seq::new(after),
        event_id,
        event_type: "com.example.tested.v1".to_owned(),
        time: "2026-01-02T03:04:05.678Z".to_owned(),
        traceparent: None,
        retries: None,
        payload: Bytes::from(format!(r#"{{"id":"{event_id}"}}"#)),
    }
}

/// As `record`, with so many bytes of payload.
pub(crate) fn sized(subject: impl Into<String>, bytes: usize) -> NewRecord {
    NewRecord { payload: vec![b'x'; bytes].into(), ..record(subject, 0) }
}

/// The placed record of the n-th order.
pub(crate) fn placed(n: usize) -> NewRecord {
    record(format!("orders.swap.{n}.placed"), 0)
}

/// What every reader must get for a record that was appended. Its time is the stream's: it is taken from one read.
pub(crate) async fn stored_as(log: &dyn EventLog, record: &NewRecord, seq: u64) -> Record {
    let found = log.read(&record.subject, Seq::new(seq), Consistency::Any).await.unwrap();
    let (stored_at, event_id) = (found.records[0].stored_at, Some(record.event_id));
    Record::new(Seq::new(seq), record.subject.clone(), stored_at, event_id, record.payload.clone())
}

/// Fails the test instead of waiting for ever.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.unwrap_or_else(|_| panic!("not in {SOON:?}: {what}"))
}

/// Fails the test when it does not become true.
pub(crate) async fn eventually(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let polled = async {
        while !is().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(what, polled).await;
}

/// Takes from a tail until it has given `count` records.
pub(crate) async fn take(tail: &mut dyn Follow, count: usize) -> Vec<Record> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let some = soon("the tail gives records", tail.next(count - taken.len())).await.unwrap();
        assert!(!some.is_empty() && some.len() <= count - taken.len(), "{} at once", some.len());
        taken.extend(some);
    }
    taken
}

/// The history of a subject, page by page.
pub(crate) async fn pages(log: &dyn EventLog, subject: &str, consistency: Consistency) -> Vec<Page> {
    let mut pages: Vec<Page> = Vec::new();
    let mut from = 0;
    loop {
        let page = log.read(subject, Seq::new(from), consistency).await.unwrap();
        let more = page.more;
        from = page.records.last().map_or(from, |record| record.seq.next().get());
        pages.push(page);
        if !more {
            return pages;
        }
    }
}

pub(crate) fn seqs(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.seq.get()).collect()
}

/// An append and what it was answered.
pub(crate) type Told = (NewRecord, Result<Seq, AppendError>);

/// What every reader must get for appends that were all acknowledged, in order of sequence.
pub(crate) async fn all_stored_as(log: &dyn EventLog, told: &[Told]) -> Vec<Record> {
    let mut stored = Vec::new();
    for (record, verdict) in told {
        stored.push(stored_as(log, record, verdict.clone().unwrap().get()).await);
    }
    stored.sort_by_key(|record| record.seq);
    stored
}

/// Appends one after the other what finds its fence as it says.
pub(crate) async fn fill(log: &dyn EventLog, records: &[NewRecord]) -> Vec<Record> {
    let mut stored = Vec::new();
    for record in records {
        let seq = log.append(record.clone()).await.unwrap();
        stored.push(stored_as(log, record, seq.get()).await);
    }
    stored
}

/// Appends at once. On a runtime of one thread they all wait before the log does anything.
pub(crate) async fn append_all(log: &dyn EventLog, records: Vec<NewRecord>) -> Vec<Told> {
    let appends = records.into_iter().map(async |record| (record.clone(), log.append(record).await));
    soon("all verdicts", join_all(appends)).await
}

/// Appends to one subject, one after the other. What is not known is tried again at the same fence.
pub(crate) async fn write_while(
    log: &dyn EventLog,
    subject: &str,
    go_on: impl Fn(&[Told]) -> bool,
) -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    let mut after = 0;
    while go_on(&told) {
        let record = record(subject, after);
        let verdict = soon("a verdict", log.append(record.clone())).await;
        match &verdict {
            Ok(seq) => after = seq.get(),
            Err(AppendError::Fenced { last }) => after = last.get(),
            Err(AppendError::Unknown) => {}
            Err(AppendError::Full(_) | AppendError::Refused(_) | AppendError::Closed) => {
                panic!("{verdict:?}")
            }
        }
        told.push((record, verdict));
    }
    told
}

/// Holds the answers against the stream: nothing lost, nothing double, nothing stored that was refused.
pub(crate) fn assert_agree(told: &[Told], stored: &[Stored]) {
    let mut places: HashMap<Uuid, Vec<Seq>> = HashMap::new();
    for record in stored {
        places.entry(record.event_id).or_default().push(Seq::new(record.seq));
    }
    for (event_id, places) in &places {
        assert_eq!(places.len(), 1, "{event_id} is stored twice: {places:?}");
    }
    let at = |seq: Seq| &stored[usize::try_from(seq.get()).unwrap() - 1];
    for (record, verdict) in told {
        let place = places.get(&record.event_id).map(|places| places[0]);
        match verdict {
            Ok(seq) => {
                assert_eq!(place, Some(*seq), "acknowledged, and lost or elsewhere: {record:?}");
                assert_eq!(at(*seq).subject, record.subject);
            }
            Err(AppendError::Fenced { last }) => {
                assert_eq!(place, None, "fenced, and stored: {record:?}");
                assert!(*last > record.after, "{record:?} was not beaten by {last}");
                assert_eq!(at(*last).subject, record.subject, "beaten from another subject");
            }
            Err(AppendError::Full(_) | AppendError::Refused(_) | AppendError::Closed) => {
                assert_eq!(place, None, "refused, and stored: {record:?}");
            }
            Err(AppendError::Unknown) => {}
        }
    }
}
