//! One tail per process, for all that follow.
//!
//! ```text
//!                                    ┌──▶ follower (all)            reads the batches
//!  stream ──one tail──▶ batches ─────┼──▶ follower (a pattern)      and takes what fits
//!                                    └ ─ ▶ follower that is behind: a tail of its own, up to where the batches begin
//! ```
//! Every tail costs the server a delivery of each message, and the process its parsing; five parts of one process share
//! both. A follower that is too slow loses its place among the batches and goes on with a tail of its own: nobody
//! waits for it, and it misses nothing.
//!
//! The hand-over is proved: with its place among the batches a follower learns the record that the shared tail has reached,
//! and joins when it has passed that itself, or when the leader says that nothing of its pattern lies up to there. That its
//! own tail has "nothing left" proves nothing: it may lie on a replica that is behind. A batch that does not follow what
//! was taken in before sends the follower back to a tail of its own.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use fillstream_domain::{Incarnation, RecordRef, Seq};
use fillstream_retry::Retry;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        watch,
    },
    time::{Duration, sleep},
};
use tracing::warn;

use crate::{
    After, AppendError, Consistency, EventLog, Follow, Link, LogError, NewRecord, Page, Record, StreamInfo,
    subject::matches,
};

/// Records of a batch at most.
const BATCH: usize = 500;
/// Bytes of payload after which a batch is closed.
const BATCH_BYTES: usize = 128 << 10;
/// Batches that a follower may be behind before it goes on with a tail of its own: 64 MiB of payload, or 256 MiB when each
/// holds one of the largest commits, and as much again of what was read of it. They are kept for as long as somebody is
/// behind.
const BATCHES: usize = 512;
/// Pauses before a follower that goes on alone tries to reach the stream again.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A log whose followers share one tail. Everything but following goes to the log as it is.
pub struct SharedLog {
    inner: Arc<dyn EventLog>,
    tail: Arc<SharedTail>,
}

struct SharedTail {
    /// Way of the batches, or the reason why the tail has ended.
    batches: Mutex<Result<Batches, LogError>>,
    recreated: AtomicU64,
}

struct Batches {
    sender: broadcast::Sender<Arc<Batch>>,
    /// The last record that was sent; at first where the tail began.
    reached: After,
}

struct Batch {
    /// Place that the shared tail had reached before: nothing lies between that and the first record.
    after: Seq,
    records: Vec<Record>,
    behind: u64,
}

impl Batches {
    /// Sends records in batches of bounded size, `behind` being what the stream holds behind the last of them.
    fn send(&mut self, records: Vec<Record>, behind: u64) {
        let mut left = records.len() as u64;
        let (mut open, mut bytes) = (Vec::new(), 0);
        for record in records {
            left -= 1;
            bytes += record.payload.len();
            let reference = record.reference();
            open.push(record);
            if bytes >= BATCH_BYTES || left == 0 {
                let records = std::mem::take(&mut open);
                let batch = Batch { after: self.reached.seq(), records, behind: behind + left };
                self.reached = reference.into();
                bytes = 0;
                // Nobody follows at the moment: those who come later begin behind these.
                let _ = self.sender.send(Arc::new(batch));
            }
        }
    }
}

