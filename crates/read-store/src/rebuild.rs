//! A fresh model beside the live one, and the swap.
//!
//! ```text
//!  begin ──▶ apply, apply, … ──▶ close_in ──▶ apply the rest ──▶ swap
//!  sweep     live model goes on    write lock: projectors wait     one row moves, the old rows are swept
//! ```
//! The new rows are another generation in the same tables, so that nothing is renamed and readers change over at the
//! commit of one row. A rebuild that died leaves a generation that no reader sees and the next rebuild sweeps.

use std::sync::LazyLock;

use fillstream_domain::{Incarnation, OrderId, RecordRef, Seq};
use fillstream_projections::Batch;
use sqlx::{AnyConnection, Connection, Executor};

use crate::error::{StoreError, sql};
use crate::right::Right;
use crate::sql::Statements;
use crate::store::{Checkpoint, ReadStore, check_range};
use crate::write;

/// Rows deleted in one transaction: some 10 ms in which a projector waits.
const SWEEP_ROWS: i64 = 5_000;

/// A rebuild under way. Dropped before the swap it leaves the live model as it is.
#[derive(Debug)]
pub struct Rebuild {
    /// Not of the pool: on PostgreSQL the right is this connection's, and both are lost together.
    connection: AnyConnection,
    statements: &'static Statements,
    generation: i64,
    reached: Checkpoint,
    right: Right,
}

/// The end of a rebuild: nobody else writes until it is swapped or dropped.
#[derive(Debug)]
pub struct Closing {
    rebuild: Rebuild,
    live: Option<Checkpoint>,
}

impl Rebuild {
    /// Begins an empty model for this incarnation of the stream, after sweeping what a dead rebuild has left.
    ///
    /// # Errors
    /// [`StoreError::RebuildRunning`] while another one is under way, or when the database fails.
    pub async fn begin(store: &ReadStore, incarnation: Incarnation) -> Result<Self, StoreError> {
        let mut connection = store.connection().await?;
        let right = Right::take(store.database(), &mut connection).await?;
        let live: i64 = sqlx::query_scalar("SELECT generation FROM read_model")
            .fetch_one(&mut connection)
            .await
            .map_err(sql("begin a rebuild"))?;
        sweep(&mut connection, live).await?;
        let reached = Checkpoint::start(incarnation);
        let statements = store.statements();
        Ok(Self { connection, statements, generation: live + 1, reached, right })
    }

    /// Checkpoint of the new model.
    #[must_use]
    pub const fn reached(&self) -> Checkpoint {
        self.reached
    }

    /// Takes the new model on to `to`; returns the orders whose row could not follow, as
    /// [`Applied::Done`](crate::Applied::Done) does. After a transient error the same batch can be tried again, unless
    /// the connection was lost: then every further call fails, and only a new rebuild helps.
    ///
    /// # Errors
    /// When the batch does not follow the last one, or the database fails.
    pub async fn apply(&mut self, batch: &Batch, to: RecordRef) -> Result<Vec<OrderId>, StoreError> {
        check_range(self.reached.seq, batch, to.seq)?;
        let mut tx = self.connection.begin().await.map_err(sql("begin a transaction"))?;
        let strays = write::batch(&mut tx, self.statements, self.generation, batch).await?;
        tx.commit().await.map_err(sql("commit rebuilt rows"))?;
        self.reached = self.reached.moved_to(to);
        Ok(strays)
    }

    /// Takes the write lock. Projectors wait from here on, so little should be left to apply.
    ///
    /// # Errors
    /// When the lock is not free in time, or the database fails.
    pub async fn close_in(mut self) -> Result<Closing, StoreError> {
        let closing = "lock the read model for the swap";
        // Not a `Transaction`: the connection is our own, and its end rolls back.
        self.connection.execute("BEGIN").await.map_err(sql(closing))?;
        let row = self
            .connection
            .fetch_one("UPDATE read_model SET seq = seq RETURNING incarnation, seq, record_id")
            .await
            .map_err(sql(closing))?;
        let live = Checkpoint::of(&row).map_err(sql(closing))?;
        Ok(Closing { rebuild: self, live })
    }
}

