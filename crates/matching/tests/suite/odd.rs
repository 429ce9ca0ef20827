//! A log that can be told to hold things back and to lose answers.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use fillstream_domain::{Incarnation, RecordRef, Seq};
use fillstream_event_log::{
    After, AppendError, Consistency, EventLog, Follow, Link, LogError, MemoryLog, NewRecord, Page, Record,
    StreamInfo,
};
use parking_lot::Mutex;
use tokio::sync::watch;

/// Fate of a commit and its answer.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Stored, and the answer comes late.
    Late(Duration),
    /// Stored, and nobody knows.
    StoredUnknown,
    /// Not stored, and nobody knows.
    LostUnknown,
    /// Not stored: there is no room.
    Refused,
    /// Not stored, and this is said.
    Says(AppendError),
}

#[derive(Clone)]
pub(crate) struct OddLog(Arc<Odd>);

struct Odd {
    inner: MemoryLog,
    answers: Mutex<VecDeque<Answer>>,
    commits_asked: AtomicUsize,
    followed: AtomicUsize,
    skips: AtomicUsize,
    commits_held: watch::Sender<bool>,
    /// Inputs behind this sequence do not come.
    inputs_until: watch::Sender<u64>,
    hides_definitions: bool,
}

impl OddLog {
    pub(crate) fn new(inner: &MemoryLog) -> Self {
        Self::with(inner, false)
    }

    /// Its lists of subjects are those of a replica that has nothing yet.
    pub(crate) fn behind(inner: &MemoryLog) -> Self {
        Self::with(inner, true)
    }

    fn with(inner: &MemoryLog, hides_definitions: bool) -> Self {
        Self(Arc::new(Odd {
            inner: inner.clone(),
            answers: Mutex::default(),
            commits_asked: AtomicUsize::new(0),
            followed: AtomicUsize::new(0),
            skips: AtomicUsize::new(0),
            commits_held: watch::Sender::new(false),
            inputs_until: watch::Sender::new(u64::MAX),
            hides_definitions,
        }))
    }

    pub(crate) fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.0.answers.lock().extend(answers);
    }

    /// Number of commits that were tried.
    pub(crate) fn commits_asked(&self) -> usize {
        self.0.commits_asked.load(Ordering::SeqCst)
    }

    /// Number of tails that were begun.
    pub(crate) fn followed(&self) -> usize {
        self.0.followed.load(Ordering::SeqCst)
    }

    /// The next tail of inputs begins so many records too late, as one on a replica that lags may.
    pub(crate) fn skip_inputs(&self, records: usize) {
        self.0.skips.store(records, Ordering::SeqCst);
    }

    /// Commits do not reach the log while they are held.
    pub(crate) fn hold_commits(&self, hold: bool) {
        self.0.commits_held.send_replace(hold);
    }

    pub(crate) fn give_inputs_until(&self, seq: u64) {
        self.0.inputs_until.send_replace(seq);
    }
}

#[async_trait]
impl EventLog for OddLog {
    async fn append(&self, record: NewRecord) -> Result<Seq, AppendError> {
        self.0.inner.append(record).await
    }

    async fn append_parts(
        &self,
        first: NewRecord,
        rest: Vec<Bytes>,
        upon: Option<RecordRef>,
    ) -> Result<Seq, AppendError> {
        self.0.commits_asked.fetch_add(1, Ordering::SeqCst);
        let mut held = self.0.commits_held.subscribe();
        held.wait_for(|held| !held).await.unwrap();
        let answer = self.0.answers.lock().pop_front();
        match answer {
            None => self.0.inner.append_parts(first, rest, upon).await,
            Some(Answer::Late(by)) => {
                let stored = self.0.inner.append_parts(first, rest, upon).await;
                tokio::time::sleep(by).await;
                stored
            }
            Some(Answer::StoredUnknown) => {
                let _ = self.0.inner.append_parts(first, rest, upon).await;
                Err(AppendError::Unknown)
            }
            Some(Answer::Refused) => Err(AppendError::invalid("no room")),
            Some(Answer::LostUnknown) => Err(AppendError::Unknown),
            Some(Answer::Says(error)) => Err(error),
        }
    }

    fn max_payload(&self) -> usize {
        self.0.inner.max_payload()
    }

    async fn read(&self, subject: &str, from: Seq, consistency: Consistency) -> Result<Page, LogError> {
        self.0.inner.read(subject, from, consistency).await
    }

    async fn last(&self, subject: &str, consistency: Consistency) -> Result<Option<Record>, LogError> {
        self.0.inner.last(subject, consistency).await
    }

    async fn last_of_each(&self, pattern: &str) -> Result<Vec<Record>, LogError> {
        if self.0.hides_definitions { Ok(Vec::new()) } else { self.0.inner.last_of_each(pattern).await }
    }

    async fn record(&self, seq: Seq) -> Result<Option<Record>, LogError> {
        self.0.inner.record(seq).await
    }

    async fn last_matching(&self, pattern: &str) -> Result<Option<Record>, LogError> {
        self.0.inner.last_matching(pattern).await
    }

    async fn next_matching(&self, from: Seq, pattern: &str) -> Result<Option<Record>, LogError> {
        self.0.inner.next_matching(from, pattern).await
    }

    async fn follow(&self, after: After, pattern: Option<&str>) -> Result<Box<dyn Follow>, LogError> {
        self.0.followed.fetch_add(1, Ordering::SeqCst);
        let inner = self.0.inner.follow(after, pattern).await?;
        let is_inputs = pattern.is_some_and(|pattern| pattern.starts_with("orders.book.BTC-USDT."));
        let until = is_inputs.then(|| self.0.inputs_until.subscribe());
        let skips = if is_inputs { self.0.skips.swap(0, Ordering::SeqCst) } else { 0 };
        Ok(Box::new(OddTail { inner, until, skips, waiting: VecDeque::new() }))
    }

    async fn info(&self) -> Result<StreamInfo, LogError> {
        self.0.inner.info().await
    }

    fn incarnation(&self) -> Incarnation {
        self.0.inner.incarnation()
    }

    fn link(&self) -> watch::Receiver<Link> {
        self.0.inner.link()
    }
}

struct OddTail {
    inner: Box<dyn Follow>,
    until: Option<watch::Receiver<u64>>,
    skips: usize,
    waiting: VecDeque<Record>,
}

#[async_trait]
impl Follow for OddTail {
    async fn next(&mut self, max: usize) -> Result<Vec<Record>, LogError> {
        let Some(until) = &mut self.until else { return self.inner.next(max).await };
        if self.waiting.is_empty() {
            self.waiting.extend(self.inner.next(max).await?);
            let skipped = self.skips.min(self.waiting.len().saturating_sub(1));
            self.waiting.drain(..skipped);
            self.skips = 0;
        }
        let first = self.waiting[0].seq;
        let until = *until.wait_for(|until| *until >= first.get()).await.unwrap();
        let given = self.waiting.partition_point(|record| record.seq <= Seq::new(until));
        Ok(self.waiting.drain(..given).collect())
    }

    fn reached(&self) -> Option<RecordRef> {
        self.inner.reached()
    }

    async fn caught_up(&mut self) -> Result<bool, LogError> {
        Ok(self.waiting.is_empty() && self.inner.caught_up().await?)
    }

    fn behind(&self) -> u64 {
        self.inner.behind() + self.waiting.len() as u64
    }

    fn recreated(&self) -> u64 {
        self.inner.recreated()
    }
}
