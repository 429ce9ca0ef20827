//! Rows of the market's side out of the live generation.

use std::cmp::Reverse;

use fillstream_domain::book::{BookStatus, Side, Symbol};
use fillstream_domain::{OrderId, Position, Seq, UserId};
use fillstream_projections::market::{BookOrderRow, LevelRow, MarketRow, OpenCount, TradeRow};
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Row};

use crate::error::{StoreError, sql};
use crate::market_sql::{BOOK_ORDER, LEVEL, MARKET, TRADE};
use crate::read::{READING, all};
use crate::store::{Checkpoint, ReadStore, read_checkpoint};

/// All markets with their books, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Books {
    /// The moment; nothing before the first event.
    pub checkpoint: Option<Checkpoint>,
    /// By symbol, each with its levels, bids then asks, best first.
    pub markets: Vec<(MarketRow, Vec<LevelRow>)>,
}

impl ReadStore {
    /// The order's row; nothing when it is not in the read model (yet).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn book_order(&self, order: OrderId) -> Result<Option<BookOrderRow>, StoreError> {
        let query = sqlx::query("SELECT * FROM book_orders WHERE order_id = $1").bind(order.to_string());
        Ok(self.rows(query, BOOK_ORDER).await?.pop())
    }

    /// A user's orders, newest first: those placed before the sequence `before`, at most `limit` of them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn book_orders(
        &self,
        user: UserId,
        symbol: Option<&Symbol>,
        status: Option<BookStatus>,
        before: Option<Seq>,
        limit: u32,
    ) -> Result<Vec<BookOrderRow>, StoreError> {
        let mut text = "SELECT * FROM book_orders WHERE user_id = $1 AND placed_seq < $2".to_owned();
        if let Some(status) = status {
            // Not a parameter: the index of open orders serves this word only.
            text += &format!(" AND status = '{status}'");
        }
        if symbol.is_some() {
            text += " AND symbol = $4";
        }
        text += " ORDER BY placed_seq DESC LIMIT $3";
        let query = sqlx::query(AssertSqlSafe(text))
            .bind(user.to_string())
            .bind(before.map_or(i64::MAX, number))
            .bind(i64::from(limit));
        let query = match symbol {
            Some(symbol) => query.bind(symbol.to_string()),
            None => query,
        };
        self.rows(query, BOOK_ORDER).await
    }

    /// A user's open orders in a market, `most` of them at most, those placed first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn open_orders(
        &self,
        user: UserId,
        symbol: &Symbol,
        most: u32,
    ) -> Result<OpenCount, StoreError> {
        // Until a commit tells of it, the last record of an order is the one that placed it.
        const OPEN: &str = "SELECT COUNT(CASE WHEN last_seq > placed_seq THEN 1 END), COUNT(*) FROM ( \
                              SELECT placed_seq, last_seq FROM book_orders \
                              WHERE user_id = $1 AND symbol = $2 AND status = 'OPEN' ORDER BY placed_seq LIMIT $3 \
                            ) AS open_orders";
        let query = sqlx::query(OPEN).bind(user.to_string()).bind(symbol.to_string()).bind(i64::from(most));
        let Some(row) = self.row(query).await? else { return Ok(OpenCount::default()) };
        let count = |column: usize| {
            let count: i64 = row.try_get(column).map_err(sql(READING))?;
            Ok::<_, StoreError>(u32::try_from(count).unwrap_or(u32::MAX))
        };
        Ok(OpenCount { in_book: count(0)?, all: count(1)? })
    }

    /// A market's trades, newest first: those before the position `before`, at most `limit` of them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn trades(
        &self,
        symbol: &Symbol,
        before: Option<Position>,
        limit: u32,
    ) -> Result<Vec<TradeRow>, StoreError> {
        const NEWEST: &str = "SELECT * FROM trades WHERE symbol = $1 AND (seq, place) < ($2, $3) \
                              ORDER BY seq DESC, place DESC LIMIT $4";
        let (seq, place) =
            before.map_or((i64::MAX, 0), |before| (number(before.seq), i64::from(before.index)));
        let query = sqlx::query(NEWEST).bind(symbol.to_string()).bind(seq).bind(place);
        self.rows(query.bind(i64::from(limit)), TRADE).await
    }

    /// All markets that a matcher has committed to, by symbol.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn markets(&self) -> Result<Vec<MarketRow>, StoreError> {
        self.rows(sqlx::query("SELECT * FROM markets ORDER BY symbol"), MARKET).await
    }

    /// A market with its best levels, at most `levels` of each side, bids then asks, best first, as of one moment; nothing
    /// when no matcher has committed to it (yet). Costs what it returns, however many levels there are.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn book(
        &self,
        symbol: &Symbol,
        levels: usize,
    ) -> Result<Option<(MarketRow, Vec<LevelRow>)>, StoreError> {
        const ONE: &str = "SELECT * FROM markets WHERE symbol = $1";
        self.read(async {
            let mut connection = self.reader().await?;
            let mut tx = self.snapshot(&mut connection).await?;
            let mut found: Vec<MarketRow> =
                all(&mut tx, sqlx::query(ONE).bind(symbol.as_str()), MARKET).await?;
            let mut best = Vec::new();
            if !found.is_empty() {
                for side in [Side::Buy, Side::Sell] {
                    let query = sqlx::query(self.statements().best_levels(side)).bind(symbol.as_str());
                    let query = query.bind(i64::try_from(levels).unwrap_or(i64::MAX));
                    best.extend(all::<LevelRow>(&mut tx, query, LEVEL).await?);
                }
            }
            tx.rollback().await.map_err(sql(READING))?;
            Ok(found.pop().map(|market| (market, best)))
        })
        .await
    }

    /// All markets with their books and the checkpoint, as of one moment.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn books(&self) -> Result<Books, StoreError> {
        self.write(READING, async {
            // All levels may take longer than a reader's statement may.
            let mut connection = self.connection().await?;
            let mut tx = self.snapshot(&mut connection).await?;
            let checkpoint = read_checkpoint(&mut tx).await?;
            let markets = books(&mut tx).await?;
            tx.rollback().await.map_err(sql(READING))?;
            connection.close().await.ok();
            Ok(Books { checkpoint, markets })
        })
        .await
    }
}

/// By symbol, each with its levels, bids then asks, best first.
pub(crate) async fn books(
    connection: &mut AnyConnection,
) -> Result<Vec<(MarketRow, Vec<LevelRow>)>, StoreError> {
    let markets = sqlx::query("SELECT * FROM markets ORDER BY symbol");
    let markets: Vec<MarketRow> = all(connection, markets, MARKET).await?;
    let mut levels: Vec<LevelRow> = all(connection, sqlx::query("SELECT * FROM levels"), LEVEL).await?;
    // Prices are texts in the database, whose order is not that of numbers.
    levels.sort_by(|a, b| a.symbol.cmp(&b.symbol).then_with(|| best_first(a).cmp(&best_first(b))));
    let mut levels = levels.into_iter().peekable();
    let with_levels = markets.into_iter().map(|market| {
        let own = std::iter::from_fn(|| levels.next_if(|level| level.symbol == market.symbol)).collect();
        (market, own)
    });
    Ok(with_levels.collect())
}

fn best_first(level: &LevelRow) -> impl Ord {
    match level.side {
        Side::Buy => (level.side, Some(Reverse(level.price)), None),
        Side::Sell => (level.side, None, Some(level.price)),
    }
}

/// A sequence as the databases count.
pub(crate) fn number(seq: Seq) -> i64 {
    i64::try_from(seq.get()).unwrap_or(i64::MAX)
}