impl Closing {
    /// Checkpoint of the new model.
    #[must_use]
    pub const fn reached(&self) -> Checkpoint {
        self.rebuild.reached
    }

    /// Goal of the rebuild: the live model's sequence, if that is made of the same incarnation of the stream.
    #[must_use]
    pub fn must_reach(&self) -> Seq {
        let same = self.live.filter(|live| live.incarnation == self.rebuild.reached.incarnation);
        same.map_or(Seq::ZERO, |live| live.seq)
    }

    /// Checkpoint of the live model; nothing before the first event.
    #[must_use]
    pub const fn live(&self) -> Option<Checkpoint> {
        self.live
    }

    /// The live model is of records that the stream does not hold any more: it need not be reached.
    #[must_use]
    pub fn over_lost_end(mut self) -> Self {
        self.live = None;
        self
    }

    /// As [`Rebuild::apply`], under the lock. After an error the rebuild must be given up.
    ///
    /// # Errors
    /// When the batch does not follow the last one, or the database fails.
    pub async fn apply(&mut self, batch: &Batch, to: RecordRef) -> Result<Vec<OrderId>, StoreError> {
        let Rebuild { connection, statements, generation, reached, .. } = &mut self.rebuild;
        check_range(reached.seq, batch, to.seq)?;
        let strays = write::batch(connection, statements, *generation, batch).await?;
        *reached = reached.moved_to(to);
        Ok(strays)
    }

    /// Makes the new model the live one, for all readers at once, then sweeps the old rows.
    ///
    /// # Errors
    /// [`StoreError::RebuildBehind`] when it has not reached [`must_reach`](Self::must_reach), or when the database
    /// fails; the live model stays then, except after a lost connection, when its checkpoint tells.
    pub async fn swap(self) -> Result<Checkpoint, StoreError> {
        let live = self.must_reach();
        let Rebuild { mut connection, generation, reached, right, .. } = self.rebuild;
        if reached.seq < live {
            return Err(StoreError::RebuildBehind { reached: reached.seq, live });
        }
        sqlx::query("UPDATE read_model SET generation = $1, incarnation = $2, seq = $3, record_id = $4")
            .bind(generation)
            .bind(reached.incarnation.get().to_string())
            .bind(reached.seq.get().cast_signed())
            .bind(reached.record.map(|id| id.to_string()))
            .execute(&mut connection)
            .await
            .map_err(sql("swap the models"))?;
        connection.execute("COMMIT").await.map_err(sql("swap the models"))?;
        if let Err(error) = sweep(&mut connection, generation).await {
            tracing::warn!(error = %fillstream_retry::chain(&error), "the old rows stay until the next rebuild");
        }
        right.give_back(&mut connection).await;
        Ok(reached)
    }
}

/// All tables with rows of generations, and their keys behind the generation.
const TABLES: [(&str, &str); 9] = [
    ("record_rows", "seq"),
    ("swap_order_rows", "order_id"),
    ("swap_order_event_rows", "order_id, seq"),
    ("book_order_rows", "order_id"),
    ("user_update_rows", "user_id, seq, place"),
    ("trade_rows", "seq, place"),
    ("level_rows", "symbol, side, price"),
    ("definition_rows", "seq"),
    ("market_rows", "symbol"),
];

/// Two statements for each table, not one with `<>`: so each finds its rows by the primary key.
static SWEEPS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let both = TABLES.iter().flat_map(|table| [(table, "<"), (table, ">")]);
    let delete = |((table, key), other): (&(&str, &str), &str)| {
        format!(
            "DELETE FROM {table} WHERE (generation, {key}) IN \
             (SELECT generation, {key} FROM {table} WHERE generation {other} $1 LIMIT $2)"
        )
    };
    both.map(delete).collect()
});

/// Deletes the rows of all generations but the live one, a few at a time: nobody reads them, but writers wait.
async fn sweep(connection: &mut AnyConnection, live: i64) -> Result<(), StoreError> {
    for delete in SWEEPS.iter() {
        loop {
            let query = sqlx::query(delete.as_str()).bind(live).bind(SWEEP_ROWS);
            let done = query.execute(&mut *connection).await.map_err(sql("sweep old rows"))?;
            if done.rows_affected() == 0 {
                break;
            }
        }
    }
    Ok(())
}
