//! The read store as the market's sockets catch up from it.

use async_trait::async_trait;
use fillstream_domain::{Position, Seq};
use fillstream_http_api::{orders_cursor, trades_cursor};
use fillstream_projections::market::{BookFeed, Message, TradeExecuted};
use fillstream_read_store::{ReadStore, StoreError, StoredChannel};
use fillstream_stream_bridge::{Body, Books, HistoryError, MarketChannel, MarketHistory, Told};

/// Channels out of the rows.
pub(crate) struct ChannelRows(pub(crate) ReadStore);

fn unreadable(error: StoreError) -> HistoryError {
    HistoryError(fillstream_retry::chain(&error).to_string())
}

/// What the rows hold of a channel; nothing for books, which are told as a whole.
fn stored(channel: &MarketChannel) -> Option<StoredChannel<'_>> {
    match channel {
        MarketChannel::Orders(user, symbol) => Some(StoredChannel::Orders(*user, symbol.as_ref())),
        MarketChannel::Trades(symbol) => Some(StoredChannel::Trades(symbol.as_ref())),
        MarketChannel::Orderbook(_) | MarketChannel::Depth(_) => None,
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
        Ok(Books {
            checkpoint: books.checkpoint.map_or(Seq::ZERO, |checkpoint| checkpoint.seq),
            books: books.markets.iter().map(feed).collect(),
        })
    }

    async fn checkpoint(&self) -> Result<Seq, HistoryError> {
        Ok(self.0.checkpoint().await.map_err(unreadable)?.map_or(Seq::ZERO, |checkpoint| checkpoint.seq))
    }

    async fn last(&self, channel: &MarketChannel, up_to: Position) -> Result<Option<Position>, HistoryError> {
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
        match channel {
            MarketChannel::Orders(user, symbol) => {
                let rows = self
                    .0
                    .user_updates(*user, symbol.as_ref(), after, up_to, limit)
                    .await
                    .map_err(unreadable)?;
                let told = rows.into_iter().map(|row| {
                    let at = Position::new(row.seq, row.index);
                    Told { at, last: row.last, body: Body::Stored(row.message) }
                });
                Ok(told.collect())
            }
            MarketChannel::Trades(symbol) => {
                let rows =
                    self.0.trades_after(symbol.as_ref(), after, up_to, limit).await.map_err(unreadable)?;
                let told = rows.into_iter().map(|row| {
                    let Message { seq, index, last, body, .. } = Message::<TradeExecuted>::from(row);
                    Told { at: Position::new(seq, index), last, body: Body::Trade(body.into()) }
                });
                Ok(told.collect())
            }
            MarketChannel::Orderbook(_) | MarketChannel::Depth(_) => Ok(Vec::new()),
        }
    }

    async fn count(
        &self,
        channel: &MarketChannel,
        after: Position,
        up_to: Position,
        limit: usize,
    ) -> Result<usize, HistoryError> {
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
            MarketChannel::Orders(..) => Some(orders_cursor(up_to.seq.next())),
            MarketChannel::Orderbook(_) | MarketChannel::Depth(_) => None,
        }
    }
}
