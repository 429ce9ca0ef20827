//! Fakes behind a server in these tests: a read store, a matcher and past books that say what a test wants.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use fillstream_domain::{
    OrderId, Position, Seq, UserId,
    book::{BookStatus, Symbol},
};
use fillstream_http_api::{
    Answer, BookAt, OrdersWanted, Outcomes, PastBooks, PastError, StoreUnreachable, StoredMarkets,
};
use fillstream_projections::market::{
    BookOrderPatch, BookOrderRow, Message, OpenCount, TradeExecuted, TradeRow,
};
use parking_lot::Mutex;

/// A read store that holds what a test puts in.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) orders: Mutex<Vec<BookOrderRow>>,
    pub(crate) trades: Mutex<Vec<TradeRow>>,
    pub(crate) book: Mutex<Option<BookAt>>,
    pub(crate) broken: Mutex<bool>,
    /// Times that open orders were counted.
    pub(crate) counted: AtomicU32,
    /// Pages of trades wait while a test holds this.
    pub(crate) gate: tokio::sync::RwLock<()>,
    /// How far it is; as far as anybody wants when a test does not say.
    pub(crate) checkpoint: Mutex<Option<u64>>,
}

impl Store {
    fn reached(&self) -> Result<(), StoreUnreachable> {
        if *self.broken.lock() { Err(StoreUnreachable) } else { Ok(()) }
    }
}

#[async_trait]
impl StoredMarkets for Store {
    async fn checkpoint(&self) -> Result<Seq, StoreUnreachable> {
        self.reached()?;
        Ok(self.checkpoint.lock().map_or(Seq::MAX, Seq::new))
    }

    async fn order(&self, order: OrderId) -> Result<Option<BookOrderRow>, StoreUnreachable> {
        self.reached()?;
        Ok(self.orders.lock().iter().find(|row| row.order_id == order).cloned())
    }

    async fn orders(&self, wanted: &OrdersWanted) -> Result<Vec<BookOrderRow>, StoreUnreachable> {
        self.reached()?;
        let mut rows: Vec<_> = self.orders.lock().clone();
        rows.retain(|row| {
            row.user_id == wanted.user
                && wanted.symbol.as_ref().is_none_or(|symbol| *symbol == row.symbol)
                && wanted.status.is_none_or(|status| status == row.status)
                && wanted.before.is_none_or(|before| row.placed_seq < before)
        });
        rows.sort_by_key(|row| std::cmp::Reverse(row.placed_seq));
        rows.truncate(wanted.limit as usize);
        Ok(rows)
    }

    async fn open_orders(
        &self,
        user: UserId,
        symbol: &Symbol,
        most: u32,
    ) -> Result<OpenCount, StoreUnreachable> {
        self.reached()?;
        self.counted.fetch_add(1, Ordering::Relaxed);
        let rows = self.orders.lock();
        let open = rows
            .iter()
            .filter(|row| row.user_id == user && row.symbol == *symbol && row.status == BookStatus::Open);
        let open: Vec<_> = open.take(most as usize).collect();
        let count = |open: usize| u32::try_from(open).expect("few");
        let in_book = open.iter().filter(|row| row.last_seq > row.placed_seq).count();
        Ok(OpenCount { in_book: count(in_book), all: count(open.len()) })
    }

    async fn trades(
        &self,
        symbol: &Symbol,
        before: Option<Position>,
        limit: u32,
    ) -> Result<Vec<TradeRow>, StoreUnreachable> {
        let _passed = self.gate.read().await;
        self.reached()?;
        let mut rows: Vec<_> = self.trades.lock().clone();
        rows.retain(|row| {
            row.symbol == *symbol && before.is_none_or(|before| Position::new(row.seq, row.index) < before)
        });
        rows.sort_by_key(|row| std::cmp::Reverse((row.seq, row.index)));
        rows.truncate(limit as usize);
        Ok(rows)
    }

    async fn own_trades(
        &self,
        user: UserId,
        symbol: Option<&Symbol>,
        before: Option<Position>,
        limit: u32,
    ) -> Result<Vec<Message<TradeExecuted>>, StoreUnreachable> {
        self.reached()?;
        let mut rows: Vec<_> = self.trades.lock().clone();
        rows.retain(|row| {
            (row.buyer_id == user || row.seller_id == user)
                && symbol.is_none_or(|symbol| *symbol == row.symbol)
                && before.is_none_or(|before| Position::new(row.seq, row.index) < before)
        });
        rows.sort_by_key(|row| std::cmp::Reverse((row.seq, row.index)));
        rows.truncate(limit as usize);
        Ok(rows.into_iter().map(Message::from).collect())
    }

    async fn book(
        &self,
        symbol: &Symbol,
        _: usize,
        _: Seq,
        _: Duration,
    ) -> Result<Option<BookAt>, StoreUnreachable> {
        self.reached()?;
        Ok(self.book.lock().clone().filter(|_| symbol.as_str() == "BTC/USDT"))
    }
}

/// A matcher that gives the answers it was told, one per question, and then none.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) answers: Mutex<VecDeque<Answer>>,
    /// Sequences that were asked for.
    pub(crate) asked: Mutex<Vec<u64>>,
    /// Answers of a moment ago.
    pub(crate) latest: Mutex<Vec<BookOrderPatch>>,
}

#[async_trait]
impl Outcomes for Said {
    async fn outcome(&self, input: Seq, patience: Duration) -> Option<Answer> {
        self.asked.lock().push(input.get());
        let answer = self.answers.lock().pop_front();
        if answer.is_none() {
            tokio::time::sleep(patience).await;
        }
        answer
    }

    fn latest(&self, order: OrderId) -> Option<BookOrderPatch> {
        self.latest.lock().iter().find(|patch| patch.order_id == order).cloned()
    }
}

/// Past books up to sequence 10; each is empty and says which was asked for.
pub(crate) struct Past;

#[async_trait]
impl PastBooks for Past {
    async fn book(&self, _: &Symbol, up_to: Seq) -> Result<BookAt, PastError> {
        if up_to > Seq::new(10) {
            Err(PastError::Ahead { newest: Seq::new(10) })
        } else {
            Ok(BookAt { position: Position::new(up_to, 0), ..BookAt::default() })
        }
    }
}
