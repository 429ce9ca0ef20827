//! The statements. Each takes any number of rows as one JSON array, so that its text is fixed, the server keeps it
//! prepared, and no limit on parameters is near. The databases differ only in how the array becomes rows.

use std::sync::LazyLock;

use fillstream_domain::book::Side;

use crate::connect::Database;
use crate::market_sql::MarketStatements;

/// Forms in which values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// TEXT
    Text,
    /// 64 bits, signed.
    Integer,
}

/// Name and kind; the names are the fields' of the rows' types.
pub(crate) type Columns = [(&'static str, Kind)];

use Kind::{Integer, Text};

/// `OrderRow`
pub(crate) const ORDER: &Columns = &[
    ("order_id", Text),
    ("user_id", Text),
    ("client_order_id", Text),
    ("token_in", Text),
    ("token_out", Text),
    ("amount_in", Text),
    ("slippage", Text),
    ("max_attempts", Integer),
    ("fingerprint", Text),
    ("status", Text),
    ("attempt", Integer),
    ("created_at", Text),
    ("updated_at", Text),
    ("raydium_quote", Text),
    ("meteora_quote", Text),
    ("selected_dex", Text),
    ("tx_id", Text),
    ("executed_price", Text),
    ("amount_out", Text),
    ("dex_used", Text),
    ("failure_reason", Text),
    ("needs_review", Integer),
    ("placed_seq", Integer),
    ("last_seq", Integer),
];
/// `OrderPatch`
const PATCH: &Columns = &[
    ("order_id", Text),
    ("status", Text),
    ("attempt", Integer),
    ("updated_at", Text),
    ("last_seq", Integer),
    ("needs_review", Integer),
    ("raydium_quote", Text),
    ("meteora_quote", Text),
    ("selected_dex", Text),
    ("tx_id", Text),
    ("executed_price", Text),
    ("amount_out", Text),
    ("dex_used", Text),
    ("failure_reason", Text),
];
/// `EventRow`
pub(crate) const EVENT: &Columns = &[("order_id", Text), ("seq", Integer), ("type", Text), ("event", Text)];

/// `seq`, and 64 bits of the id of the record there.
const RECORD: &Columns = &[("seq", Integer), ("tag", Integer)];
const RECORD_AT: &Columns = &[("seq", Integer)];

/// The statements that write orders' rows: `$1` the JSON array, `$2` the generation.
#[derive(Debug)]
pub(crate) struct OrderStatements {
    /// An order that is there already stays as it is.
    pub(crate) insert: String,
    /// A change that is in the row already is not made again.
    pub(crate) update: String,
    /// Ids of the orders that have no row, or one of another placed event.
    pub(crate) find_strays: String,
}

/// All statements that write rows: `$1` the JSON array, `$2` the generation.
#[derive(Debug)]
pub(crate) struct Statements {
    /// Swap orders.
    pub(crate) swaps: OrderStatements,
    /// A sequence never holds another event: what is there already is the same.
    pub(crate) insert_events: String,
    /// Of which records the rows are.
    pub(crate) insert_records: String,
    /// Sequence and tag of the records at the sequences of the array alone, `$1`.
    pub(crate) find_tags: String,
    /// Book orders and markets.
    pub(crate) market: MarketStatements,
}

static SQLITE: LazyLock<Statements> = LazyLock::new(|| Statements::new(jsonb_each, "instr"));
static POSTGRES: LazyLock<Statements> = LazyLock::new(|| Statements::new(recordset, "strpos"));

/// Selects columns out of the JSON array.
pub(crate) type Rows = fn(&Columns) -> String;

impl Statements {
    pub(crate) fn of(database: &Database) -> &'static Self {
        match database {
            Database::Sqlite(_) => &SQLITE,
            Database::Postgres => &POSTGRES,
        }
    }

    /// The best levels of a side: symbol `$1`, at most `$2`.
    pub(crate) fn best_levels(&self, side: Side) -> &str {
        match side {
            Side::Buy => &self.market.best_bids,
            Side::Sell => &self.market.best_asks,
        }
    }

    /// `rows` selects columns out of the JSON array, `find` is the function that finds a text in a text.
    fn new(rows: Rows, find: &str) -> Self {
        let later = "o.last_seq < v.last_seq";
        Self {
            swaps: OrderStatements::new(rows, "swap_order_rows", ORDER, PATCH, later),
            insert_events: insert("swap_order_event_rows", EVENT, &rows(EVENT)),
            insert_records: insert("record_rows", RECORD, &rows(RECORD)),
            find_tags: format!("SELECT seq, tag FROM records WHERE seq IN ({})", rows(RECORD_AT)),
            market: MarketStatements::new(rows, find),
        }
    }
}

impl OrderStatements {
    /// `later`: whether the change `v` is one to be made in the row `o`.
    pub(crate) fn new(rows: Rows, table: &str, order: &Columns, patch: &Columns, later: &str) -> Self {
        let stray: &Columns = &[("order_id", Text), ("placed_seq", Integer)];
        Self {
            insert: insert(table, order, &rows(order)),
            // Materialized: SQLite would go through all rows of the table and through the array for each.
            update: format!(
                "WITH v AS MATERIALIZED ({}) UPDATE {table} AS o SET {} FROM v \
                 WHERE o.generation = $2 AND o.order_id = v.order_id AND {later}",
                rows(patch),
                list(patch, |(name, _)| format!("{name} = COALESCE(v.{name}, o.{name})")),
            ),
            find_strays: format!(
                "WITH v AS MATERIALIZED ({}) SELECT v.order_id FROM v \
                 LEFT JOIN {table} AS o ON o.generation = $2 AND o.order_id = v.order_id \
                 WHERE o.order_id IS NULL OR o.placed_seq <> v.placed_seq",
                rows(stray),
            ),
        }
    }
}

/// Rows that are there already stay as they are.
pub(crate) fn insert(table: &str, columns: &Columns, rows: &str) -> String {
    let names = names(columns);
    // `WHERE true` keeps SQLite from reading ON as a join's.
    format!(
        "WITH v AS ({rows}) INSERT INTO {table} (generation, {names}) SELECT $2, {names} FROM v WHERE true \
         ON CONFLICT DO NOTHING"
    )
}

/// SQLite; the binary form spares a second parse of each row: 197,000 events a second instead of 125,000.
fn jsonb_each(columns: &Columns) -> String {
    format!("SELECT {} FROM jsonb_each($1)", list(columns, |(name, _)| format!("value->>'{name}' AS {name}")))
}

/// PostgreSQL
fn recordset(columns: &Columns) -> String {
    let typed = list(columns, |(name, kind)| match kind {
        Text => format!("{name} TEXT"),
        Integer => format!("{name} BIGINT"),
    });
    format!("SELECT * FROM jsonb_to_recordset($1::jsonb) AS row({typed})")
}

pub(crate) fn names(columns: &Columns) -> String {
    list(columns, |(name, _)| (*name).to_owned())
}

pub(crate) fn list(columns: &Columns, show: impl Fn(&(&'static str, Kind)) -> String) -> String {
    columns.iter().map(show).collect::<Vec<_>>().join(", ")
}
