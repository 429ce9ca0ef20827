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
use fillstream_domain::{Incarnation, RecordRef, Seq};
use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::{
    After, AppendError, Browse, Consistency, Durability, EventLog, Follow, Link, LogError, Message, Messages,
    NewRecord, Page, Record, ServerError, StreamInfo,
    log::MAX_SUBJECTS,
    proof::{Answers, holds},
    stamp::millis,
    subject::matches,
};

/// Records of a page, as the real log pages.
const PAGE: usize = 1000;
/// Bytes of a message, as the real log's server is configured.
const MAX_PAYLOAD: usize = 1 << 20;

/// A log in memory. Clones share it.
#[derive(Clone)]
pub struct MemoryLog(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Sent at each change.
    changed: watch::Sender<()>,
    link: watch::Sender<Link>,
    /// The one that the log was opened with.
    incarnation: Incarnation,
    /// Records that a read with [`Consistency::Any`] does not see yet: a stale replica.
    replica_lag: AtomicUsize,
}

struct State {
    /// All that were ever stored and not put back: the one at sequence n lies at n - 1.
    records: Vec<Record>,
    /// Number of records that were removed from the front.
    trimmed: usize,
    by_subject: HashMap<String, Vec<usize>>,
    /// Time that the clock shows, when a test has set it.
    set_time: Option<i64>,
    /// The stream's now.
    incarnation: Incarnation,
    /// Number of times that tails had to be set up again: the stream was put back, trimmed or made anew.
    restarts: u64,
}

