//! All rows, for whoever compares them with a stream that may have lost some. Page by page, in the order of the primary
//! keys: each page costs what it returns, however large the tables are.

use fillstream_domain::{OrderId, Seq};
use fillstream_projections::market::BookOrderRow;
use fillstream_projections::rows::EventRow;
use sqlx::Row;

use crate::error::{StoreError, sql};
use crate::market_read::number;
use crate::market_sql::BOOK_ORDER;
use crate::read::READING;
use crate::sql::EVENT;
use crate::store::ReadStore;

impl ReadStore {
    /// The newest record at or before `up_to` that rows were made of, with the tag of its id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn newest_record(&self, up_to: Seq) -> Result<Option<(Seq, u64)>, StoreError> {
        const NEWEST: &str = "SELECT seq, tag FROM records WHERE seq <= $1 ORDER BY seq DESC LIMIT 1";
        let Some(row) = self.row(sqlx::query(NEWEST).bind(number(up_to))).await? else {
            return Ok(None);
        };
        let (seq, tag): (i64, i64) =
            row.try_get(0).and_then(|seq| Ok((seq, row.try_get(1)?))).map_err(sql(READING))?;
        Ok(Some((Seq::new(seq.cast_unsigned()), tag.cast_unsigned())))
    }

    /// Events of swap orders, by order and sequence, those after `after`: the first `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn swap_events_page(
        &self,
        after: Option<(OrderId, Seq)>,
        limit: u32,
    ) -> Result<Vec<EventRow>, StoreError> {
        const EVENTS: &str = "SELECT * FROM swap_order_events WHERE (order_id, seq) > ($1, $2) \
                              ORDER BY order_id, seq LIMIT $3";
        let order = after.map_or_else(String::new, |(order, _)| order.to_string());
        let seq = after.map_or(0, |(_, seq)| number(seq));
        self.rows(sqlx::query(EVENTS).bind(order).bind(seq).bind(i64::from(limit)), EVENT).await
    }

    /// Book orders, by id, those after `after`: the first `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn book_orders_page(
        &self,
        after: Option<OrderId>,
        limit: u32,
    ) -> Result<Vec<BookOrderRow>, StoreError> {
        const ORDERS: &str = "SELECT * FROM book_orders WHERE order_id > $1 ORDER BY order_id LIMIT $2";
        let order = after.map_or_else(String::new, |order| order.to_string());
        self.rows(sqlx::query(ORDERS).bind(order).bind(i64::from(limit)), BOOK_ORDER).await
    }
}
