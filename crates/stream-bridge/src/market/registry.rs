//! All channels of the market in this process: what a commit is handed out to, and where sockets find their place.
//!
//! ```text
//!  record ─▶ Parts (held back until `last`) ─▶ whole commit ─▶ books ─▶ messages
//!                                                                        │ registry's lock: whose channels are there
//!                                                                        ▼
//!            socket ─▶ seat (registry's lock: a place, and how far the tail was) ─▶ feed ◀─ told, woken
//! ```
//! Looking up the channels of a commit and moving `position` behind it is one step, and so is finding a channel and
//! reading `position`: a channel that begins at `position` is told everything behind it.
//! Nobody awaits under a lock, or takes a second one.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use fillstream_domain::{
    Incarnation, Position, Seq, UserId,
    book::{Commit, Levels, Symbol},
};
use fillstream_event_log::After as Begin;
use fillstream_projections::market::{BookFeed, Message, Parties, TradeExecuted, messages};
use parking_lot::Mutex;

use crate::{
    hub::Hub,
    market::{
        book::MarketBook,
        channel::{MarketChannel, MarketStream},
        feed::{Feed, Seat},
        fills::fills,
        history::{HistoryError, MarketHistory},
        ring::{Body, Told},
    },
};

/// See the module's first line.
pub(crate) struct Markets {
    pub(crate) history: Arc<dyn MarketHistory>,
    /// Names that public trades show.
    parties: Parties,
    registry: Mutex<Registry>,
    /// Channels have been told everything up to this sequence.
    told: AtomicU64,
    /// Up to where the store was last found to hold everything. Held by the one that asks.
    stored: tokio::sync::Mutex<Seq>,
}

struct Registry {
    /// History that the channels are of; nothing before the first books were loaded.
    history: u64,
    /// Everything up to here has found its channels.
    position: Seq,
    trades: Arc<Feed>,
    markets: HashMap<Symbol, Market>,
    /// Channels of users whose orders somebody watches.
    users: HashMap<UserId, Vec<Arc<Feed>>>,
}

/// A channel and what it is told.
type Delivery = (Arc<Feed>, Vec<Told>);

/// The channels of one market.
#[derive(Clone)]
struct Market {
    book: Arc<MarketBook>,
    trades: Arc<Feed>,
    orderbook: Arc<Feed>,
    depth: Arc<Feed>,
}

impl Market {
    /// A market whose book stands so after `checkpoint`, and whose last trade was at `trades`.
    fn new(symbol: Symbol, feed: BookFeed, checkpoint: Seq, trades: Position) -> Self {
        let (top, depth) = (Some(feed.top_position()), Some(feed.depth_position()));
        let trades = Feed::new(MarketChannel::Trades(Some(symbol.clone())), checkpoint, Some(trades));
        Self {
            book: Arc::new(MarketBook::new(feed)),
            trades,
            orderbook: Feed::new(MarketChannel::Orderbook(symbol.clone()), checkpoint, top),
            depth: Feed::new(MarketChannel::Depth(symbol), checkpoint, depth),
        }
    }
}

impl Markets {
    pub(crate) fn new(history: Arc<dyn MarketHistory>, parties: Parties) -> Arc<Self> {
        let registry = Registry {
            history: 0,
            position: Seq::ZERO,
            trades: Feed::new(MarketChannel::Trades(None), Seq::ZERO, None),
            markets: HashMap::new(),
            users: HashMap::new(),
        };
        let stored = tokio::sync::Mutex::new(Seq::ZERO);
        Arc::new(Self { history, parties, registry: Mutex::new(registry), told: AtomicU64::new(0), stored })
    }

