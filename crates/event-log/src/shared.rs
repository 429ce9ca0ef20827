//! One tail per process, for all that follow.
//!
//! ```text
//!                                    ┌──▶ follower (all)            reads the batches
//!  stream ──one tail──▶ batches ─────┼──▶ follower (a pattern)      and takes what fits
//!                                    └ ─ ▶ follower that is behind: a tail of its own, until nothing is left on it
//! ```
//! Every tail costs the server a delivery of each message, and the process its parsing; five parts of one process share
//! both. A follower that is too slow loses its place among the batches and goes on with a tail of its own: nobody
//! waits for it, and it misses nothing.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use fillstream_domain::{Incarnation, RecordRef, Seq};
use fillstream_retry::chain;
use parking_lot::Mutex;
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        watch,
    },
    time::{Duration, sleep},
};
use tracing::debug;

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
/// Pause before a follower that goes on alone tries to reach the stream again.
const PAUSE: Duration = Duration::from_millis(100);

/// See the module's first line. Everything but following goes to the log as it is.
pub struct SharedLog {
    inner: Arc<dyn EventLog>,
    tail: Arc<SharedTail>,
}

struct SharedTail {
    /// Where the batches go, or why the tail has ended.
    batches: Mutex<Result<broadcast::Sender<Arc<Batch>>, LogError>>,
    recreated: AtomicU64,
}

struct Batch {
    records: Vec<Record>,
    behind: u64,
}

impl Batch {
    /// Records in batches of bounded size, `behind` being what the stream holds behind the last of them.
    fn of(records: Vec<Record>, behind: u64) -> Vec<Self> {
        let mut left = records.len() as u64;
        let (mut batches, mut open, mut bytes) = (Vec::new(), Vec::new(), 0);
        for record in records {
            left -= 1;
            bytes += record.payload.len();
            open.push(record);
            if bytes >= BATCH_BYTES || left == 0 {
                batches.push(Self { records: std::mem::take(&mut open), behind: behind + left });
                bytes = 0;
            }
        }
        batches
    }
}

impl SharedLog {
    /// Starts the tail at the stream's end.
    ///
    /// # Errors
    /// When the stream cannot be reached.
    pub async fn start(inner: Arc<dyn EventLog>) -> Result<Self, LogError> {
        let end = inner.last_matching(">").await?.map_or(After::START, |last| last.reference().into());
        let mut follow = inner.follow(end, None).await?;
        let (batches, _) = broadcast::channel(BATCHES);
        let tail =
            Arc::new(SharedTail { batches: Mutex::new(Ok(batches.clone())), recreated: AtomicU64::new(0) });
        let running = Arc::downgrade(&tail);
        tokio::spawn(async move {
            loop {
                let next = follow.next(BATCH).await;
                let Some(tail) = running.upgrade() else { return };
                tail.recreated.store(follow.recreated(), Ordering::Relaxed);
                match next {
                    Ok(records) => {
                        for batch in Batch::of(records, follow.behind()) {
                            // Nobody follows at the moment: those who come later begin behind these.
                            let _ = batches.send(Arc::new(batch));
                        }
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

impl SharedTail {
    fn subscribe(&self) -> Result<broadcast::Receiver<Arc<Batch>>, LogError> {
        self.batches.lock().as_ref().map(broadcast::Sender::subscribe).map_err(LogError::clone)
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
}

enum Source {
    /// A tail of its own. The place among the batches was taken before: once the own tail has nothing left, all that was
    /// stored since comes there.
    Own(Box<dyn Follow>, broadcast::Receiver<Arc<Batch>>),
    Shared(broadcast::Receiver<Arc<Batch>>),
    /// It has lost its place among the batches. What the receiver would give next is not what comes next.
    Nowhere,
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
        };
        follower.go_alone().await?;
        Ok(follower)
    }

    /// A tail of its own from `next` on, unless nothing is left there.
    async fn go_alone(&mut self) -> Result<(), LogError> {
        let batches = self.tail.subscribe()?;
        let own = self.inner.follow(self.covered, self.pattern.as_deref()).await?;
        self.behind = own.behind();
        self.source = match own.behind() {
            0 => Source::Shared(batches),
            _ => Source::Own(own, batches),
        };
        Ok(())
    }

    /// Nothing is left on the tail of its own: what was stored since comes in the batches.
    fn come_back(&mut self) {
        if let Source::Own(_, batches) = std::mem::replace(&mut self.source, Source::Nowhere) {
            self.source = Source::Shared(batches);
        }
    }

    /// The records of a batch that are this follower's.
    fn take(&mut self, batch: &Batch) {
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
                Source::Nowhere => match self.go_alone().await {
                    Ok(()) => {}
                    Err(error) if error.is_final() => return Err(error),
                    Err(error) => {
                        debug!(error = %chain(&error), "a follower waits for the stream");
                        sleep(PAUSE).await;
                    }
                },
                Source::Own(own, _) => {
                    let records = own.next(max).await?;
                    self.behind = own.behind();
                    if let Some(last) = records.last() {
                        self.covered = After::Record(last.reference());
                        self.given = Some(last.reference());
                    }
                    if self.behind == 0 {
                        self.recreated += own.recreated();
                        self.come_back();
                    }
                    return Ok(records);
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

    async fn append_parts(&self, first: NewRecord, rest: Vec<Bytes>) -> Result<Seq, AppendError> {
        self.inner.append_parts(first, rest).await
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
