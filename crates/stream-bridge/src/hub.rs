//! One tail per process, shared by all sockets.
//!
//! ```text
//!  follow ──▶ record ──▶ watched order? ──▶ its topic ──▶ wake its sockets
//!                        placed lately?  ──▶ kept, for a join without a read
//! ```

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fillstream_domain::{
    OrderId, Timestamp,
    subject::{SwapSubject, swap_placed, swap_progress},
};
use fillstream_event_log::{Consistency, EventLog, Link, LogError, Record};
use parking_lot::Mutex;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use crate::{counters::Counters, settings::Settings, topic::Topic};

/// Locks over the orders: enough that the tail and joins seldom meet.
const SHARDS: usize = 64;
/// Records that the tail hands over at once.
const TAIL_BATCH: usize = 1000;
/// Payload bytes of orders kept for a join without a read, over all shards.
const RECENT_BYTES: usize = 64 << 20;
/// Pauses before a stale history is read again; afterwards the leader is asked.
const STALE_PAUSES: [Duration; 3] =
    [Duration::from_millis(5), Duration::from_millis(20), Duration::from_millis(80)];

/// What sockets need to know of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Condition {
    /// The stream has been unreachable for longer than people should be left without a word.
    pub(crate) stream_lost: bool,
    /// The process goes down.
    pub(crate) stopping: bool,
}

/// See the module's first line.
pub struct Hub {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) settings: Settings,
    pub(crate) counters: Counters,
    /// Gives the present instant; only for messages about the connection itself.
    pub(crate) clock: fn() -> Timestamp,
    condition: watch::Sender<Condition>,
    /// The last sequence that the tail has handed over.
    position: watch::Sender<u64>,
    hasher: RandomState,
    shards: Vec<Mutex<Shard>>,
}

#[derive(Default)]
struct Shard {
    watched: HashMap<OrderId, Arc<Watched>>,
    recent: HashMap<OrderId, Vec<Record>>,
    /// Orders of `recent`, oldest first.
    arrivals: VecDeque<OrderId>,
    recent_bytes: usize,
}

/// An order that sockets watch.
pub(crate) struct Watched {
    pub(crate) topic: Mutex<Topic>,
    /// Changes whenever the topic has something new.
    pub(crate) news: watch::Sender<u64>,
    /// Sockets on it. Changes only under the shard's lock, so that the last one to leave is known.
    sockets: AtomicUsize,
    /// Held by the one that reads the history; the others wait for it.
    loading: tokio::sync::Mutex<()>,
}

