//! One tail per process, shared by all sockets.
//!
//! ```text
//!  follow ──▶ record ──▶ watched order? ──▶ its topic ──▶ wake its sockets
//!                        placed lately?  ──▶ kept, for a join without a read
//! ```
//! Nobody awaits under a lock, or takes a second one.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fillstream_domain::{Incarnation, OrderId, Seq, Timestamp, subject::SwapSubject};
use fillstream_event_log::{After, EventLog, Follow, LogError, Record};
use fillstream_http_edge::Asker;
use parking_lot::Mutex;
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::{
    condition::Condition,
    counters::Counters,
    crowd::Crowd,
    history::is_shown,
    market::{MarketHistory, MarketTail, Markets},
    recent::Recent,
    settings::Settings,
    topic::Topic,
};

/// Locks over the orders: enough that the tail and joins seldom meet.
const SHARDS: usize = 64;
/// Records that the tail hands over at once.
const TAIL_BATCH: usize = 1000;
/// Payload bytes of orders kept for a join without a read, over all shards.
const RECENT_BYTES: usize = 64 << 20;
/// Pause before a read store is asked again that could not answer.
const BOOKS_PAUSE: Duration = Duration::from_millis(250);

/// See the module's first line.
pub struct Hub {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) settings: Settings,
    pub(crate) counters: Counters,
    /// The sockets of each address and each user.
    pub(crate) crowd: Crowd,
    /// Gives the present instant; only for messages about the connection itself.
    pub(crate) clock: fn() -> Timestamp,
    pub(crate) condition: watch::Sender<Condition>,
    /// The last sequence that the tail has handed over; nothing before the tail is set up.
    position: watch::Sender<Option<Seq>>,
    hasher: RandomState,
    shards: Vec<Mutex<Shard>>,
    /// The sockets of the market; nothing in a process without a read store.
    pub(crate) markets: Option<Arc<Markets>>,
}

#[derive(Default)]
struct Shard {
    watched: HashMap<OrderId, Arc<Watched>>,
    recent: Recent,
}

/// An order that sockets watch.
pub(crate) struct Watched {
    pub(crate) topic: Mutex<Topic>,
    /// Changes whenever the topic has something new.
    pub(crate) news: watch::Sender<()>,
    /// Sockets on it. Changes only under the shard's lock, so that the last one to leave is known.
    sockets: AtomicUsize,
    /// Held by the one that reads the history; the others wait for it.
    pub(crate) loading: tokio::sync::Mutex<()>,
}

/// A socket's place on an order: the topic is kept up to date for as long as somebody holds one.
pub(crate) struct Seat {
    hub: Arc<Hub>,
    order: OrderId,
    watched: Arc<Watched>,
}

impl Seat {
    /// The order's part, for what outlives a borrow of the seat.
    pub(crate) fn watched(&self) -> Arc<Watched> {
        Arc::clone(&self.watched)
    }
}

impl Deref for Seat {
    type Target = Watched;

    fn deref(&self) -> &Watched {
        &self.watched
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut shard = self.hub.shard(self.order).lock();
        if self.watched.sockets.fetch_sub(1, Ordering::Relaxed) == 1 {
            shard.watched.remove(&self.order);
            self.hub.counters.orders_watched.sub(1);
        }
    }
}

