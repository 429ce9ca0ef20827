//! Trades of one user's orders, each with the user whose order rested: it is not stored with the trade, but with the order.

use std::collections::HashSet;

use fillstream_domain::book::Symbol;
use fillstream_domain::{OrderId, Position, Seq, UserId};
use fillstream_projections::market::{Message, TradeExecuted, TradeRow};
use sqlx::{AssertSqlSafe, Row};

use crate::error::{StoreError, sql};
use crate::market_read::number;
use crate::market_sql::TRADE;
use crate::read::READING;
use crate::store::ReadStore;

/// Orders that are looked up with one statement: SQLite takes 32,766 parameters, older ones 999.
const AT_ONCE: usize = 500;

impl ReadStore {
    /// Trades of a user's orders, of all markets or of one, newest first: those before the position `before`, at most
    /// `limit` of them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn own_trades(
        &self,
        user: UserId,
        symbol: Option<&Symbol>,
        before: Option<Position>,
        limit: u32,
    ) -> Result<Vec<Message<TradeExecuted>>, StoreError> {
        let before = before.unwrap_or(Position::new(Seq::new(u64::MAX), 0));
        let bounds = "(seq, place) >= ($2, $3) AND (seq, place) < ($4, $5)";
        self.own(user, symbol, bounds, Position::START, before, ("DESC", limit)).await
    }

    /// Trades of a user's orders, of all markets or of one, from the sequence `from` on, up to and with `up_to`: the
    /// first `limit`, in order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn own_trades_between(
        &self,
        user: UserId,
        symbol: Option<&Symbol>,
        from: Seq,
        up_to: Seq,
        limit: u32,
    ) -> Result<Vec<Message<TradeExecuted>>, StoreError> {
        let bounds = "(seq, place) >= ($2, $3) AND (seq, place) <= ($4, $5)";
        let (from, up_to) = (Position::new(from, 0), Position::after_all_of(up_to));
        self.own(user, symbol, bounds, from, up_to, ("ASC", limit)).await
    }

    async fn own(
        &self,
        user: UserId,
        symbol: Option<&Symbol>,
        bounds: &str,
        from: Position,
        to: Position,
        (order, limit): (&str, u32),
    ) -> Result<Vec<Message<TradeExecuted>>, StoreError> {
        let of_market = if symbol.is_some() { "AND symbol = $7" } else { "" };
        let order = format!("ORDER BY seq {order}, place {order} LIMIT $6");
        // Each side by its own index; a trade with oneself is found by both, and is one.
        let side = |column: &str| {
            format!(
                "SELECT * FROM (SELECT * FROM trades WHERE {column} = $1 AND {bounds} {of_market} {order}) AS {column}_own"
            )
        };
        let text = format!("{} UNION {} {order}", side("buyer_id"), side("seller_id"));
        let mut query = sqlx::query(AssertSqlSafe(text)).bind(user.to_string());
        for at in [from, to] {
            query = query.bind(number(at.seq)).bind(i64::from(at.index));
        }
        query = query.bind(i64::from(limit));
        if let Some(symbol) = symbol {
            query = query.bind(symbol.to_string());
        }
        let rows: Vec<TradeRow> = self.rows(query, TRADE).await?;
        let resting = self.own_among(user, rows.iter().map(|row| row.maker_order_id)).await?;
        Ok(rows.into_iter().map(|row| with_maker(row, user, &resting)).collect())
    }

    /// Those of the orders that are the user's.
    async fn own_among(
        &self,
        user: UserId,
        orders: impl Iterator<Item = OrderId>,
    ) -> Result<HashSet<String>, StoreError> {
        let orders: Vec<String> = orders.map(|order| order.to_string()).collect();
        let mut own = HashSet::new();
        for orders in orders.chunks(AT_ONCE) {
            let places: Vec<_> = (1..=orders.len()).map(|place| format!("${place}")).collect();
            // Without the user among the conditions: by that index all orders of the user would be looked through.
            let text = format!(
                "SELECT order_id, user_id FROM book_orders WHERE order_id IN ({})",
                places.join(", ")
            );
            let mut query = sqlx::query(AssertSqlSafe(text));
            for order in orders {
                query = query.bind(order.clone());
            }
            let rows =
                self.read(async { query.fetch_all(&mut *self.reader().await?).await.map_err(sql(READING)) });
            for row in rows.await? {
                let owner: String = row.try_get(1).map_err(sql(READING))?;
                if owner == user.to_string() {
                    own.insert(row.try_get(0).map_err(sql(READING))?);
                }
            }
        }
        Ok(own)
    }
}

fn with_maker(row: TradeRow, user: UserId, resting: &HashSet<String>) -> Message<TradeExecuted> {
    let other = if row.buyer_id == user { row.seller_id } else { row.buyer_id };
    let maker = if resting.contains(&row.maker_order_id.to_string()) { user } else { other };
    Message::<TradeExecuted>::from(row).map(|trade| TradeExecuted { maker_id: Some(maker), ..trade })
}