/// Why an order cannot be watched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// No such order.
    #[error("there is no such order")]
    Unknown,
    /// The stream could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl Hub {
    /// A hub over the log; its tail runs until told to stop.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>, settings: Settings, clock: fn() -> Timestamp) -> Arc<Self> {
        Arc::new(Self {
            log,
            settings,
            counters: Counters::default(),
            clock,
            condition: watch::Sender::new(Condition { stream_lost: false, stopping: false }),
            position: watch::Sender::new(0),
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        })
    }

    /// Follows the stream from its end on. Returns when told to stop, or when the stream is another one.
    ///
    /// # Errors
    /// When the stream cannot be reached at the start, or was recreated.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), LogError> {
        let last = self.log.info().await?.last_seq;
        let mut tail = self.log.follow(last + 1, None).await?;
        self.position.send_replace(last);
        let watcher = tokio::spawn(Arc::clone(&self).watch_link());
        let ended = loop {
            let records = tokio::select! {
                () = stop.cancelled() => break Ok(()),
                records = tail.next(TAIL_BATCH) => records,
            };
            match records {
                Ok(records) => self.take_in(records),
                Err(error) => {
                    error!(%error, "the tail has ended");
                    break Err(error);
                }
            }
            self.counters.tail_recreated.set(tail.recreated());
        };
        watcher.abort();
        self.condition.send_modify(|condition| condition.stopping = true);
        ended
    }

    /// Sockets are told that the process goes down, and no new one is taken.
    pub fn stop(&self) {
        self.condition.send_modify(|condition| condition.stopping = true);
    }

    /// The last sequence that was handed to the sockets.
    #[must_use]
    pub fn position(&self) -> u64 {
        *self.position.borrow()
    }

    /// What the bridge has done so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn condition(&self) -> watch::Receiver<Condition> {
        self.condition.subscribe()
    }

    fn shard(&self, order: OrderId) -> &Mutex<Shard> {
        let place = self.hasher.hash_one(order) % SHARDS as u64;
        &self.shards[usize::try_from(place).unwrap_or(0)]
    }

    fn take_in(&self, records: Vec<Record>) {
        let Some(last) = records.last().map(|record| record.seq) else { return };
        for record in records {
            if let Some(subject) = SwapSubject::parse(&record.subject) {
                self.take_in_one(subject, record);
            }
        }
        self.position.send_replace(last);
    }

    fn take_in_one(&self, subject: SwapSubject, record: Record) {
        let mut shard = self.shard(subject.order()).lock();
        if let Some(watched) = shard.watched.get(&subject.order()) {
            let watched = Arc::clone(watched);
            drop(shard);
            if watched.topic.lock().on_live(record) {
                watched.news.send_modify(|version| *version += 1);
            }
            return;
        }
        shard.remember(subject, record, self.settings.recent_orders / SHARDS);
    }

    /// Tells sockets of an outage once it has lasted, and of its end.
    async fn watch_link(self: Arc<Self>) {
        let mut link = self.log.link();
        loop {
            let state = *link.borrow_and_update();
            let told = self.condition.borrow().stream_lost;
            let lost = match state {
                Link::Up => false,
                Link::Down if told => true,
                Link::Down => match timeout(self.settings.unreachable_after, link.changed()).await {
                    Ok(Ok(())) => continue,
                    Ok(Err(_)) => return,
                    Err(_) => true,
                },
            };
            self.condition.send_if_modified(|condition| {
                let changed = condition.stream_lost != lost;
                condition.stream_lost = lost;
                changed
            });
            if lost != told {
                info!(lost, "the stream's reachability has changed");
            }
            if link.changed().await.is_err() {
                return;
            }
        }
    }

    /// Whether the order exists, from memory or by one read.
    ///
    /// # Errors
    /// When it does not, or when that cannot be found out.
    pub(crate) async fn exists(&self, order: OrderId) -> Result<(), JoinError> {
        {
            let shard = self.shard(order).lock();
            let known =
                shard.watched.get(&order).is_some_and(|watched| watched.topic.lock().placed().is_some());
            if known || shard.recent.contains_key(&order) {
                return Ok(());
            }
        }
        let subject = swap_placed(order);
        if self.log.last(&subject, Consistency::Any).await?.is_some() {
            return Ok(());
        }
        // A replica that is behind does not know the newest orders.
        match self.log.last(&subject, Consistency::Leader).await? {
            Some(_) => Ok(()),
            None => Err(JoinError::Unknown),
        }
    }

    /// The order's topic, registered with the tail before its history is read.
    pub(crate) fn watch(&self, order: OrderId) -> Arc<Watched> {
        let mut shard = self.shard(order).lock();
        if let Some(watched) = shard.watched.get(&order) {
            watched.sockets.fetch_add(1, Ordering::Relaxed);
            return Arc::clone(watched);
        }
        let mut topic = Topic::new(order, self.log.incarnation());
        // All of its life was seen: nothing has to be read.
        if let Some(history) = shard.recall(order) {
            let loaded = topic.on_history(&history, 0);
            debug_assert!(loaded.is_ok(), "a new topic has no floor");
        }
        let watched = Arc::new(Watched {
            topic: Mutex::new(topic),
            news: watch::Sender::new(0),
            sockets: AtomicUsize::new(1),
            loading: tokio::sync::Mutex::new(()),
        });
        shard.watched.insert(order, Arc::clone(&watched));
        watched
    }

    /// A socket has gone; the last one takes the topic with it.
    pub(crate) fn leave(&self, order: OrderId, watched: &Watched) {
        let mut shard = self.shard(order).lock();
        if watched.sockets.fetch_sub(1, Ordering::Relaxed) == 1 {
            shard.watched.remove(&order);
        }
    }

    /// Sees to it that the topic has its history; whoever comes meanwhile waits for the same read.
    ///
    /// # Errors
    /// When the order does not exist or cannot be read.
    pub(crate) async fn load(&self, order: OrderId, watched: &Watched) -> Result<(), JoinError> {
        let _reading = watched.loading.lock().await;
        if watched.topic.lock().is_loaded() {
            return Ok(());
        }
        let floor = self.floor(order).await?;
        for pause in STALE_PAUSES {
            let history = self.read(order, Consistency::Any).await?;
            if watched.topic.lock().on_history(&history, floor).is_ok() {
                return self.loaded(watched);
            }
            debug!(%order, "the history that was read is stale");
            self.counters.stale_reads.add(1);
            sleep(pause).await;
        }
        let history = self.read(order, Consistency::Leader).await?;
        let read = watched.topic.lock().on_history(&history, floor);
        match read {
            Ok(()) => self.loaded(watched),
            Err(_) => Err(LogError::Unreachable("the leader is behind what was seen".to_owned()).into()),
        }
    }

    fn loaded(&self, watched: &Watched) -> Result<(), JoinError> {
        self.counters.histories_read.add(1);
        match watched.topic.lock().placed() {
            Some(_) => Ok(()),
            None => Err(JoinError::Unknown),
        }
    }

    /// On a replicated stream a replica may answer with less than was acknowledged: the leader says how far.
    async fn floor(&self, order: OrderId) -> Result<u64, LogError> {
        if !self.log.info().await?.replicated {
            return Ok(0);
        }
        let last = match self.log.last(&swap_progress(order), Consistency::Leader).await? {
            Some(last) => Some(last),
            None => self.log.last(&swap_placed(order), Consistency::Leader).await?,
        };
        Ok(last.map_or(0, |record| record.seq))
    }

    async fn read(&self, order: OrderId, consistency: Consistency) -> Result<Vec<Record>, LogError> {
        let mut history = Vec::new();
        let mut pages = Pages { consistency, ..self.pages(order) };
        while let Some(page) = pages.next().await? {
            history.extend(page);
        }
        Ok(history)
    }

    /// The order's history from the log, page by page.
    pub(crate) fn pages(&self, order: OrderId) -> Pages<'_> {
        Pages { log: &*self.log, order, consistency: Consistency::Any, next: PageOf::Placed }
    }
}