impl Hub {
    /// A hub over the log, for sockets on swap orders alone. Sockets wait until its tail [runs](Self::run).
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>, settings: Settings, clock: fn() -> Timestamp) -> Arc<Self> {
        Self::over(log, None, settings, clock)
    }

    /// A hub for the sockets of the market, too. Its tail begins behind the read store's checkpoint.
    #[must_use]
    pub fn with_markets(
        log: Arc<dyn EventLog>,
        history: Arc<dyn MarketHistory>,
        settings: Settings,
        clock: fn() -> Timestamp,
    ) -> Arc<Self> {
        let markets = Markets::new(history, settings.trades);
        Self::over(log, Some(markets), settings, clock)
    }

    fn over(
        log: Arc<dyn EventLog>,
        markets: Option<Arc<Markets>>,
        settings: Settings,
        clock: fn() -> Timestamp,
    ) -> Arc<Self> {
        Arc::new(Self {
            markets,
            log,
            settings,
            counters: Counters::default(),
            crowd: Crowd::default(),
            clock,
            condition: watch::Sender::new(Condition::default()),
            position: watch::Sender::new(None),
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        })
    }

    /// Follows the stream from its end on, with markets from behind their books' checkpoint on. Returns when told to stop, or when the stream is another one. However it
    /// ends, and if it panics, sockets are told that the process goes down: without a tail they would be silent.
    ///
    /// # Errors
    /// When the stream cannot be reached at the start, or was recreated.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), LogError> {
        let hub = StopOnDrop(self);
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            ended = hub.0.tail() => ended,
        }
    }

    async fn tail(&self) -> Result<(), LogError> {
        let last = match &self.markets {
            Some(markets) => books_loaded(markets).await,
            None => self.log.info().await?.last_seq,
        };
        let tail = self.log.follow(After::Seq(last), None).await?;
        self.position.send_replace(Some(last));
        tokio::select! {
            ended = self.follow(tail) => ended,
            never = self.watch_stream() => match never {},
        }
    }

    /// The last sequence that was handed to the sockets; [`Seq::ZERO`] before the tail runs.
    #[must_use]
    pub fn position(&self) -> Seq {
        self.position.borrow().unwrap_or(Seq::ZERO)
    }

    /// The same, and every change of it; nothing before the tail runs.
    pub(crate) fn positions(&self) -> watch::Receiver<Option<Seq>> {
        self.position.subscribe()
    }

    /// As if the tail had come this far.
    #[cfg(test)]
    pub(crate) fn set_position(&self, seq: Seq) {
        self.position.send_replace(Some(seq));
    }

    /// Which stream the hub reads.
    pub(crate) fn incarnation(&self) -> Incarnation {
        self.log.incarnation()
    }

    /// What the bridge has done so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Waits until the tail is set up.
    pub(crate) async fn tail_begins(&self) {
        // The sender is ours, so this cannot fail.
        let _ = self.position.subscribe().wait_for(Option::is_some).await;
    }

    /// Whether the stream has come as far as `seq`. If so, this waits until the tail has, too: from then on every
    /// loaded topic holds all of its order up to there.
    ///
    /// # Errors
    /// When the stream cannot be asked.
    pub(crate) async fn reaches(&self, seq: Seq) -> Result<bool, LogError> {
        if self.position() < seq && self.log.info().await?.last_seq < seq {
            return Ok(false);
        }
        self.passes(seq).await;
        Ok(true)
    }

    /// Waits until the tail is where the stream ends now.
    ///
    /// # Errors
    /// When the stream cannot be asked.
    pub(crate) async fn current(&self) -> Result<(), LogError> {
        let last = self.log.info().await?.last_seq;
        self.passes(last).await;
        Ok(())
    }

    /// Waits until the tail has passed `seq`.
    pub(crate) async fn passes(&self, seq: Seq) {
        // The sender is ours, so this cannot fail.
        let _ = self.position.subscribe().wait_for(|position| position.is_some_and(|at| at >= seq)).await;
    }

    /// Whether an order that is in memory is shown to the asker; nothing of any other order.
    pub(crate) fn shows(&self, order: OrderId, asker: Asker) -> Option<bool> {
        let (watched, placed) = {
            let shard = self.shard(order).lock();
            let placed = shard.recent.placed(order).map(|record| record.payload.clone());
            (shard.watched.get(&order).map(Arc::clone), placed)
        };
        if let Some(placed) = placed {
            return Some(is_shown(&placed, asker));
        }
        let watched = watched?;
        let topic = watched.topic.lock();
        topic.status().map(|_| asker.may_see(topic.owner()))
    }

    /// A place on the order, whose topic is registered with the tail before its history is read.
    pub(crate) fn watch(self: &Arc<Self>, order: OrderId) -> Seat {
        let mut shard = self.shard(order).lock();
        let Shard { watched, recent } = &mut *shard;
        let watched = watched.entry(order).or_insert_with(|| {
            self.counters.orders_watched.add(1);
            let mut topic = Topic::new(order, self.incarnation());
            // All of its life was seen: nothing has to be read.
            if let Some(history) = recent.take(order) {
                let loaded = topic.on_history(&history, Seq::ZERO);
                debug_assert!(loaded.is_ok(), "a new topic has no floor");
            }
            Arc::new(Watched {
                topic: Mutex::new(topic),
                news: watch::Sender::new(()),
                sockets: AtomicUsize::new(0),
                loading: tokio::sync::Mutex::new(()),
            })
        });
        watched.sockets.fetch_add(1, Ordering::Relaxed);
        Seat { hub: Arc::clone(self), order, watched: Arc::clone(watched) }
    }

    fn shard(&self, order: OrderId) -> &Mutex<Shard> {
        let place = self.hasher.hash_one(order) % SHARDS as u64;
        &self.shards[usize::try_from(place).unwrap_or(0)]
    }

    async fn follow(&self, mut tail: Box<dyn Follow>) -> Result<(), LogError> {
        let mut market = MarketTail::default();
        loop {
            let records =
                tail.next(TAIL_BATCH).await.inspect_err(|error| error!(%error, "the tail has ended"))?;
            self.counters.tail_recreated.set(tail.recreated());
            self.take_in(&mut market, records).await;
        }
    }

    async fn take_in(&self, market: &mut MarketTail, records: Vec<Record>) {
        let Some(last) = records.last().map(|record| record.seq) else { return };
        for record in records {
            if let Some(subject) = SwapSubject::parse(&record.subject) {
                self.take_in_one(subject, record);
            } else if let Some(markets) = &self.markets {
                market.take_in(markets, &*self.log, &record).await;
            }
        }
        self.position.send_replace(Some(market.position(last)));
    }

    fn take_in_one(&self, subject: SwapSubject, record: Record) {
        let mut shard = self.shard(subject.order()).lock();
        let Some(watched) = shard.watched.get(&subject.order()).map(Arc::clone) else {
            let max_orders = self.settings.recent_orders.div_ceil(SHARDS);
            return shard.recent.remember(subject, record, max_orders, RECENT_BYTES / SHARDS);
        };
        drop(shard);
        if watched.topic.lock().on_live(record) {
            watched.news.send_replace(());
        }
    }
}

/// Loads the books as soon as the store can be asked; where the tail begins.
async fn books_loaded(markets: &Markets) -> Seq {
    loop {
        match markets.load().await {
            Ok(checkpoint) => return checkpoint,
            Err(error) => warn!(%error, "the books cannot be loaded yet"),
        }
        sleep(BOOKS_PAUSE).await;
    }
}

struct StopOnDrop(Arc<Hub>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}