    /// Loads the books as they stand at the store's checkpoint, behind which the tail is to begin.
    ///
    /// # Errors
    /// When the store cannot be asked, or holds rows of another stream.
    pub(crate) async fn load(&self, incarnation: Incarnation, history: u64) -> Result<Begin, HistoryError> {
        let books = self.history.books().await?;
        let (checkpoint, begin) = match books.checkpoint {
            None => (Seq::ZERO, Begin::START),
            Some(stored) if stored.incarnation != incarnation => return Err(HistoryError::OtherStream),
            Some(stored) => (stored.seq, stored.begin()),
        };
        let up_to = Position::after_all_of(checkpoint);
        let last = async |channel: MarketChannel| self.history.last(&channel, up_to).await;
        let trades = last(MarketChannel::Trades(None)).await?.unwrap_or(Position::START);
        let mut markets = HashMap::new();
        for (symbol, book) in books.books {
            let trades = last(MarketChannel::Trades(Some(symbol.clone()))).await?.unwrap_or(Position::START);
            let market = Market::new(symbol.clone(), book, checkpoint, trades);
            markets.insert(symbol, market);
        }
        let trades = Feed::new(MarketChannel::Trades(None), checkpoint, Some(trades));
        *self.stored.lock().await = checkpoint;
        self.told.store(checkpoint.get(), Ordering::Relaxed);
        *self.registry.lock() =
            Registry { history, position: checkpoint, trades, markets, users: HashMap::new() };
        Ok(begin)
    }