impl MemoryLog {
    /// An empty log.
    #[must_use]
    pub fn new(incarnation: Incarnation) -> Self {
        let state = State {
            records: Vec::new(),
            trimmed: 0,
            by_subject: HashMap::new(),
            set_time: None,
            incarnation,
            restarts: 0,
        };
        Self(Arc::new(Shared {
            state: Mutex::new(state),
            changed: watch::Sender::new(()),
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
    pub fn append_now(&self, record: NewRecord) -> Seq {
        self.change(|state| state.push(record))
    }

    /// Loses the stream's end, as a server does whose older backup is put back: `last` is its last sequence then.
    pub fn put_back(&self, last: Seq) {
        self.restart(|state| {
            let kept = usize::try_from(last.get()).unwrap_or(usize::MAX);
            state.records.truncate(kept);
            for places in state.by_subject.values_mut() {
                places.retain(|at| *at < kept);
            }
        });
    }

    /// Removes the records before `first`, as an operator's purge does.
    pub fn trim(&self, first: Seq) {
        self.restart(|state| {
            let last = state.last();
            state.trimmed = state.trimmed.max(index_from(first.min(last.next())));
            let trimmed = state.trimmed;
            for places in state.by_subject.values_mut() {
                places.retain(|at| *at >= trimmed);
            }
        });
    }

    /// Makes the stream anew, empty, while the log stays open: its tails end, and its own incarnation is the old one.
    pub fn recreate(&self, incarnation: Incarnation) {
        self.restart(|state| {
            state.records.clear();
            state.by_subject.clear();
            state.trimmed = 0;
            state.incarnation = incarnation;
        });
    }

    fn restart(&self, change: impl FnOnce(&mut State)) {
        self.change(|state| {
            change(state);
            state.restarts += 1;
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.0.state.lock());
        self.0.changed.send_replace(());
        changed
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

/// The place of the record at a sequence; for [`Seq::ZERO`] the first one's.
fn index_from(from: Seq) -> usize {
    usize::try_from(from.prev().get()).unwrap_or(usize::MAX)
}

impl State {
    /// Its place and what it is, of the record at a sequence.
    fn reference_at(&self, seq: Seq) -> Option<RecordRef> {
        let at = self.records.binary_search_by_key(&seq, |record| record.seq).ok()?;
        Some(self.records[at].reference())
    }

    fn push(&mut self, record: NewRecord) -> Seq {
        let at = self.records.len();
        let seq = self.last().next();
        let stored_at = self.stamp();
        self.by_subject.entry(record.subject.clone()).or_default().push(at);
        let NewRecord { subject, event_id, payload, traceparent, retries, .. } = record;
        let traceparent = traceparent.and_then(|text| text.parse().ok());
        let record = Record::new(seq, subject, stored_at, Some(event_id), payload);
        let record = record.traced(traceparent).retrying(retries);
        self.records.push(record);
        seq
    }

    fn last(&self) -> Seq {
        Seq::new(self.records.len() as u64)
    }

    fn stamp(&self) -> i64 {
        self.set_time.unwrap_or_else(|| {
            let now = millis(OffsetDateTime::now_utc());
            self.records.last().map_or(now, |last| now.max(last.stored_at))
        })
    }

    fn at(&self, seq: Seq) -> Option<&Record> {
        self.from(seq).next().filter(|record| record.seq == seq)
    }

    /// The records that are there, from a sequence on.
    fn from(&self, from: Seq) -> impl Iterator<Item = &Record> + Clone {
        self.records.iter().skip(index_from(from).max(self.trimmed))
    }

    fn matching(&self, from: Seq, pattern: Option<&str>) -> impl Iterator<Item = &Record> {
        let fits = move |record: &&Record| pattern.is_none_or(|pattern| matches(pattern, &record.subject));
        self.from(from).filter(fits)
    }

    /// A fence holds when its record is the subject's last one; else it names the next one, as far as there is one.
    fn check(&self, fence: &NewRecord) -> Result<(), AppendError> {
        let places = self.by_subject.get(&fence.subject).into_iter().flatten();
        let mut seqs = places.filter_map(|at| self.records.get(*at)).map(|record| record.seq);
        let last = seqs.clone().next_back().unwrap_or(Seq::ZERO);
        if last == fence.after {
            return Ok(());
        }
        Err(AppendError::Fenced { last: seqs.find(|seq| *seq > fence.after).unwrap_or(last) })
    }

    fn prove(&self, opened_with: Incarnation, after: After) -> Result<(), LogError> {
        if self.incarnation != opened_with {
            return Err(LogError::Recreated);
        }
        let next = self.from(after.seq().next()).next().map(|record| record.seq);
        holds(after, &Answers { at: self.at(after.seq()), next, last: self.last() })
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    async fn append(&self, record: NewRecord) -> Result<Seq, AppendError> {
        record.check()?;
        self.change(|state| {
            state.check(&record)?;
            Ok(state.push(record))
        })
    }

    async fn append_parts(
        &self,
        first: NewRecord,
        rest: Vec<Bytes>,
        upon: Option<RecordRef>,
    ) -> Result<Seq, AppendError> {
        first.check_parts(&rest, MAX_PAYLOAD)?;
        self.change(|state| {
            if upon.is_some_and(|upon| state.reference_at(upon.seq) != Some(upon)) {
                return Err(AppendError::Fenced { last: first.after });
            }
            state.check(&first)?;
            Ok(first.parts(rest).into_iter().fold(Seq::ZERO, |_, part| state.push(part)))
        })
    }

    fn max_payload(&self) -> usize {
        MAX_PAYLOAD
    }

    async fn read(&self, subject: &str, from: Seq, consistency: Consistency) -> Result<Page, LogError> {
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
        if last.len() > MAX_SUBJECTS {
            let (code, words) = (413, format!("{pattern} has more than {MAX_SUBJECTS} subjects"));
            return Err(LogError::Server(ServerError::new(code, words)));
        }
        Ok(last.into_keys().map(|at| state.records[at].clone()).collect())
    }

    async fn record(&self, seq: Seq) -> Result<Option<Record>, LogError> {
        Ok(self.0.state.lock().at(seq).cloned())
    }

    async fn last_matching(&self, pattern: &str) -> Result<Option<Record>, LogError> {
        let state = self.0.state.lock();
        Ok(state.matching(Seq::FIRST, Some(pattern)).last().cloned())
    }

    async fn next_matching(&self, from: Seq, pattern: &str) -> Result<Option<Record>, LogError> {
        let state = self.0.state.lock();
        Ok(state.matching(from, Some(pattern)).next().cloned())
    }

    async fn follow(&self, after: After, pattern: Option<&str>) -> Result<Box<dyn Follow>, LogError> {
        let changed = self.0.changed.subscribe();
        let state = self.0.state.lock();
        state.prove(self.0.incarnation, after)?;
        Ok(Box::new(MemoryTail {
            log: self.clone(),
            next: after.seq().next(),
            after,
            restarts: state.restarts,
            recreated: 0,
            pattern: pattern.map(str::to_owned),
            changed,
        }))
    }

    async fn info(&self) -> Result<StreamInfo, LogError> {
        let state = self.0.state.lock();
        Ok(StreamInfo {
            incarnation: state.incarnation,
            first_seq: Seq::new(state.trimmed as u64 + 1),
            last_seq: state.last(),
            replicated: self.0.replica_lag.load(Ordering::Relaxed) > 0,
            durability: Durability::Memory,
        })
    }

    fn incarnation(&self) -> Incarnation {
        self.0.incarnation
    }

    fn link(&self) -> watch::Receiver<Link> {
        self.0.link.subscribe()
    }
}

#[async_trait]
impl Browse for MemoryLog {
    async fn browse(&self, pattern: &str, from: Seq, max: usize) -> Result<Messages, LogError> {
        let state = self.0.state.lock();
        let mut found = state.matching(from, Some(pattern));
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
    /// Beginning of the tail, then the last record given.
    after: After,
    next: Seq,
    /// Of the stream, when the tail was set up.
    restarts: u64,
    recreated: u64,
    pattern: Option<String>,
    changed: watch::Receiver<()>,
}

#[async_trait]
impl Follow for MemoryTail {
    async fn next(&mut self, max: usize) -> Result<Vec<Record>, LogError> {
        loop {
            self.changed.borrow_and_update();
            let taken = self.take(max)?;
            if !taken.is_empty() {
                return Ok(taken);
            }
            if self.changed.changed().await.is_err() {
                return Err(LogError::unreachable("the log is gone"));
            }
        }
    }

    fn reached(&self) -> Option<RecordRef> {
        match self.after {
            After::Record(record) => Some(record),
            After::Seq(_) => None,
        }
    }

    async fn caught_up(&mut self) -> Result<bool, LogError> {
        Ok(self.behind() == 0)
    }

    fn behind(&self) -> u64 {
        let state = self.log.0.state.lock();
        state.matching(self.next, self.pattern.as_deref()).count() as u64
    }

    fn recreated(&self) -> u64 {
        self.recreated
    }
}

impl MemoryTail {
    fn take(&mut self, max: usize) -> Result<Vec<Record>, LogError> {
        let state = self.log.0.state.lock();
        if self.restarts != state.restarts {
            state.prove(self.log.0.incarnation, self.after)?;
            self.restarts = state.restarts;
            self.recreated += 1;
            self.next = self.after.seq().next();
        }
        let taken: Vec<Record> =
            state.matching(self.next, self.pattern.as_deref()).take(max).cloned().collect();
        self.next = match taken.last() {
            Some(last) if taken.len() == max => last.seq.next(),
            // All that does not match was looked at.
            Some(_) | None => state.last().next().max(self.next),
        };
        if let Some(last) = taken.last() {
            self.after = After::Record(last.reference());
        }
        Ok(taken)
    }
}