/// See [`Hub::pages`].
pub(crate) struct Pages<'a> {
    log: &'a dyn EventLog,
    order: OrderId,
    consistency: Consistency,
    next: PageOf,
}

enum PageOf {
    Placed,
    Progress(u64),
    Nothing,
}

impl Pages<'_> {
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Record>>, LogError> {
        match self.next {
            PageOf::Placed => {
                let placed = self.log.last(&swap_placed(self.order), self.consistency).await?;
                self.next =
                    placed.as_ref().map_or(PageOf::Nothing, |record| PageOf::Progress(record.seq + 1));
                Ok(Some(placed.into_iter().collect()))
            }
            PageOf::Progress(from) => {
                let page = self.log.read(&swap_progress(self.order), from, self.consistency).await?;
                self.next = match page.records.last() {
                    Some(last) if page.more => PageOf::Progress(last.seq + 1),
                    Some(_) | None => PageOf::Nothing,
                };
                Ok(Some(page.records))
            }
            PageOf::Nothing => Ok(None),
        }
    }
}

impl Shard {
    /// Keeps what the tail shows of orders placed since the start.
    fn remember(&mut self, subject: SwapSubject, record: Record, max_orders: usize) {
        let (order, bytes) = (subject.order(), record.payload.len());
        match subject {
            SwapSubject::Placed(_) => {
                self.recent.insert(order, vec![record]);
                self.arrivals.push_back(order);
            }
            SwapSubject::Progress(_) => match self.recent.get_mut(&order) {
                Some(history) => history.push(record),
                None => return,
            },
        }
        self.recent_bytes += bytes;
        while (self.arrivals.len() > max_orders.max(1) || self.recent_bytes > RECENT_BYTES / SHARDS)
            && let Some(oldest) = self.arrivals.pop_front()
        {
            self.forget(oldest);
        }
    }

    fn forget(&mut self, order: OrderId) -> Option<Vec<Record>> {
        let history = self.recent.remove(&order)?;
        let bytes: usize = history.iter().map(|record| record.payload.len()).sum();
        self.recent_bytes = self.recent_bytes.saturating_sub(bytes);
        Some(history)
    }

    /// Hands an order's history over to its topic.
    fn recall(&mut self, order: OrderId) -> Option<Vec<Record>> {
        let history = self.forget(order)?;
        self.arrivals.retain(|kept| *kept != order);
        Some(history)
    }
}
