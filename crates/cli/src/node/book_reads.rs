//! Reads of the book's handlers: rows from the read store, past books from the log.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use fillstream_domain::{
    OrderId, Position, Seq, UserId,
    book::{Side, Symbol},
};
use fillstream_event_log::{EventLog, SnapshotStore};
use fillstream_http_api::{BookAt, OrdersWanted, PastBooks, PastError, StoreUnreachable, StoredMarkets};
use fillstream_matching::book_at;
use fillstream_projections::market::{
    BookFeed, BookOrderRow, LevelBook, Message, OpenCount, TradeExecuted, TradeRow,
};
use fillstream_projector::Projector;
use fillstream_read_store::{ReadStore, StoreError};
use fillstream_stream_bridge::Hub;
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};
use tracing::warn;

/// Between two looks at rows that another process writes.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Orders, trades and books out of the rows; books out of memory, where sockets have them there.
pub(crate) struct BookRows {
    pub(crate) store: ReadStore,
    /// The projector of this process tells how far the rows are.
    pub(crate) projector: Option<Arc<Projector>>,
    pub(crate) hub: Option<Arc<Hub>>,
}

fn unreachable(error: StoreError) -> StoreUnreachable {
    warn!(error = %fillstream_retry::chain(&error), "the read store did not answer");
    StoreUnreachable
}

#[async_trait]
impl StoredMarkets for BookRows {
    async fn checkpoint(&self) -> Result<Seq, StoreUnreachable> {
        Ok(self.store.checkpoint().await.map_err(unreachable)?.map_or(Seq::ZERO, |checkpoint| checkpoint.seq))
    }

    async fn order(&self, order: OrderId) -> Result<Option<BookOrderRow>, StoreUnreachable> {
        self.store.book_order(order).await.map_err(unreachable)
    }

    async fn orders(&self, wanted: &OrdersWanted) -> Result<Vec<BookOrderRow>, StoreUnreachable> {
        let OrdersWanted { user, symbol, status, before, limit } = wanted;
        let orders = self.store.book_orders(*user, symbol.as_ref(), *status, *before, *limit).await;
        orders.map_err(unreachable)
    }

    async fn open_orders(
        &self,
        user: UserId,
        symbol: &Symbol,
        most: u32,
    ) -> Result<OpenCount, StoreUnreachable> {
        self.store.open_orders(user, symbol, most).await.map_err(unreachable)
    }

    async fn trades(
        &self,
        symbol: &Symbol,
        before: Option<Position>,
        limit: u32,
    ) -> Result<Vec<TradeRow>, StoreUnreachable> {
        self.store.trades(symbol, before, limit).await.map_err(unreachable)
    }

    async fn own_trades(
        &self,
        user: UserId,
        symbol: Option<&Symbol>,
        before: Option<Position>,
        limit: u32,
    ) -> Result<Vec<Message<TradeExecuted>>, StoreUnreachable> {
        self.store.own_trades(user, symbol, before, limit).await.map_err(unreachable)
    }

    async fn holds(&self, seq: Seq) {
        let Some(projector) = &self.projector else {
            while self.checkpoint().await.is_ok_and(|checkpoint| checkpoint < seq) {
                sleep(LOOK_AGAIN).await;
            }
            return;
        };
        // The sender is the projector's, which is held here.
        let _ = projector.positions().wait_for(|position| *position >= seq).await;
    }

    async fn book(
        &self,
        symbol: &Symbol,
        levels: usize,
        seq: Seq,
        patience: Duration,
    ) -> Result<Option<BookAt>, StoreUnreachable> {
        if let Some(hub) = &self.hub
            && timeout(patience, hub.has_told(seq)).await.is_ok()
            && let Some((position, levels)) = hub.book(symbol, levels)
        {
            let mut book = LevelBook::default();
            book.apply(&levels);
            return Ok(Some(BookAt { position, book }));
        }
        let _ = timeout(patience, self.holds(seq)).await;
        let found = self.store.book(symbol, levels).await.map_err(unreachable)?;
        let Some((market, levels)) = found else { return Ok(None) };
        let feed = BookFeed::restore(&market, &levels);
        Ok(Some(BookAt { position: feed.depth_position(), book: feed.book().clone() }))
    }
}

/// Books as they were, folded from the log.
pub(crate) struct LogBooks {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) snapshots: Arc<dyn SnapshotStore>,
    /// So many are read at once: each folds thousands of commits, from the leader.
    pub(crate) readers: Semaphore,
}

#[async_trait]
impl PastBooks for LogBooks {
    async fn book(&self, symbol: &Symbol, up_to: Seq) -> Result<BookAt, PastError> {
        let Ok(_reading) = self.readers.try_acquire() else { return Err(PastError::Busy) };
        let levels = match book_at(&*self.log, Some(&*self.snapshots), symbol, up_to).await {
            Ok(levels) => levels,
            Err(fillstream_matching::PastError::Ahead { newest }) => return Err(PastError::Ahead { newest }),
            Err(
                error @ (fillstream_matching::PastError::Log(_)
                | fillstream_matching::PastError::LaterVersion(_)),
            ) => {
                warn!(error = %fillstream_retry::chain(&error), "a past book could not be read");
                return Err(PastError::Unreachable);
            }
        };
        let mut book = LevelBook::default();
        for (side, levels) in [(Side::Buy, &levels.bids), (Side::Sell, &levels.asks)] {
            for (price, quantity) in levels {
                book.set(side, *price, *quantity);
            }
        }
        Ok(BookAt { position: Position::new(levels.seq, 0), book })
    }
}
