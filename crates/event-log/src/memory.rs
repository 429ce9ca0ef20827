//! A log in memory that keeps the promises of the real one, for tests of everything above it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::{
    AppendError, Browse, Consistency, Durability, EventLog, Follow, Link, LogError, Message, Messages,
    NewRecord, Page, Record, StreamInfo, stamp::millis, subject::matches,
};

/// Records of a page, as the real log pages.
const PAGE: usize = 1000;
/// Bytes of a message, as the real log's server is configured.
const MAX_PAYLOAD: usize = 1 << 20;

/// See the module's first line. Clones share one log.
#[derive(Clone)]
pub struct MemoryLog(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    last: watch::Sender<u64>,
    link: watch::Sender<Link>,
    incarnation: u64,
    /// Records that a read with [`Consistency::Any`] does not see yet: a stale replica.
    replica_lag: AtomicUsize,
}

#[derive(Default)]
struct State {
    records: Vec<Record>,
    by_subject: HashMap<String, Vec<usize>>,
    /// What the clock shows, when a test has set it.
    set_time: Option<i64>,
}

impl MemoryLog {
    /// An empty log.
    #[must_use]
    pub fn new(incarnation: u64) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            last: watch::Sender::new(0),
            link: watch::Sender::new(Link::Up),
            incarnation,
            replica_lag: AtomicUsize::new(0),
        }))
    }

    /// From now on, records are stamped with this time, in milliseconds since the Unix epoch, until it is set again; it
    /// may be set back. Without it they have the system clock's time, and none an earlier one than the record before.
    pub fn set_time(&self, ms: i64) {
        self.0.state.lock().set_time = Some(ms);
    }

    /// Makes reads that any replica may answer miss the newest `records`, as a replica does that is behind.
    pub fn set_replica_lag(&self, records: usize) {
        self.0.replica_lag.store(records, Ordering::Relaxed);
    }

    /// Stores a record without a fence, as a foreign writer could.
    ///
    /// # Panics
    /// Never.
    pub fn append_now(&self, record: NewRecord) -> u64 {
        let mut state = self.0.state.lock();
        let seq = state.push(record);
        self.0.last.send_replace(seq);
        seq
    }

    fn visible(&self, state: &State, consistency: Consistency) -> usize {
        match consistency {
            Consistency::Leader => state.records.len(),
            Consistency::Any => {
                state.records.len().saturating_sub(self.0.replica_lag.load(Ordering::Relaxed))
            }
        }
    }
}

impl State {
    fn push(&mut self, record: NewRecord) -> u64 {
        let at = self.records.len();
        let seq = at as u64 + 1;
        let stored_at = self.stamp();
        self.by_subject.entry(record.subject.clone()).or_default().push(at);
        let NewRecord { subject, event_id, payload, .. } = record;
        self.records.push(Record::new(seq, subject, stored_at, Some(event_id), payload));
        seq
    }

    fn stamp(&self) -> i64 {
        self.set_time.unwrap_or_else(|| {
            let now = millis(OffsetDateTime::now_utc());
            self.records.last().map_or(now, |last| now.max(last.stored_at))
        })
    }

