//! The read store as the market's sockets catch up from it.

use async_trait::async_trait;
use fillstream_domain::{Position, UserId, book::Symbol};
use fillstream_http_api::{orders_cursor, trades_cursor};
use fillstream_projections::market::{BookFeed, Message, Parties, TradeExecuted};
use fillstream_read_store::{Checkpoint, ReadStore, StoreError, StoredChannel};
use fillstream_stream_bridge::{
    Body, Books, HistoryError, MarketChannel, MarketHistory, Stored, Told, own_fills,
};

/// Channels out of the rows, and what public trades tell of who traded.
pub(crate) struct ChannelRows(pub(crate) ReadStore, pub(crate) Parties);

fn unreadable(error: StoreError) -> HistoryError {
    HistoryError::unreachable(error)
}

const fn up_to(checkpoint: Checkpoint) -> Stored {
    let Checkpoint { incarnation, seq, record } = checkpoint;
    Stored { incarnation, seq, record }
}

/// Rows of a channel; nothing for books, which are told as a whole.
fn stored(channel: &MarketChannel) -> Option<StoredChannel<'_>> {
    match channel {
        MarketChannel::Orders(user, symbol) => Some(StoredChannel::Orders(*user, symbol.as_ref())),
        MarketChannel::Trades(symbol) => Some(StoredChannel::Trades(symbol.as_ref())),
        // Numbered anew for each user: see `fills`.
        MarketChannel::Fills(..) => None,
        MarketChannel::Orderbook(_) | MarketChannel::Depth(_) => None,
    }
}

impl ChannelRows {
    /// A user's fills behind `after` up to and with `up_to`, the oldest `limit` of them.
    async fn fills(
        &self,
        (user, symbol): (UserId, Option<&Symbol>),
        after: Position,
        up_to: Position,
        limit: usize,
    ) -> Result<Vec<Told>, HistoryError> {
        // Numbers begin with each part, so that the part at `after` is read from its begin.
        let (from, seen) = match after.index {
            u32::MAX => (after.seq.next(), 0),
            index => (after.seq, index.saturating_add(1)),
        };
        // One more, which tells whether the one before it is its part's last.
        let wanted = u32::try_from(limit).unwrap_or(u32::MAX).saturating_add(seen).saturating_add(1);
        let trades =
            self.0.own_trades_between(user, symbol, from, up_to.seq, wanted).await.map_err(unreadable)?;
        let mut told = own_fills(user, &trades);
        if told.len() >= usize::try_from(wanted).unwrap_or(usize::MAX) {
            told.pop();
        }
        told.retain(|one| after < one.at && one.at <= up_to);
        told.truncate(limit);
        Ok(told)
    }

    /// The position of a user's last fill at or before `up_to`.
    async fn last_fill(
        &self,
        (user, symbol): (UserId, Option<&Symbol>),
        up_to: Position,
    ) -> Result<Option<Position>, HistoryError> {
        let behind = Position::new(up_to.seq.next(), 0);
        let newest = self.0.own_trades(user, symbol, Some(behind), 1).await.map_err(unreadable)?;
        let Some(newest) = newest.first() else { return Ok(None) };
        let part = self.0.own_trades_between(user, symbol, newest.seq, newest.seq, u32::MAX).await;
        let told = own_fills(user, &part.map_err(unreadable)?);
        Ok(told.iter().map(|one| one.at).rfind(|at| *at <= up_to))
    }
}

#[async_trait]
impl MarketHistory for ChannelRows {
    async fn books(&self) -> Result<Books, HistoryError> {
        let books = self.0.books().await.map_err(unreadable)?;
        let feed = |(market, levels): &(_, Vec<_>)| {
            let feed = BookFeed::restore(market, levels);
            (market.symbol.clone(), feed)
        };
        Ok(Books { checkpoint: books.checkpoint.map(up_to), books: books.markets.iter().map(feed).collect() })
    }

    async fn checkpoint(&self) -> Result<Option<Stored>, HistoryError> {
        Ok(self.0.checkpoint().await.map_err(unreadable)?.map(up_to))
    }

    async fn last(&self, channel: &MarketChannel, up_to: Position) -> Result<Option<Position>, HistoryError> {
        if let MarketChannel::Fills(user, symbol) = channel {
            return self.last_fill((*user, symbol.as_ref()), up_to).await;
        }
        let Some(of) = stored(channel) else { return Ok(None) };
        self.0.channel_last(of, up_to).await.map_err(unreadable)
    }

    async fn page(
        &self,
        channel: &MarketChannel,
        after: Position,
        up_to: Position,
        limit: usize,
    ) -> Result<Vec<Told>, HistoryError> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let mut told: Vec<Told> = match channel {
            MarketChannel::Fills(user, symbol) => {
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                self.fills((*user, symbol.as_ref()), after, up_to, limit).await?
            }
            MarketChannel::Orders(user, symbol) => {
                let rows = self
                    .0
                    .user_updates(*user, symbol.as_ref(), after, up_to, limit)
                    .await
                    .map_err(unreadable)?;
                let told = rows.into_iter().map(|row| {
                    let at = Position::new(row.seq, row.index);
                    Told { at, last: row.last, tag: None, body: Body::Stored(row.message) }
                });
                told.collect()
            }
            MarketChannel::Trades(symbol) => {
                let rows =
                    self.0.trades_after(symbol.as_ref(), after, up_to, limit).await.map_err(unreadable)?;
                let told = rows.into_iter().map(|row| {
                    let Message { seq, index, last, body, .. } = Message::<TradeExecuted>::from(row);
                    Told {
                        at: Position::new(seq, index),
                        last,
                        tag: None,
                        body: Body::Trade(body.shown(self.1).into()),
                    }
                });
                told.collect()
            }
            MarketChannel::Orderbook(_) | MarketChannel::Depth(_) => Vec::new(),
        };
        // So that tokens of these messages prove themselves.
        let tags = self.0.record_tags(told.iter().map(|told| told.at.seq)).await.map_err(unreadable)?;
        told.iter_mut().for_each(|told| told.tag = tags.get(&told.at.seq).copied());
        Ok(told)
    }

    async fn count(
        &self,
        channel: &MarketChannel,
        after: Position,
        up_to: Position,
        limit: usize,
    ) -> Result<usize, HistoryError> {
        if let MarketChannel::Fills(user, symbol) = channel {
            return Ok(self.fills((*user, symbol.as_ref()), after, up_to, limit).await?.len());
        }
        let Some(of) = stored(channel) else { return Ok(0) };
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let count = self.0.channel_count(of, after, up_to, limit).await.map_err(unreadable)?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    fn cursor(&self, channel: &MarketChannel, up_to: Position) -> Option<String> {
        match channel {
            // A page ends before its cursor. That of trades serves every market's list.
            MarketChannel::Trades(_) => {
                Some(trades_cursor(Position::new(up_to.seq, up_to.index.saturating_add(1))))
            }
            MarketChannel::Fills(..) => Some(trades_cursor(Position::new(up_to.seq.next(), 0))),
            MarketChannel::Orders(..) => Some(orders_cursor(up_to.seq.next())),
            MarketChannel::Orderbook(_) | MarketChannel::Depth(_) => None,
        }
    }
}
