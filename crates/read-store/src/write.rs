//! A batch into the rows of one generation: a statement for each kind of row that it has, however many rows, plus one
//! for each further [`DOCUMENT_BYTES`].

use fillstream_domain::{OrderId, RecordRef, Seq};
use fillstream_projections::Batch;
use serde::Serialize;
use sqlx::{AnyConnection, Row};

use crate::error::{StoreError, sql};
use crate::market_write;
use crate::sql::{OrderStatements, Statements};

/// From here on a JSON array is closed and the next one begun, in bytes: some 1,000 events. Far below what the
/// databases take (1 GB and 256 MB), small enough to stay in the processor's cache.
const DOCUMENT_BYTES: usize = 512 * 1024;

/// Writes the batch inside the connection's transaction.
///
/// Every event gets its log row. Returns the orders whose own row could not follow, because they were never placed,
/// or placed before by another event; such a row stays as it is.
pub(crate) async fn batch(
    connection: &mut AnyConnection,
    statements: &'static Statements,
    generation: i64,
    batch: &Batch,
) -> Result<Vec<OrderId>, StoreError> {
    let mut target = Target { connection, generation };
    let swaps = &batch.swaps;
    let record = |record: &RecordRef| RecordRow { seq: record.seq, tag: record.id.tag().cast_signed() };
    target.run(&statements.insert_records, &Documents::of(batch.records.iter().map(record))).await?;
    target.run(&statements.insert_events, &Documents::of(swaps.events())).await?;
    let (new, changes) = (Documents::of(swaps.new_orders()), Documents::of(swaps.changes()));
    let all = || Documents::of(swaps.all_changes());
    let mut strays = target.orders(&statements.swaps, &new, &changes, all).await?;
    strays.extend(market_write::batch(&mut target, &statements.market, &batch.market).await?);
    Ok(strays)
}

/// Of which record rows are.
#[derive(Serialize)]
struct RecordRow {
    seq: Seq,
    tag: i64,
}

/// Where rows are written.
pub(crate) struct Target<'a> {
    connection: &'a mut AnyConnection,
    generation: i64,
}

impl Target<'_> {
    /// Writes orders' rows; returns the orders whose row could not follow.
    pub(crate) async fn orders(
        &mut self,
        statements: &'static OrderStatements,
        new: &Documents,
        changes: &Documents,
        all_changes: impl FnOnce() -> Documents,
    ) -> Result<Vec<OrderId>, StoreError> {
        let inserted = self.run(&statements.insert, new).await?;
        let changed = self.run(&statements.update, changes).await?;
        if inserted == new.rows && changed == changes.rows {
            return Ok(Vec::new());
        }
        // Part of the batch is in the rows already. Changes of orders that were not inserted now must not get lost with
        // the insert; those that were are recognized by their last sequence.
        self.run(&statements.update, &all_changes()).await?;
        let mut strays = self.strays(statements, new).await?;
        strays.extend(self.strays(statements, changes).await?);
        Ok(strays)
    }

    /// Returns the number of rows written.
    pub(crate) async fn run(
        &mut self,
        statement: &'static str,
        documents: &Documents,
    ) -> Result<u64, StoreError> {
        let mut rows = 0;
        for document in &documents.texts {
            let query = sqlx::query(statement).bind(document.as_str()).bind(self.generation);
            let done = query.execute(&mut *self.connection).await.map_err(sql("write rows"))?;
            rows += done.rows_affected();
        }
        Ok(rows)
    }

    async fn strays(
        &mut self,
        statements: &'static OrderStatements,
        documents: &Documents,
    ) -> Result<Vec<OrderId>, StoreError> {
        let mut strays = Vec::new();
        for document in &documents.texts {
            let query =
                sqlx::query(statements.find_strays.as_str()).bind(document.as_str()).bind(self.generation);
            for row in query.fetch_all(&mut *self.connection).await.map_err(sql("read rows"))? {
                let id: String = row.try_get(0).map_err(sql("read rows"))?;
                strays.push(id.parse().expect("the id that this batch's JSON was made from"));
            }
        }
        Ok(strays)
    }
}

/// Rows as JSON arrays.
#[derive(Default)]
pub(crate) struct Documents {
    texts: Vec<String>,
    rows: u64,
}

impl Documents {
    pub(crate) fn of<T: Serialize>(rows: impl IntoIterator<Item = T>) -> Self {
        let (mut documents, mut open) = (Self::default(), Vec::new());
        for row in rows {
            open.push(if open.is_empty() { b'[' } else { b',' });
            serde_json::to_writer(&mut open, &row).expect("string keys and plain values always become JSON");
            documents.rows += 1;
            if open.len() >= DOCUMENT_BYTES {
                documents.close(&mut open);
            }
        }
        documents.close(&mut open);
        documents
    }

    /// The arrays.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(String::as_str)
    }

    fn close(&mut self, open: &mut Vec<u8>) {
        if !open.is_empty() {
            open.push(b']');
            self.texts.push(String::from_utf8(std::mem::take(open)).expect("JSON is UTF-8"));
        }
    }
}