impl SharedLog {
    /// Starts the tail at the stream's end.
    ///
    /// # Errors
    /// When the stream cannot be reached.
    pub async fn start(inner: Arc<dyn EventLog>) -> Result<Self, LogError> {
        let (end, mut follow) = at_the_end(&*inner).await?;
        let (sender, _) = broadcast::channel(BATCHES);
        let batches = Batches { sender, reached: end };
        let tail = Arc::new(SharedTail { batches: Mutex::new(Ok(batches)), recreated: AtomicU64::new(0) });
        let running = Arc::downgrade(&tail);
        let log = Arc::clone(&inner);
        tokio::spawn(async move {
            loop {
                let next = follow.next(BATCH).await;
                let Some(tail) = running.upgrade() else { return };
                tail.recreated.store(follow.recreated(), Ordering::Relaxed);
                let error = match next {
                    Ok(records) => {
                        if let Ok(batches) = &mut *tail.batches.lock() {
                            batches.send(records, follow.behind());
                        }
                        continue;
                    }
                    Err(error) => error,
                };
                drop(tail);
                warn!(error = %fillstream_retry::chain(&error), "the process's tail of the stream has ended");
                let begun = if matches!(error, LogError::Recreated) {
                    Err(LogError::Recreated)
                } else {
                    begins_anew(&*log).await
                };
                let Some(tail) = running.upgrade() else { return };
                // Followers lose their place, and each finds out whether the stream still holds what it has read.
                match begun {
                    Ok((end, begun)) => {
                        let (sender, _) = broadcast::channel(BATCHES);
                        *tail.batches.lock() = Ok(Batches { sender, reached: end });
                        follow = begun;
                    }
                    Err(error) => {
                        *tail.batches.lock() = Err(error);
                        return;
                    }
                }
            }
        });
        Ok(Self { inner, tail })
    }
}

/// A tail that begins behind the stream's last record, and where that is.
async fn at_the_end(log: &dyn EventLog) -> Result<(After, Box<dyn Follow>), LogError> {
    let end = log.last_matching(">").await?.map_or(After::START, |last| last.reference().into());
    Ok((end, log.follow(end, None).await?))
}

/// As [`at_the_end`], as soon as the stream can be reached: it was put back, and is the same one.
async fn begins_anew(log: &dyn EventLog) -> Result<(After, Box<dyn Follow>), LogError> {
    let mut retry = Retry::new("tail: not begun anew", PAUSE, LONGEST_PAUSE);
    loop {
        match at_the_end(log).await {
            Err(LogError::Recreated) => return Err(LogError::Recreated),
            Err(error) => retry.failed(&error).await,
            Ok(begun) => {
                retry.done();
                return Ok(begun);
            }
        }
    }
}

impl SharedTail {
    /// A place among the batches, and what was sent before it.
    fn subscribe(&self) -> Result<(broadcast::Receiver<Arc<Batch>>, After), LogError> {
        match &*self.batches.lock() {
            Ok(batches) => Ok((batches.sender.subscribe(), batches.reached)),
            Err(error) => Err(error.clone()),
        }
    }
}

/// A follower, wherever it reads.
struct Follower {
    inner: Arc<dyn EventLog>,
    tail: Arc<SharedTail>,
    pattern: Option<String>,
    /// The last record that was taken in, of whatever subject; at first where it began.
    covered: After,
    /// The last record given.
    given: Option<RecordRef>,
    source: Source,
    /// Taken out of a batch, and more than was asked for.
    left: std::vec::IntoIter<Record>,
    behind: u64,
    recreated: u64,
    /// Outlives a wait that is given up: whoever waits in steps would log the same trouble at each of them.
    retry: Retry,
}

enum Source {
    Own(Own),
    Shared(broadcast::Receiver<Arc<Batch>>),
    /// It has lost its place among the batches. What the receiver would give next is not what comes next.
    Nowhere,
    /// A tail of its own, while it is opened: kept, so that a caller who gives up waiting does not begin it anew, and the doubt
    /// about a lost end with it.
    Opening(BoxFuture<'static, Result<Own, LogError>>),
}

/// A tail of its own, up to a place among the batches that was taken before.
struct Own {
    tail: Box<dyn Follow>,
    batches: broadcast::Receiver<Arc<Batch>>,
    /// Place that the shared tail had reached when this one was taken: all behind it comes in the batches.
    joint: After,
    /// Place of the follower when the leader said that more comes before the joint.
    more_behind: Option<Seq>,
    /// The question to the leader that is under way; kept as well.
    question: Option<BoxFuture<'static, Result<Option<Record>, LogError>>>,
}

impl Follower {
    async fn begin(log: &SharedLog, after: After, pattern: Option<&str>) -> Result<Self, LogError> {
        let mut follower = Self {
            inner: Arc::clone(&log.inner),
            tail: Arc::clone(&log.tail),
            pattern: pattern.map(str::to_owned),
            covered: after,
            given: match after {
                After::Record(record) => Some(record),
                After::Seq(_) => None,
            },
            source: Source::Nowhere,
            left: Vec::new().into_iter(),
            behind: 0,
            recreated: 0,
            retry: Retry::new("tail: the leader is not asked yet", PAUSE, LONGEST_PAUSE),
        };
        let own = follower.open(Duration::ZERO).await?;
        follower.take_up(own);
        Ok(follower)
    }

