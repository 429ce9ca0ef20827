//! The port to what is stored of the markets: where their channels begin, and what a channel does not keep.

use std::{error::Error, sync::Arc};

use async_trait::async_trait;
use fillstream_domain::book::Symbol;
use fillstream_domain::{Incarnation, Position, RecordId, RecordRef, Seq};
use fillstream_event_log::After as Begin;
use fillstream_projections::market::BookFeed;

use crate::market::{channel::MarketChannel, ring::Told};

/// What was stored cannot be read at the moment.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HistoryError {
    /// The read store does not answer.
    #[error("the read store does not answer")]
    Unreachable(#[source] Arc<dyn Error + Send + Sync>),
    /// Its rows are of another stream; whoever keeps them rebuilds them.
    #[error("the rows are of another stream")]
    OtherStream,
}

impl HistoryError {
    /// The read store does not answer, because of `cause`.
    pub fn unreachable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unreachable(Arc::from(cause.into()))
    }
}

/// Checkpoint of the read store, and what the record there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// The stream that its rows are of.
    pub incarnation: Incarnation,
    /// Everything up to this sequence is in the rows, nothing behind it.
    pub seq: Seq,
    /// The record at `seq`; nothing where an older version has not noted it.
    pub record: Option<RecordId>,
}

impl Stored {
    /// Beginning of a tail that goes on behind the rows.
    pub(crate) fn begin(&self) -> Begin {
        match self.record {
            Some(id) => Begin::Record(RecordRef { seq: self.seq, id }),
            None => Begin::Seq(self.seq),
        }
    }
}

/// All books as they stand at one checkpoint of the read store.
#[derive(Debug, Default)]
pub struct Books {
    /// The moment; nothing before the first record.
    pub checkpoint: Option<Stored>,
    /// One for each market that is known.
    pub books: Vec<(Symbol, BookFeed)>,
}

/// Messages that the projections have stored. `Orders` and `Trades` channels are asked for, books only as a whole.
#[async_trait]
pub trait MarketHistory: Send + Sync + 'static {
    /// All books, and up to where they are told.
    ///
    /// # Errors
    /// When the store cannot be asked; so with the others.
    async fn books(&self) -> Result<Books, HistoryError>;

    /// Up to where everything is stored; nothing before the first record.
    async fn checkpoint(&self) -> Result<Option<Stored>, HistoryError>;

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

    /// Number of messages; `limit` when there are more.
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
