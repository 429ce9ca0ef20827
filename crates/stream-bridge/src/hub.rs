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
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use fillstream_domain::{
    Incarnation, OrderId, Position, Seq, Timestamp,
    book::{Levels, Symbol},
    subject::SwapSubject,
};
use fillstream_event_log::{EventLog, LogError, Record};
use fillstream_http_edge::Asker;
use fillstream_retry::Obstacles;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    condition::Condition,
    counters::Counters,
    crowd::Crowd,
    history::is_shown,
    market::{MarketHistory, Markets},
    recent::Recent,
    settings::Settings,
    token::{After, Tokens},
    topic::Topic,
};

/// Locks over the orders: enough that the tail and joins seldom meet.
const SHARDS: usize = 64;
/// Payload bytes of orders kept for a join without a read, over all shards.
const RECENT_BYTES: usize = 64 << 20;

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
    /// Maker of tokens.
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) obstacles: Obstacles,
    /// The last sequence that the tail has handed over; nothing before the tail is set up.
    pub(crate) position: watch::Sender<Option<Seq>>,
    /// Swaps' sockets have been handed everything up to this sequence.
    pub(crate) swaps_told: AtomicU64,
    /// The markets' books are loaded, and kept up to date by the tail.
    pub(crate) books_told: watch::Sender<bool>,
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
    /// History that it is of: see [`Condition::history`].
    history: u64,
}

impl Seat {
    /// True while what it is told is still the stream's.
    pub(crate) fn is_of(&self, condition: Condition) -> bool {
        self.history == condition.history
    }

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
            // After the stream has lost its end, it may be another one's.
            if shard.watched.get(&self.order).is_some_and(|watched| Arc::ptr_eq(watched, &self.watched)) {
                shard.watched.remove(&self.order);
            }
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
        let tokens = Arc::new(Tokens::new(log.incarnation()));
        Arc::new(Self {
            markets,
            log,
            settings,
            counters: Counters::default(),
            crowd: Crowd::default(),
            clock,
            condition: watch::Sender::new(Condition::default()),
            tokens,
            obstacles: Obstacles::default(),
            position: watch::Sender::new(None),
            swaps_told: AtomicU64::new(0),
            books_told: watch::Sender::new(false),
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        })
    }

    /// Trouble that stands in its way now.
    #[must_use]
    pub const fn obstacles(&self) -> &Obstacles {
        &self.obstacles
    }

    /// A market's book as its sockets see it: where its depth stands, and the best `levels` of each side. Nothing when the
    /// market is not known, and while the stream cannot be heard: then the book may be of long ago.
    #[must_use]
    pub fn book(&self, symbol: &Symbol, levels: usize) -> Option<(Position, Levels)> {
        if self.condition.borrow().stream_lost || !*self.books_told.borrow() {
            return None;
        }
        self.markets.as_ref()?.book(symbol, levels)
    }

    /// Waits until the sockets have been handed everything up to `seq`.
    pub async fn has_told(&self, seq: Seq) {
        self.passes(seq).await;
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
        self.books_told.send_replace(true);
    }

    /// Nothing is kept of the orders any more.
    pub(crate) fn forget_orders(&self) {
        for shard in &self.shards {
            drop(std::mem::take(&mut *shard.lock()));
        }
    }

    /// Stream that the hub reads.
    pub(crate) fn incarnation(&self) -> Incarnation {
        self.log.incarnation()
    }

    /// Counters of the bridge.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Waits until the tail is set up.
    pub(crate) async fn tail_begins(&self) {
        // The sender is ours, so this cannot fail.
        let _ = self.position.subscribe().wait_for(Option::is_some).await;
    }

    /// Waits until the tail keeps the markets' books up to date.
    pub(crate) async fn books_begin(&self) {
        // The sender is ours, so this cannot fail.
        let _ = self.books_told.subscribe().wait_for(|told| *told).await;
    }

    /// Whether a client that has seen everything up to there can be resumed: where it stands, or why it cannot. If it can, this
    /// waits until the tail has come as far, too: from then on every loaded topic holds all of its order up to there. Only
    /// the leader's word counts against a client.
    ///
    /// # Errors
    /// When the leader cannot be asked.
    pub(crate) async fn resumes(&self, after: After) -> Result<Result<Position, &'static str>, LogError> {
        let (position, tag) = match after {
            After::Foreign(reason) => return Ok(Err(reason)),
            After::Position(position) => (position, None),
            After::Proved(position, tag) => (position, Some(tag)),
        };
        let seq = position.seq;
        if let Some(tag) = tag.filter(|_| !seq.is_zero()) {
            let known = match self.tokens.tag(seq) {
                Some(known) => Some(known),
                None => self.log.record(seq).await?.map(|record| record.reference().id.tag()),
            };
            match known {
                Some(known) if known != tag => return Ok(Err("other_history")),
                Some(known) => self.tokens.learn(seq, known),
                // Removed, or beyond the end.
                None => {}
            }
        }
        if self.position() < seq && self.end().await? < seq {
            // It is of an older copy of the stream, or made up.
            return Ok(Err("ahead_of_stream"));
        }
        self.passes(seq).await;
        Ok(Ok(position))
    }

    /// The stream's last sequence, by its leader's word.
    pub(crate) async fn end(&self) -> Result<Seq, LogError> {
        Ok(self.log.last_matching(">").await?.map_or(Seq::ZERO, |last| last.seq))
    }

    /// Waits until the tail is where the stream ends now.
    ///
    /// # Errors
    /// When the stream cannot be asked.
    pub(crate) async fn current(&self) -> Result<(), LogError> {
        let last = self.end().await?;
        self.passes(last).await;
        Ok(())
    }

    /// Waits until the tail has passed `seq`.
    pub(crate) async fn passes(&self, seq: Seq) {
        // The sender is ours, so this cannot fail.
        let _ = self.position.subscribe().wait_for(|position| position.is_some_and(|at| at >= seq)).await;
    }

    /// True when an order that is in memory is shown to the asker; nothing of any other order.
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
        // Before the order is looked up: a seat on an order that is forgotten meanwhile must not look like a new one.
        let history = self.condition.borrow().history;
        let mut shard = self.shard(order).lock();
        let Shard { watched, recent } = &mut *shard;
        let watched = watched.entry(order).or_insert_with(|| {
            self.counters.orders_watched.add(1);
            let mut topic = Topic::new(order, Arc::clone(&self.tokens));
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
        Seat { hub: Arc::clone(self), order, watched: Arc::clone(watched), history }
    }

    fn shard(&self, order: OrderId) -> &Mutex<Shard> {
        let place = self.hasher.hash_one(order) % SHARDS as u64;
        &self.shards[usize::try_from(place).unwrap_or(0)]
    }

    /// Hands a record out to its order's sockets, or keeps it for those that come.
    pub(crate) fn take_in_one(&self, subject: SwapSubject, record: Record) {
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