    /// Opens a tail of its own, after a pause: until it is proved that the batches go on where it stands.
    fn open(&self, pause: Duration) -> BoxFuture<'static, Result<Own, LogError>> {
        let (inner, shared) = (Arc::clone(&self.inner), Arc::clone(&self.tail));
        let (covered, pattern) = (self.covered, self.pattern.clone());
        Box::pin(async move {
            sleep(pause).await;
            let (batches, joint) = shared.subscribe()?;
            let tail = inner.follow(covered, pattern.as_deref()).await?;
            Ok(Own { tail, batches, joint, more_behind: None, question: None })
        })
    }

    fn take_up(&mut self, own: Own) {
        self.behind = own.tail.behind();
        self.source = Source::Own(own);
    }

    /// Joins the batches if nothing lies between what was taken in and them.
    ///
    /// # Errors
    /// When the leader has to say so and cannot be asked.
    async fn join(&mut self) -> Result<(), LogError> {
        let Source::Own(own) = &mut self.source else { return Ok(()) };
        let stands_at = self.covered.seq();
        if stands_at < own.joint.seq() {
            if own.tail.behind() > 0 || own.more_behind == Some(stands_at) {
                return Ok(());
            }
            let question = own.question.get_or_insert_with(|| {
                let (inner, from) = (Arc::clone(&self.inner), stands_at.next());
                let pattern = self.pattern.clone().unwrap_or_else(|| ">".to_owned());
                Box::pin(async move { inner.next_matching(from, &pattern).await })
            });
            let next = question.await;
            own.question = None;
            let next = next?;
            if next.is_some_and(|next| next.seq <= own.joint.seq()) {
                own.more_behind = Some(stands_at);
                return Ok(());
            }
            self.covered = own.joint;
        }
        if let Source::Own(own) = std::mem::replace(&mut self.source, Source::Nowhere) {
            self.recreated += own.tail.recreated();
            self.source = Source::Shared(own.batches);
        }
        Ok(())
    }

    /// Takes what its own tail has given.
    fn took(&mut self, records: Vec<Record>) -> Result<Vec<Record>, LogError> {
        if let Source::Own(own) = &self.source {
            self.behind = own.tail.behind();
        }
        if let Some(last) = records.last() {
            self.covered = last.reference().into();
            self.given = Some(last.reference());
        }
        Ok(records)
    }

    /// The records of a batch that are this follower's.
    fn take(&mut self, batch: &Batch) {
        if batch.after > self.covered.seq() {
            warn!(seq = %self.covered.seq(), first = %batch.after, "a batch of the shared tail leaves a gap: read alone");
            self.source = Source::Nowhere;
            return;
        }
        let Self { covered, pattern, .. } = self;
        let is_ours = |record: &&Record| {
            record.seq > covered.seq()
                && pattern.as_ref().is_none_or(|pattern| matches(pattern, &record.subject))
        };
        let taken: Vec<Record> = batch.records.iter().filter(is_ours).cloned().collect();
        if let Some(last) = batch.records.last().filter(|last| last.seq > self.covered.seq()) {
            self.covered = After::Record(last.reference());
        }
        self.behind = batch.behind;
        self.left = taken.into_iter();
    }
}

