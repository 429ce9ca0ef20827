//! Rows out of the live generation.

use fillstream_domain::OrderId;
use fillstream_projections::rows::{EventRow, OrderRow};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sqlx::any::AnyRow;
use sqlx::{Connection, Row};

use crate::connect::Database;
use crate::error::{StoreError, sql};
use crate::sql::{Columns, EVENT, Kind, ORDER};
use crate::store::{Checkpoint, ReadStore, read_checkpoint};

const READING: &str = "read the read model";

/// All that the read model holds, at one moment, in canonical order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dump {
    /// How far it goes; nothing before the first event.
    pub checkpoint: Option<Checkpoint>,
    /// By id.
    pub orders: Vec<OrderRow>,
    /// By order, then sequence.
    pub events: Vec<EventRow>,
}

impl ReadStore {
    /// The order's row; nothing when it is not in the read model (yet).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn swap_order(&self, order: OrderId) -> Result<Option<OrderRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM swap_orders WHERE order_id = $1")
            .bind(order.to_string())
            .fetch_optional(self.pool())
            .await
            .map_err(sql(READING))?;
        row.map(|row| decode(ORDER, &row)).transpose()
    }

    /// The order's events, sequence and payload, in order: all that a GET of it needs.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn swap_events(&self, order: OrderId) -> Result<Vec<(u64, String)>, StoreError> {
        let rows = sqlx::query("SELECT * FROM swap_order_events WHERE order_id = $1 ORDER BY seq")
            .bind(order.to_string())
            .fetch_all(self.pool())
            .await
            .map_err(sql(READING))?;
        let events = rows.iter().map(|row| decode::<EventRow>(EVENT, row));
        events.map(|event| event.map(|event| (event.seq, event.event))).collect()
    }

    /// Everything, as of one moment. All of it is held in memory: for tests and comparisons.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn dump(&self) -> Result<Dump, StoreError> {
        let mut connection = self.pool().acquire().await.map_err(sql(READING))?;
        let snapshot = match self.database() {
            Database::Sqlite(_) => "BEGIN",
            Database::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        };
        let mut tx = connection.begin_with(snapshot).await.map_err(sql(READING))?;
        let checkpoint = read_checkpoint(&mut tx).await?;
        let orders = sqlx::query("SELECT * FROM swap_orders ORDER BY order_id");
        let orders = orders.fetch_all(&mut *tx).await.map_err(sql(READING))?;
        let events = sqlx::query("SELECT * FROM swap_order_events ORDER BY order_id, seq");
        let events = events.fetch_all(&mut *tx).await.map_err(sql(READING))?;
        tx.rollback().await.map_err(sql(READING))?;
        let orders = orders.iter().map(|row| decode(ORDER, row)).collect::<Result<_, _>>()?;
        let events = events.iter().map(|row| decode(EVENT, row)).collect::<Result<_, _>>()?;
        Ok(Dump { checkpoint, orders, events })
    }
}

/// The row through the JSON that it was written from.
fn decode<T: DeserializeOwned>(columns: &Columns, row: &AnyRow) -> Result<T, StoreError> {
    let value = |(name, kind): &(&str, Kind)| match kind {
        Kind::Text => row.try_get::<Option<String>, _>(*name).map(Value::from),
        Kind::Integer => row.try_get::<Option<i64>, _>(*name).map(Value::from),
    };
    let fields = columns.iter().map(|column| Ok((column.0.to_owned(), value(column)?)));
    let fields = fields.collect::<Result<Map<_, _>, _>>().map_err(sql(READING))?;
    serde_json::from_value(Value::Object(fields)).map_err(StoreError::Unreadable)
}
