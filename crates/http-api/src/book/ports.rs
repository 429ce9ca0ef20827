//! Ports through which the book's handlers read.

use std::time::Duration;

use async_trait::async_trait;
use fillstream_domain::{
    OrderId, Position, Seq, UserId,
    book::{BookStatus, Symbol},
};
use fillstream_projections::market::{BookOrderRow, LevelBook, Message, OpenCount, TradeExecuted, TradeRow};
use tokio::time::sleep;

/// Between two looks at how far a store is that tells nobody.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The read store could not be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the read store did not answer")]
pub struct StoreUnreachable;

/// Selection of a user's orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrdersWanted {
    /// Their user.
    pub user: UserId,
    /// Of this market alone.
    pub symbol: Option<Symbol>,
    /// That stand there.
    pub status: Option<BookStatus>,
    /// Placed before this sequence.
    pub before: Option<Seq>,
    /// So many at most.
    pub limit: u32,
}

/// A market's book by levels, as it stood at a position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BookAt {
    /// The part of a commit that changed it last, and that change among the part's; [`Position::START`] while nothing has.
    pub position: Position,
    /// The levels; those that were not asked for may be missing.
    pub book: LevelBook,
}

/// Orders, trades and books as the read store has them.
#[async_trait]
pub trait StoredMarkets: Send + Sync + 'static {
    /// The sequence up to which everything is stored.
    async fn checkpoint(&self) -> Result<Seq, StoreUnreachable>;

    /// An order; nothing when the store does not know it (yet).
    async fn order(&self, order: OrderId) -> Result<Option<BookOrderRow>, StoreUnreachable>;

    /// Orders, the last placed first.
    async fn orders(&self, wanted: &OrdersWanted) -> Result<Vec<BookOrderRow>, StoreUnreachable>;

    /// A user's open orders in a market, `most` of them at most, those placed first.
    async fn open_orders(
        &self,
        user: UserId,
        symbol: &Symbol,
        most: u32,
    ) -> Result<OpenCount, StoreUnreachable>;

    /// A market's trades before a position, the latest first.
    async fn trades(
        &self,
        symbol: &Symbol,
        before: Option<Position>,
        limit: u32,
    ) -> Result<Vec<TradeRow>, StoreUnreachable>;

    /// Trades of a user's orders, of all markets or of one, before a position, the latest first. Each knows its maker.
    async fn own_trades(
        &self,
        user: UserId,
        symbol: Option<&Symbol>,
        before: Option<Position>,
        limit: u32,
    ) -> Result<Vec<Message<TradeExecuted>>, StoreUnreachable>;

    /// Waits until everything up to `seq` is stored; a store that does not answer is not waited for. The caller sets the
    /// limit.
    async fn holds(&self, seq: Seq) {
        while self.checkpoint().await.is_ok_and(|checkpoint| checkpoint < seq) {
            sleep(LOOK_AGAIN).await;
        }
    }

    /// The best `levels` of each side; nothing when nothing has ever rested there. As of `seq` or later, as far as that is
    /// reached within `patience`.
    async fn book(
        &self,
        symbol: &Symbol,
        levels: usize,
        seq: Seq,
        patience: Duration,
    ) -> Result<Option<BookAt>, StoreUnreachable>;
}

/// Reasons why a past book cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PastError {
    /// The stream has not come so far.
    #[error("the stream's newest position is {newest}")]
    Ahead {
        /// Its last sequence.
        newest: Seq,
    },
    /// It cannot be read now.
    #[error("the stream cannot be reached")]
    Unreachable,
    /// As many are being read as this process takes at once.
    #[error("too many past books are being read")]
    Busy,
}

/// Books as they were.
#[async_trait]
pub trait PastBooks: Send + Sync + 'static {
    /// The market's whole book after every commit whose final part's sequence is at most `up_to`.
    async fn book(&self, symbol: &Symbol, up_to: Seq) -> Result<BookAt, PastError>;
}
