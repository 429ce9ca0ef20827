//! A read store that is told from the log whenever it is asked, up to a checkpoint that tests may hold back.

use fillstream_domain::{Position, RecordId, Seq};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use fillstream_domain::book::{Commit, Parts, PartsStep, Symbol};
use fillstream_event_log::{After, EventLog, MemoryLog};
use fillstream_projections::market::{BookFeed, Parties, messages};
use fillstream_stream_bridge::{
    Body, Books, HistoryError, MarketChannel, MarketHistory, Stored as UpTo, Told, own_fills,
};
use parking_lot::Mutex;

#[derive(Clone)]
pub(crate) struct Stored {
    log: MemoryLog,
    /// Nothing behind this is stored yet.
    held_at: Arc<AtomicU64>,
    /// Negative control: claims to hold everything.
    claims_all: bool,
    /// Negative control: messages of orders and trades are gone.
    lost: Arc<AtomicBool>,
    /// Its rows stay as they are, whatever becomes of the log.
    stays: Arc<AtomicBool>,
    /// It does not answer.
    away: Arc<AtomicBool>,
    /// Pages that were read.
    pub(crate) pages: Arc<AtomicUsize>,
    read: Arc<Mutex<Read>>,
}

/// Records that were read of the log so far.
#[derive(Default)]
struct Read {
    last: u64,
    /// Tag of the record at `last`.
    record: Option<RecordId>,
    parts: HashMap<Symbol, Parts>,
    whole: Vec<Vec<(Seq, Commit)>>,
}

impl Stored {
    pub(crate) fn new(log: MemoryLog) -> Self {
        let held_at = Arc::new(AtomicU64::new(u64::MAX));
        let (pages, lost, stays, away) = Default::default();
        Self { log, held_at, claims_all: false, lost, stays, away, pages, read: Arc::default() }
    }

    #[allow(dead_code, reason = "one of the two suites that have this file uses it")]
    pub(crate) fn claiming_all(self) -> Self {
        Self { claims_all: true, ..self }
    }

    #[allow(dead_code, reason = "one of the two suites that have this file uses it")]
    pub(crate) fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    /// From now on rows are not built anew when the log has lost what they were made of.
    #[allow(dead_code, reason = "one of the two suites that have this file uses it")]
    pub(crate) fn stay_as_it_is(&self, stays: bool) {
        self.stays.store(stays, Ordering::Relaxed);
    }

