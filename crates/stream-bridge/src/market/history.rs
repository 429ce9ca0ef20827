//! The port to what is stored of the markets: where their channels begin, and what a channel does not keep.

use async_trait::async_trait;
use fillstream_domain::book::Symbol;
use fillstream_domain::{Position, Seq};
use fillstream_projections::market::BookFeed;

use crate::market::{channel::MarketChannel, ring::Told};

/// What was stored cannot be read at the moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the read store does not answer: {0}")]
pub struct HistoryError(pub String);

/// All books as they stand at one checkpoint of the read store.
#[derive(Debug, Default)]
pub struct Books {
    /// Everything up to this sequence is in them, nothing behind it.
    pub checkpoint: Seq,
    /// One for each market that is known.
    pub books: Vec<(Symbol, BookFeed)>,
}

/// What the projections have stored. `Orders` and `Trades` channels are asked for, books only as a whole.
#[async_trait]
pub trait MarketHistory: Send + Sync + 'static {
    /// All books, and up to where they are told.
    ///
    /// # Errors
    /// When the store cannot be asked; so with the others.
    async fn books(&self) -> Result<Books, HistoryError>;

    /// The sequence up to which everything is stored.
    async fn checkpoint(&self) -> Result<Seq, HistoryError>;

    /// The position of the channel's last message at or before `up_to`; nothing when there is none.
    async fn last(&self, channel: &MarketChannel, up_to: Position) -> Result<Option<Position>, HistoryError>;

    /// The channel's messages behind `after` up to and with `up_to`, the oldest `limit` of them, in order.
    async fn page(
        &self,
        channel: &MarketChannel,
        after: Position,
        up_to: Position,
        limit: usize,
    ) -> Result<Vec<Told>, HistoryError>;

    /// How many there are; `limit` when there are more.
    async fn count(
        &self,
        channel: &MarketChannel,
        after: Position,
        up_to: Position,
        limit: usize,
    ) -> Result<usize, HistoryError>;

    /// The cursor with which HTTP pages the channel's messages up to and with `up_to`, the newest first; nothing when
    /// it has no such pages.
    fn cursor(&self, channel: &MarketChannel, up_to: Position) -> Option<String>;
}