    /// True when the store holds everything up to `seq`.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub(crate) async fn stores(&self, seq: Seq) -> Result<bool, HistoryError> {
        let mut stored = self.stored.lock().await;
        if *stored < seq {
            *stored = self.history.checkpoint().await?.map_or(Seq::ZERO, |stored| stored.seq);
        }
        Ok(*stored >= seq)
    }

    /// Hands out a whole commit.
    pub(crate) fn take_in(&self, parts: &[(Seq, Arc<Commit>)]) {
        let Some((position, last)) = parts.last() else { return };
        let symbol = &last.symbol;
        let market = self.market_of(symbol);
        let (mut orderbook, mut depth, mut trades) = (Vec::new(), Vec::new(), Vec::new());
        let mut executed = Vec::new();
        let mut orders: HashMap<UserId, Vec<Told>> = HashMap::new();
        for (seq, part) in parts {
            let book = market.book.take_in(*seq, part);
            orderbook.extend(book.tops.into_iter().map(|message| told(message, Body::Orderbook)));
            depth.extend(book.depths.into_iter().map(|message| told(message, Body::Depth)));
            let messages = messages(*seq, part);
            let shown = |body: TradeExecuted| Body::Trade(Arc::new(body.shown(self.parties)));
            trades.extend(messages.trades.iter().cloned().map(|message| told(message, shown)));
            executed.extend(messages.trades);
            for message in messages.orders {
                let user = message.body.user_id;
                let order = |body| Body::Order(Arc::new(body));
                orders.entry(user).or_default().push(told(message, order));
            }
        }
        let (all_trades, users) = self.channels_of(orders, &executed, symbol, *position);
        for (feed, told) in users {
            feed.tell(told);
        }
        all_trades.tell(trades.iter().cloned());
        market.trades.tell(trades);
        market.orderbook.tell(orderbook);
        market.depth.tell(depth);
        self.told.store(position.get(), Ordering::Relaxed);
    }

    /// The last sequence that channels have been told of.
    pub(crate) fn told(&self) -> Seq {
        Seq::new(self.told.load(Ordering::Relaxed))
    }

    /// The channel of all trades, and those of users that are watched, each with its messages; behind this, channels
    /// begin at `position`.
    fn channels_of(
        &self,
        orders: HashMap<UserId, Vec<Told>>,
        trades: &[Message<TradeExecuted>],
        symbol: &Symbol,
        position: Seq,
    ) -> (Arc<Feed>, Vec<Delivery>) {
        let mut registry = self.registry.lock();
        registry.position = position;
        let watches = |user: UserId, stream| {
            let feeds = registry.users.get(&user).into_iter().flatten();
            feeds.filter(move |feed| {
                feed.channel.stream() == stream && feed.channel.symbol().is_none_or(|of| of == symbol)
            })
        };
        let mut found = Vec::new();
        for (user, told) in orders {
            found.extend(watches(user, MarketStream::Orders).map(|feed| (Arc::clone(feed), told.clone())));
        }
        for (user, told) in fills(trades, |user| watches(user, MarketStream::Fills).next().is_some()) {
            found.extend(watches(user, MarketStream::Fills).map(|feed| (Arc::clone(feed), told.clone())));
        }
        (Arc::clone(&registry.trades), found)
    }

    /// A market's book: where its depth stands, and its best levels.
    pub(crate) fn book(&self, symbol: &Symbol, levels: usize) -> Option<(Position, Levels)> {
        let book = Arc::clone(&self.registry.lock().markets.get(symbol)?.book);
        Some(book.best(levels))
    }

    /// Begins a market that has no commit so far; one that is there already stays as it is.
    pub(crate) fn begin(&self, symbol: &Symbol) {
        self.market_of(symbol);
    }

    /// The market; a new one begins empty.
    fn market_of(&self, symbol: &Symbol) -> Market {
        let mut registry = self.registry.lock();
        let position = registry.position;
        let begin = || Market::new(symbol.clone(), BookFeed::new(symbol.clone()), position, Position::START);
        registry.markets.entry(symbol.clone()).or_insert_with(begin).clone()
    }

    /// A place on a channel; nothing when its market is not known. A user's channel begins with its first socket.
    pub(crate) fn watch(self: &Arc<Self>, hub: &Arc<Hub>, channel: &MarketChannel) -> Option<Seat> {
        let mut registry = self.registry.lock();
        let market = match channel.symbol() {
            Some(symbol) => Some(registry.markets.get(symbol)?.clone()),
            None => None,
        };
        let mut book = None;
        let feed = match (channel, market) {
            (MarketChannel::Orders(user, _) | MarketChannel::Fills(user, _), _) => {
                registry.user(*user, channel)
            }
            (MarketChannel::Trades(_), Some(market)) => market.trades,
            (MarketChannel::Trades(_), None) => Arc::clone(&registry.trades),
            (MarketChannel::Orderbook(_), market) => {
                let market = market?;
                book = Some(market.book);
                market.orderbook
            }
            (MarketChannel::Depth(_), market) => {
                let market = market?;
                book = Some(market.book);
                market.depth
            }
        };
        feed.sockets.fetch_add(1, Ordering::Relaxed);
        let history = registry.history;
        Some(Seat { hub: Arc::clone(hub), markets: Arc::clone(self), feed, book, history })
    }

    /// A socket leaves its place. A user's channel goes with its last socket.
    pub(crate) fn leave(&self, feed: &Arc<Feed>) {
        let mut registry = self.registry.lock();
        if feed.sockets.fetch_sub(1, Ordering::Relaxed) > 1 {
            return;
        }
        if let Some(user) = feed.channel.user()
            && let Some(feeds) = registry.users.get_mut(&user)
        {
            feeds.retain(|kept| !Arc::ptr_eq(kept, feed));
            if feeds.is_empty() {
                registry.users.remove(&user);
            }
        }
    }

    /// Channels of users that are kept.
    #[cfg(test)]
    pub(crate) fn user_channels(&self) -> usize {
        self.registry.lock().users.values().map(Vec::len).sum()
    }

    /// Negative control: as if everything up to there had found its channels.
    #[cfg(test)]
    pub(crate) fn pretend_position(&self, seq: Seq) {
        self.registry.lock().position = seq;
    }
}

impl Registry {
    fn user(&mut self, user: UserId, channel: &MarketChannel) -> Arc<Feed> {
        let feeds = self.users.entry(user).or_default();
        if let Some(feed) = feeds.iter().find(|feed| feed.channel == *channel) {
            return Arc::clone(feed);
        }
        let feed = Feed::new(channel.clone(), self.position, None);
        feeds.push(Arc::clone(&feed));
        feed
    }
}

fn told<T>(message: Message<T>, body: impl FnOnce(T) -> Body) -> Told {
    let at = Position::new(message.seq, message.index);
    Told { at, last: message.last, tag: None, body: body(message.body) }
}
