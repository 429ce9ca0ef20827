//! Rows out of the live generation.

use fillstream_domain::{OrderId, Seq};
use fillstream_projections::market::{
    BookOrderRow, DefinitionRow, LevelRow, MarketRow, TradeRow, UserUpdateRow,
};
use fillstream_projections::rows::{EventRow, OrderRow};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, Connection, Row, Transaction};

use crate::connect::Database;
use crate::error::{StoreError, sql};
use crate::market_read;
use crate::market_sql::{BOOK_ORDER, DEFINITION, TRADE, USER_UPDATE};
use crate::sql::{Columns, EVENT, Kind, ORDER};
use crate::store::{Checkpoint, ReadStore, read_checkpoint};

pub(crate) const READING: &str = "read the read model";

/// All that the read model holds, at one moment, in canonical order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dump {
    /// Checkpoint of the model; nothing before the first event.
    pub checkpoint: Option<Checkpoint>,
    /// By id.
    pub orders: Vec<OrderRow>,
    /// By order, then sequence.
    pub events: Vec<EventRow>,
    /// By id.
    pub book_orders: Vec<BookOrderRow>,
    /// By user, then position.
    pub user_updates: Vec<UserUpdateRow>,
    /// By position.
    pub trades: Vec<TradeRow>,
    /// By sequence.
    pub definitions: Vec<DefinitionRow>,
    /// By symbol, each with its levels, bids then asks, best first.
    pub markets: Vec<(MarketRow, Vec<LevelRow>)>,
}

impl ReadStore {
    /// The order's row; nothing when it is not in the read model (yet).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn swap_order(&self, order: OrderId) -> Result<Option<OrderRow>, StoreError> {
        let query = sqlx::query("SELECT * FROM swap_orders WHERE order_id = $1").bind(order.to_string());
        Ok(self.rows(query, ORDER).await?.pop())
    }

    /// The order's events, sequence and payload, in order: all that a GET of it needs.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn swap_events(&self, order: OrderId) -> Result<Vec<(Seq, String)>, StoreError> {
        let query = sqlx::query("SELECT * FROM swap_order_events WHERE order_id = $1 ORDER BY seq");
        let events: Vec<EventRow> = self.rows(query.bind(order.to_string()), EVENT).await?;
        Ok(events.into_iter().map(|event| (event.seq, event.event)).collect())
    }

    /// Everything, as of one moment. All of it is held in memory: for tests and comparisons.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn dump(&self) -> Result<Dump, StoreError> {
        const ORDERS: &str = "SELECT * FROM swap_orders ORDER BY order_id";
        const EVENTS: &str = "SELECT * FROM swap_order_events ORDER BY order_id, seq";
        const BOOK_ORDERS: &str = "SELECT * FROM book_orders ORDER BY order_id";
        const USER_UPDATES: &str = "SELECT * FROM user_updates ORDER BY user_id, seq, place";
        const TRADES: &str = "SELECT * FROM trades ORDER BY seq, place";
        const DEFINITIONS: &str = "SELECT * FROM definitions ORDER BY seq";
        self.write(READING, async {
            let mut connection = self.connection().await?;
            let mut tx = self.snapshot(&mut connection).await?;
            let dump = Dump {
                checkpoint: read_checkpoint(&mut tx).await?,
                orders: all(&mut tx, sqlx::query(ORDERS), ORDER).await?,
                events: all(&mut tx, sqlx::query(EVENTS), EVENT).await?,
                book_orders: all(&mut tx, sqlx::query(BOOK_ORDERS), BOOK_ORDER).await?,
                user_updates: all(&mut tx, sqlx::query(USER_UPDATES), USER_UPDATE).await?,
                trades: all(&mut tx, sqlx::query(TRADES), TRADE).await?,
                definitions: all(&mut tx, sqlx::query(DEFINITIONS), DEFINITION).await?,
                markets: market_read::books(&mut tx).await?,
            };
            tx.rollback().await.map_err(sql(READING))?;
            connection.close().await.ok();
            Ok(dump)
        })
        .await
    }

    /// All rows of a query, on a connection for reading.
    pub(crate) async fn rows<T: DeserializeOwned>(
        &self,
        query: Query<'_, Any, AnyArguments>,
        columns: &Columns,
    ) -> Result<Vec<T>, StoreError> {
        self.read(async { all(&mut *self.reader().await?, query, columns).await }).await
    }

    /// A transaction that sees one moment, whatever is written meanwhile.
    pub(crate) async fn snapshot<'a>(
        &self,
        connection: &'a mut AnyConnection,
    ) -> Result<Transaction<'a, Any>, StoreError> {
        let begin = match self.database() {
            Database::Sqlite(_) => "BEGIN",
            Database::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        };
        connection.begin_with(begin).await.map_err(sql(READING))
    }
}

/// All rows of a query.
pub(crate) async fn all<T: DeserializeOwned>(
    connection: &mut AnyConnection,
    query: Query<'_, Any, AnyArguments>,
    columns: &Columns,
) -> Result<Vec<T>, StoreError> {
    let rows = query.fetch_all(connection).await.map_err(sql(READING))?;
    rows.iter().map(|row| decode(columns, row)).collect()
}

/// The row through the JSON that it was written from.
pub(crate) fn decode<T: DeserializeOwned>(columns: &Columns, row: &AnyRow) -> Result<T, StoreError> {
    let value = |(name, kind): &(&str, Kind)| match kind {
        Kind::Text => row.try_get::<Option<String>, _>(*name).map(Value::from),
        Kind::Integer => row.try_get::<Option<i64>, _>(*name).map(Value::from),
    };
    let fields = columns.iter().map(|column| Ok((column.0.to_owned(), value(column)?)));
    let fields = fields.collect::<Result<Map<_, _>, _>>().map_err(sql(READING))?;
    serde_json::from_value(Value::Object(fields)).map_err(StoreError::Unreadable)
}