    /// A fence holds when its record is the subject's last one; else it names the next one, as far as there is one.
    fn check(&self, fence: &NewRecord) -> Result<(), AppendError> {
        let mut seqs = self.by_subject.get(&fence.subject).into_iter().flatten().map(|at| *at as u64 + 1);
        let last = seqs.clone().next_back().unwrap_or(0);
        if last == fence.after {
            return Ok(());
        }
        Err(AppendError::Fenced { last: seqs.find(|seq| *seq > fence.after).unwrap_or(last) })
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    async fn append(&self, record: NewRecord) -> Result<u64, AppendError> {
        record.check()?;
        let mut state = self.0.state.lock();
        state.check(&record)?;
        let seq = state.push(record);
        self.0.last.send_replace(seq);
        Ok(seq)
    }

    async fn append_parts(&self, first: NewRecord, rest: Vec<Bytes>) -> Result<u64, AppendError> {
        first.check_parts(&rest, MAX_PAYLOAD)?;
        let mut state = self.0.state.lock();
        state.check(&first)?;
        let last = first.parts(rest).into_iter().fold(0, |_, part| state.push(part));
        self.0.last.send_replace(last);
        Ok(last)
    }

    fn max_payload(&self) -> usize {
        MAX_PAYLOAD
    }

    async fn read(&self, subject: &str, from: u64, consistency: Consistency) -> Result<Page, LogError> {
        let state = self.0.state.lock();
        let visible = self.visible(&state, consistency);
        let places = state.by_subject.get(subject).map_or(&[][..], Vec::as_slice);
        let mut wanted = places
            .iter()
            .filter(|at| **at < visible)
            .map(|at| &state.records[*at])
            .filter(|record| record.seq >= from);
        let records: Vec<_> = wanted.by_ref().take(PAGE).cloned().collect();
        Ok(Page { records, more: wanted.next().is_some() })
    }

    async fn last(&self, subject: &str, consistency: Consistency) -> Result<Option<Record>, LogError> {
        let state = self.0.state.lock();
        let visible = self.visible(&state, consistency);
        let places = state.by_subject.get(subject).map_or(&[][..], Vec::as_slice);
        Ok(places.iter().rev().find(|at| **at < visible).map(|at| state.records[*at].clone()))
    }

    async fn last_of_each(&self, pattern: &str) -> Result<Vec<Record>, LogError> {
        let state = self.0.state.lock();
        let last: BTreeMap<usize, ()> = state
            .by_subject
            .iter()
            .filter(|(subject, _)| matches(pattern, subject))
            .filter_map(|(_, places)| places.last().map(|at| (*at, ())))
            .collect();
        Ok(last.into_keys().map(|at| state.records[at].clone()).collect())
    }

    async fn follow(&self, from: u64, pattern: Option<&str>) -> Result<Box<dyn Follow>, LogError> {
        let next = usize::try_from(from.max(1) - 1).unwrap_or(usize::MAX);
        let last = self.0.last.subscribe();
        Ok(Box::new(MemoryTail { log: self.clone(), next, pattern: pattern.map(str::to_owned), last }))
    }

    async fn info(&self) -> Result<StreamInfo, LogError> {
        let state = self.0.state.lock();
        Ok(StreamInfo {
            incarnation: self.0.incarnation,
            first_seq: 1,
            last_seq: state.records.len() as u64,
            replicated: self.0.replica_lag.load(Ordering::Relaxed) > 0,
            durability: Durability::Memory,
        })
    }

    fn incarnation(&self) -> u64 {
        self.0.incarnation
    }

    fn link(&self) -> watch::Receiver<Link> {
        self.0.link.subscribe()
    }
}

#[async_trait]
impl Browse for MemoryLog {
    async fn browse(&self, pattern: &str, from: u64, max: usize) -> Result<Messages, LogError> {
        let state = self.0.state.lock();
        let wanted = |record: &&Record| record.seq >= from && matches(pattern, &record.subject);
        let mut found = state.records.iter().filter(wanted);
        // The one header that this log keeps.
        let message = |record: &Record| Message {
            seq: record.seq,
            subject: record.subject.clone(),
            stored_at: record.stored_at,
            headers: record.event_id.map(|id| ("ce-id".to_owned(), id.to_string())).into_iter().collect(),
            payload: record.payload.clone(),
        };
        let messages = found.by_ref().take(max.max(1)).map(message).collect();
        Ok(Messages { messages, left: found.count() as u64 })
    }
}

struct MemoryTail {
    log: MemoryLog,
    next: usize,
    pattern: Option<String>,
    last: watch::Receiver<u64>,
}

#[async_trait]
impl Follow for MemoryTail {
    async fn next(&mut self, max: usize) -> Result<Vec<Record>, LogError> {
        loop {
            self.last.borrow_and_update();
            let taken = self.take(max);
            if !taken.is_empty() {
                return Ok(taken);
            }
            if self.last.changed().await.is_err() {
                return Err(LogError::Unreachable("the log is gone".to_owned()));
            }
        }
    }

    fn behind(&self) -> u64 {
        let state = self.log.0.state.lock();
        let left = state.records.get(self.next..).unwrap_or_default();
        match &self.pattern {
            None => left.len() as u64,
            Some(pattern) => left.iter().filter(|record| matches(pattern, &record.subject)).count() as u64,
        }
    }

    fn recreated(&self) -> u64 {
        0
    }
}

impl MemoryTail {
    fn take(&mut self, max: usize) -> Vec<Record> {
        let state = self.log.0.state.lock();
        let mut taken = Vec::new();
        while taken.len() < max
            && let Some(record) = state.records.get(self.next)
        {
            self.next += 1;
            if self.pattern.as_deref().is_none_or(|pattern| matches(pattern, &record.subject)) {
                taken.push(record.clone());
            }
        }
        taken
    }
}
