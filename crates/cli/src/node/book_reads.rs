//! What the book's handlers read: rows from the read store, past books from the log.

use std::sync::Arc;

use async_trait::async_trait;
use fillstream_domain::{
    OrderId, Position, Seq, UserId,
    book::{Side, Symbol},
};
use fillstream_event_log::{EventLog, SnapshotStore};
use fillstream_http_api::{BookAt, OrdersWanted, PastBooks, PastError, StoreUnreachable, StoredMarkets};
use fillstream_matching::book_at;
use fillstream_projections::market::{BookFeed, BookOrderRow, LevelBook, Message, TradeExecuted, TradeRow};
use fillstream_read_store::{ReadStore, StoreError};
use tracing::warn;

/// Orders, trades and books out of the rows.
pub(crate) struct BookRows(pub(crate) ReadStore);

fn unreachable(error: StoreError) -> StoreUnreachable {
    warn!(error = %fillstream_retry::chain(&error), "the read store did not answer");
    StoreUnreachable
}

#[async_trait]
impl StoredMarkets for BookRows {
    async fn checkpoint(&self) -> Result<Seq, StoreUnreachable> {
        Ok(self.0.checkpoint().await.map_err(unreachable)?.map_or(Seq::ZERO, |checkpoint| checkpoint.seq))
    }

    async fn order(&self, order: OrderId) -> Result<Option<BookOrderRow>, StoreUnreachable> {
        self.0.book_order(order).await.map_err(unreachable)
    }

    async fn orders(&self, wanted: &OrdersWanted) -> Result<Vec<BookOrderRow>, StoreUnreachable> {
        let OrdersWanted { user, symbol, status, before, limit } = wanted;
        let orders = self.0.book_orders(*user, symbol.as_ref(), *status, *before, *limit).await;
        orders.map_err(unreachable)
    }

    async fn trades(
        &self,
        symbol: &Symbol,
        before: Option<Position>,
        limit: u32,
    ) -> Result<Vec<TradeRow>, StoreUnreachable> {
        self.0.trades(symbol, before, limit).await.map_err(unreachable)
    }

    async fn own_trades(
        &self,
        user: UserId,
        symbol: Option<&Symbol>,
        before: Option<Position>,
        limit: u32,
    ) -> Result<Vec<Message<TradeExecuted>>, StoreUnreachable> {
        self.0.own_trades(user, symbol, before, limit).await.map_err(unreachable)
    }

    async fn book(&self, symbol: &Symbol, levels: usize) -> Result<Option<BookAt>, StoreUnreachable> {
        let found = self.0.book(symbol, levels).await.map_err(unreachable)?;
        let Some((market, levels)) = found else { return Ok(None) };
        let feed = BookFeed::restore(&market, &levels);
        Ok(Some(BookAt { position: feed.depth_position(), book: feed.book().clone() }))
    }
}

/// Books as they were, folded from the log.
pub(crate) struct LogBooks {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) snapshots: Arc<dyn SnapshotStore>,
}

#[async_trait]
impl PastBooks for LogBooks {
    async fn book(&self, symbol: &Symbol, up_to: Seq) -> Result<BookAt, PastError> {
        let levels = match book_at(&*self.log, Some(&*self.snapshots), symbol, up_to).await {
            Ok(levels) => levels,
            Err(fillstream_matching::PastError::Ahead { newest }) => return Err(PastError::Ahead { newest }),
            Err(fillstream_matching::PastError::Log(error)) => {
                warn!(%error, "a past book could not be read");
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
