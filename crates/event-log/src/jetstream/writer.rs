//! Group commit.
//!
//! ```text
//!  callers ──▶ queue ──▶ group: all that wait, one record per subject, none whose subject is under way
//!                          │ few:  plain publishes, side by side
//!                          │ many: one atomic batch, one sync to disk for all
//!                          ▼
//!                        verdict per record: stored | fenced | again (goes back to the front)
//! ```
//! A record whose answer is lost is looked for in the stream before it is sent again, and its fence makes a
//! second sending harmless: the stream takes one of the two. A record whose caller has gone away is not sent any more.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use bytes::Bytes;
use fillstream_domain::Seq;
use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{batch::Committer, requests::Requests};
use crate::{AppendError, AppendObserver, Durability, NewRecord};

/// Records that may wait in line, and as many again that may wait to be grouped, before the next caller waits for a
/// place: a few full batches.
const QUEUE: usize = 8192;
/// The server's limit of an atomic batch.
const MAX_BATCH: usize = 1000;
/// Time that a caller waits, in line and for the stream, before it is told that nothing is known: longer than a restart
/// of the server takes, shorter than people wait.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Grouping of records; the figures are the measured break-even of batches, by durability.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grouping {
    /// From this many waiting records on, one atomic batch is cheaper than plain publishes.
    pub(super) batch_from: usize,
    /// Groups under way at the same time. With one, all that arrives meanwhile makes the next group.
    pub(super) groups_in_flight: usize,
}

impl Grouping {
    pub(super) const fn for_durability(durability: Durability) -> Self {
        match durability {
            // Each plain publish is a sync of its own (0.15 ms and up), a batch is one for all (1.6 ms).
            Durability::Fsync => Self { batch_from: 12, groups_in_flight: 1 },
            // A batch still syncs its staging files; plain publishes cost the server 5 to 10 µs each.
            Durability::OsBuffer => Self { batch_from: 400, groups_in_flight: 4 },
            Durability::Memory => Self { batch_from: 64, groups_in_flight: 4 },
        }
    }
}

/// A record under way and whom to tell.
pub(super) struct Entry {
    pub(super) record: NewRecord,
    pub(super) verdict: oneshot::Sender<Result<Seq, AppendError>>,
}

impl Entry {
    /// Tells the caller, who may have gone away meanwhile.
    pub(super) fn tell(self, verdict: Result<Seq, AppendError>) {
        let _ = self.verdict.send(verdict);
    }

    /// Nobody waits for a verdict any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.verdict.is_closed()
    }
}

/// A group's end: what must be tried again, and the subjects that are free again.
pub(super) struct GroupDone {
    pub(super) again: Vec<Entry>,
    pub(super) subjects: Vec<String>,
}

/// The handle that callers hold.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Entry>,
    observer: Observer,
}

/// Observer of appends, once there is one.
#[derive(Clone, Default)]
struct Observer(Arc<OnceLock<Arc<dyn AppendObserver>>>);

impl Observer {
    /// Waits for an append and tells what became of it.
    async fn hears(
        &self,
        subject: String,
        payload: Bytes,
        append: impl Future<Output = Result<Seq, AppendError>>,
    ) -> Result<Seq, AppendError> {
        let began = Instant::now();
        let appended = append.await;
        if let Some(observer) = self.0.get() {
            observer.ended(&subject, &payload, appended.as_ref().copied(), began.elapsed());
        }
        appended
    }

    fn grouped(&self, records: usize) {
        if let Some(observer) = self.0.get() {
            observer.grouped(records);
        }
    }
}

impl Writer {
    pub(super) fn start(requests: Requests, stream: String, durability: Durability) -> Self {
        let (sender, queue) = mpsc::channel(QUEUE);
        let grouping = Grouping::for_durability(durability);
        let committer = Committer::new(requests, stream, grouping.batch_from);
        let observer = Observer::default();
        tokio::spawn(run(queue, committer, grouping.groups_in_flight, observer.clone()));
        Self { queue: sender, observer }
    }

    /// From now on this one hears of appends; only the first one does.
    pub(super) fn observe(&self, observer: Arc<dyn AppendObserver>) {
        let _ = self.observer.0.set(observer);
    }

    /// Appends outside of the queue, as the observer hears of it.
    pub(super) async fn hears(
        &self,
        first: &NewRecord,
        append: impl Future<Output = Result<Seq, AppendError>>,
    ) -> Result<Seq, AppendError> {
        self.observer.hears(first.subject.clone(), first.payload.clone(), append).await
    }

    pub(super) async fn append(&self, record: NewRecord) -> Result<Seq, AppendError> {
        let (verdict, told) = oneshot::channel();
        let (subject, payload) = (record.subject.clone(), record.payload.clone());
        let pursued = async {
            self.queue.send(Entry { record, verdict }).await.map_err(|_| AppendError::Closed)?;
            told.await.unwrap_or(Err(AppendError::Unknown))
        };
        let pursued = async { timeout(PATIENCE, pursued).await.unwrap_or(Err(AppendError::Unknown)) };
        self.observer.hears(subject, payload, pursued).await
    }
}

/// Runs until the last handle is gone and every group has ended.
async fn run(
    mut queue: mpsc::Receiver<Entry>,
    committer: Committer,
    groups_in_flight: usize,
    observer: Observer,
) {
    let mut waiting = VecDeque::new();
    let mut busy = HashSet::new();
    let mut in_flight: FuturesUnordered<BoxFuture<'static, GroupDone>> = FuturesUnordered::new();
    let mut arrived = Vec::new();
    let mut open = true;
    loop {
        let may_start = in_flight.len() < groups_in_flight;
        tokio::select! {
            taken = queue.recv_many(&mut arrived, MAX_BATCH), if open && may_start && waiting.len() < QUEUE => {
                open = taken > 0;
                waiting.extend(arrived.drain(..));
            }
            Some(done) = in_flight.next(), if !in_flight.is_empty() => {
                for subject in &done.subjects {
                    busy.remove(subject);
                }
                for entry in done.again.into_iter().rev() {
                    waiting.push_front(entry);
                }
                // What arrived meanwhile joins the group that is formed now.
                while waiting.len() < QUEUE
                    && let Ok(entry) = queue.try_recv()
                {
                    waiting.push_back(entry);
                }
            }
            else => return,
        }
        while in_flight.len() < groups_in_flight {
            let group = form_group(&mut waiting, &mut busy);
            if group.is_empty() {
                break;
            }
            observer.grouped(group.len());
            in_flight.push(Box::pin(committer.clone().commit(group)));
        }
    }
}

/// Takes what may go together: one record per subject, and none whose subject is under way, so that a fence is
/// always judged against a settled subject.
fn form_group(waiting: &mut VecDeque<Entry>, busy: &mut HashSet<String>) -> Vec<Entry> {
    let mut group = Vec::new();
    let mut left = VecDeque::new();
    while group.len() < MAX_BATCH
        && let Some(entry) = waiting.pop_front()
    {
        if entry.is_abandoned() {
            continue;
        }
        if busy.insert(entry.record.subject.clone()) {
            group.push(entry);
        } else {
            left.push_back(entry);
        }
    }
    left.append(waiting);
    *waiting = left;
    group
}