#[async_trait]
impl Follow for Follower {
    async fn next(&mut self, max: usize) -> Result<Vec<Record>, LogError> {
        loop {
            let left: Vec<Record> = self.left.by_ref().take(max).collect();
            if let Some(last) = left.last() {
                self.given = Some(last.reference());
                return Ok(left);
            }
            match &mut self.source {
                Source::Shared(batches) => match batches.recv().await {
                    Ok(batch) => self.take(&batch),
                    Err(RecvError::Lagged(_)) => self.source = Source::Nowhere,
                    // Setting up anew says why.
                    Err(RecvError::Closed) => self.source = Source::Nowhere,
                },
                Source::Nowhere => self.source = Source::Opening(self.open(Duration::ZERO)),
                Source::Opening(opening) => match opening.await {
                    Ok(own) => self.take_up(own),
                    Err(error) if error.is_final() => {
                        self.source = Source::Nowhere;
                        return Err(error);
                    }
                    Err(error) => {
                        let pause = self.retry.note(&error);
                        self.source = Source::Opening(self.open(pause));
                    }
                },
                Source::Own(_) => {
                    if let Err(error) = self.join().await {
                        let pause = self.retry.note(&error);
                        // Meanwhile its own tail may come to the joint.
                        let Source::Own(own) = &mut self.source else { continue };
                        tokio::select! {
                            records = own.tail.next(max) => return self.took(records?),
                            () = sleep(pause) => continue,
                        }
                    }
                    self.retry.done();
                    if let Source::Own(own) = &mut self.source {
                        let records = own.tail.next(max).await?;
                        return self.took(records);
                    }
                }
            }
        }
    }

    fn reached(&self) -> Option<RecordRef> {
        self.given
    }

    async fn caught_up(&mut self) -> Result<bool, LogError> {
        if self.left.len() > 0 {
            return Ok(false);
        }
        let pattern = self.pattern.as_deref().unwrap_or(">");
        Ok(self.inner.next_matching(self.covered.seq().next(), pattern).await?.is_none())
    }

    fn behind(&self) -> u64 {
        self.behind + self.left.len() as u64
    }

    fn recreated(&self) -> u64 {
        self.recreated + self.tail.recreated.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl EventLog for SharedLog {
    async fn append(&self, record: NewRecord) -> Result<Seq, AppendError> {
        self.inner.append(record).await
    }

    async fn append_parts(
        &self,
        first: NewRecord,
        rest: Vec<Bytes>,
        upon: Option<RecordRef>,
    ) -> Result<Seq, AppendError> {
        self.inner.append_parts(first, rest, upon).await
    }

    fn max_payload(&self) -> usize {
        self.inner.max_payload()
    }

    async fn read(&self, subject: &str, from: Seq, consistency: Consistency) -> Result<Page, LogError> {
        self.inner.read(subject, from, consistency).await
    }

    async fn first(&self, subject: &str, consistency: Consistency) -> Result<Option<Record>, LogError> {
        self.inner.first(subject, consistency).await
    }

    async fn last(&self, subject: &str, consistency: Consistency) -> Result<Option<Record>, LogError> {
        self.inner.last(subject, consistency).await
    }

    async fn last_of_each(&self, pattern: &str) -> Result<Vec<Record>, LogError> {
        self.inner.last_of_each(pattern).await
    }

    async fn record(&self, seq: Seq) -> Result<Option<Record>, LogError> {
        self.inner.record(seq).await
    }

    async fn last_matching(&self, pattern: &str) -> Result<Option<Record>, LogError> {
        self.inner.last_matching(pattern).await
    }

    async fn next_matching(&self, from: Seq, pattern: &str) -> Result<Option<Record>, LogError> {
        self.inner.next_matching(from, pattern).await
    }

    async fn follow(&self, after: After, pattern: Option<&str>) -> Result<Box<dyn Follow>, LogError> {
        Ok(Box::new(Follower::begin(self, after, pattern).await?))
    }

    async fn info(&self) -> Result<StreamInfo, LogError> {
        self.inner.info().await
    }

    fn incarnation(&self) -> Incarnation {
        self.inner.incarnation()
    }

    fn link(&self) -> watch::Receiver<Link> {
        self.inner.link()
    }
}