    /// Whether it answers from now on.
    #[allow(dead_code, reason = "one of the two suites that have this file uses it")]
    pub(crate) fn go_away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }

    /// The last sequence that is stored.
    #[allow(dead_code, reason = "one of the two suites that have this file uses it")]
    pub(crate) async fn read_up_to(&self) -> u64 {
        self.commits().await.0.get()
    }

    /// Nothing behind this sequence is stored from now on.
    pub(crate) fn hold_at(&self, seq: u64) {
        self.held_at.store(seq, Ordering::Relaxed);
    }

    /// All whole commits up to the checkpoint.
    async fn commits(&self) -> (Seq, Vec<Vec<(Seq, Commit)>>) {
        let (last, record) = {
            let read = self.read.lock();
            (read.last, read.record)
        };
        let stays = self.stays.load(Ordering::Relaxed);
        let found = self.log.record(Seq::new(last)).await.unwrap().map(|record| record.reference().id);
        if found != record && !stays {
            *self.read.lock() = Read::default();
        }
        let from = self.read.lock().last + 1;
        let records = match stays {
            true => Vec::new(),
            false => {
                let mut tail = self.log.follow(After::Seq(Seq::new(from).prev()), None).await.unwrap();
                if tail.behind() == 0 { Vec::new() } else { tail.next(usize::MAX).await.unwrap() }
            }
        };
        let mut read = self.read.lock();
        for record in records {
            if record.seq <= Seq::new(read.last) {
                continue;
            }
            read.last = record.seq.get();
            read.record = Some(record.reference().id);
            let Ok(commit) = Commit::decode(&record.payload) else { continue };
            let parts = read.parts.entry(commit.symbol.clone()).or_default();
            if let PartsStep::Complete(parts) = parts.push(record.seq, commit).0 {
                read.whole.push(parts);
            }
        }
        let mut checkpoint = Seq::new(read.last.min(self.held_at.load(Ordering::Relaxed)));
        let held = read.parts.values().filter_map(Parts::held_from);
        let begun = read.whole.iter().filter(|parts| parts[parts.len() - 1].0 > checkpoint);
        let before = begun.map(|parts| parts[0].0.prev()).chain(held).min();
        checkpoint = checkpoint.min(before.unwrap_or(checkpoint));
        let stored = read.whole.iter().filter(|parts| parts[0].0 <= checkpoint).cloned().collect();
        (checkpoint, stored)
    }

    async fn up_to(&self, seq: Seq) -> Option<UpTo> {
        let (last, record) = {
            let read = self.read.lock();
            (Seq::new(read.last), read.record)
        };
        let record = match record {
            Some(record) if seq == last => Some(record),
            Some(_) | None => self.log.record(seq).await.unwrap().map(|record| record.reference().id),
        };
        (!seq.is_zero()).then(|| UpTo { incarnation: self.log.incarnation(), seq, record })
    }

    /// All messages of a channel that are stored.
    pub(crate) async fn channel(&self, channel: &MarketChannel) -> Vec<Told> {
        let mut all = Vec::new();
        for (seq, part) in self.commits().await.1.iter().flatten() {
            if channel.symbol().is_some_and(|symbol| *symbol != part.symbol) {
                continue;
            }
            let told = messages(*seq, part);
            let at = |index| Position::new(*seq, index);
            match channel {
                MarketChannel::Orders(user, _) => {
                    all.extend(told.orders.into_iter().filter(|message| message.body.user_id == *user).map(
                        |message| Told {
                            at: at(message.index),
                            last: message.last,
                            tag: None,
                            body: Body::Stored(serde_json::to_string(&message.body).unwrap()),
                        },
                    ));
                }
                MarketChannel::Trades(_) => all.extend(told.trades.into_iter().map(|message| Told {
                    at: at(message.index),
                    last: message.last,
                    tag: None,
                    body: Body::Trade(Arc::new(message.body.shown(Parties::Named))),
                })),
                MarketChannel::Fills(user, _) => all.extend(own_fills(*user, &told.trades)),
                MarketChannel::Orderbook(_) | MarketChannel::Depth(_) => panic!("books have no history"),
            }
        }
        all
    }
}

#[async_trait]
impl MarketHistory for Stored {
    async fn books(&self) -> Result<Books, HistoryError> {
        if self.away.load(Ordering::Relaxed) {
            return Err(HistoryError::unreachable("nobody answers"));
        }
        let (checkpoint, commits) = self.commits().await;
        let mut books = BTreeMap::new();
        for (seq, part) in commits.iter().flatten() {
            let symbol = part.symbol.clone();
            books.entry(symbol.clone()).or_insert_with(|| BookFeed::new(symbol)).take(*seq, part);
        }
        Ok(Books { checkpoint: self.up_to(checkpoint).await, books: books.into_iter().collect() })
    }

    async fn checkpoint(&self) -> Result<Option<UpTo>, HistoryError> {
        let seq = if self.claims_all { Seq::MAX } else { self.commits().await.0 };
        Ok(self.up_to(seq).await)
    }

    async fn last(&self, channel: &MarketChannel, up_to: Position) -> Result<Option<Position>, HistoryError> {
        let told = self.channel(channel).await;
        Ok(told.iter().map(|told| told.at).rfind(|at| *at <= up_to))
    }

    async fn page(
        &self,
        channel: &MarketChannel,
        after: Position,
        up_to: Position,
        limit: usize,
    ) -> Result<Vec<Told>, HistoryError> {
        self.pages.fetch_add(1, Ordering::Relaxed);
        if self.lost.load(Ordering::Relaxed) {
            return Ok(Vec::new());
        }
        let told = self.channel(channel).await.into_iter();
        Ok(told.filter(|told| told.at > after && told.at <= up_to).take(limit).collect())
    }

    async fn count(
        &self,
        channel: &MarketChannel,
        after: Position,
        up_to: Position,
        limit: usize,
    ) -> Result<usize, HistoryError> {
        let told = self.channel(channel).await;
        Ok(told.iter().filter(|told| told.at > after && told.at <= up_to).count().min(limit))
    }

    fn cursor(&self, _: &MarketChannel, up_to: Position) -> Option<String> {
        Some(format!("before-{}-{}", up_to.seq, up_to.index))
    }
}
