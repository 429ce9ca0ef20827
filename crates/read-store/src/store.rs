//! The live model: its checkpoint, and the step from one checkpoint to the next.

use fillstream_domain::{Incarnation, OrderId, Seq};
use fillstream_projections::Batch;
use sqlx::any::AnyRow;
use sqlx::{Any, AnyConnection, AnyPool, Row, Transaction};

use crate::connect::{self, Database};
use crate::error::{StoreError, sql};
use crate::market_read::number;
use crate::sql::Statements;
use crate::write;

/// How far a model goes: all events of this incarnation of the stream up to and including `seq`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Differs whenever the stream was created anew.
    pub incarnation: Incarnation,
    /// Last sequence; 0 before the first.
    pub seq: Seq,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Applied {
    /// It is in the model, and the checkpoint has moved.
    Done {
        /// Orders whose row could not follow: never placed, or placed before by another event. Their events are in
        /// the log table all the same. Empty as long as every writer keeps to the life cycle.
        strays: Vec<OrderId>,
    },
    /// Nothing was written: another projector was first, and the model is here now.
    Moved(Checkpoint),
    /// Nothing was written: the model is made of another incarnation of the stream and must be rebuilt.
    OtherStream(Checkpoint),
}

/// The read model in a database. Clones share their connections.
#[derive(Debug, Clone)]
pub struct ReadStore {
    database: Database,
    pool: AnyPool,
}

impl ReadStore {
    /// Opens `sqlite:///path/file.db`, which is made if it is missing, or `postgres://user@host/database`, and brings
    /// its tables up to date. Any number of processes may do so at once.
    ///
    /// SQLite writes without waiting for the disk: a power failure can cost the last transactions, whole ones, and the
    /// projector writes them again from the stream.
    ///
    /// # Errors
    /// When the URL names no such database, it cannot be reached, or a newer version made its tables.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let (database, pool) = connect::open(url).await?;
        Ok(Self { database, pool })
    }

    /// Waits for running calls and closes the connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// How far the model goes; nothing before the first event.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(sql("read the checkpoint"))?;
        read_checkpoint(&mut connection).await
    }

    /// Takes the model from one checkpoint to the next, in one transaction that first moves the checkpoint. A model
    /// without a checkpoint stands at sequence 0 of any incarnation.
    ///
    /// `up_to` is the last sequence that was looked at; the batch may end before it. An event that is in the model
    /// already changes nothing, even if somebody has set the checkpoint back by hand. Dropping the future undoes
    /// all of it, unless the commit had gone out: read the checkpoint again after a drop or an error.
    ///
    /// # Errors
    /// When the batch does not lie between the checkpoints, or the database fails.
    pub async fn apply(&self, from: Checkpoint, batch: &Batch, up_to: Seq) -> Result<Applied, StoreError> {
        check_range(from.seq, batch, up_to)?;
        let mut tx = self.pool.begin().await.map_err(sql("begin a transaction"))?;
        let Some(generation) = advance(&mut tx, from, up_to).await? else {
            tx.rollback().await.map_err(sql("roll back"))?;
            return self.who_was_first(from).await;
        };
        let strays = write::batch(&mut tx, self.statements(), generation, batch).await?;
        tx.commit().await.map_err(sql("commit rows and checkpoint"))?;
        Ok(Applied::Done { strays })
    }

    async fn who_was_first(&self, from: Checkpoint) -> Result<Applied, StoreError> {
        let now = self.checkpoint().await?.unwrap_or(Checkpoint { seq: Seq::ZERO, ..from });
        let same = now.incarnation == from.incarnation;
        Ok(if same { Applied::Moved(now) } else { Applied::OtherStream(now) })
    }

    pub(crate) const fn pool(&self) -> &AnyPool {
        &self.pool
    }

    pub(crate) const fn database(&self) -> &Database {
        &self.database
    }

    pub(crate) fn statements(&self) -> &'static Statements {
        Statements::of(&self.database)
    }
}

/// Refuses a batch that the checkpoints do not enclose: it would be applied twice, or in part never.
pub(crate) fn check_range(after: Seq, batch: &Batch, up_to: Seq) -> Result<(), StoreError> {
    let (first, last) = batch.span().unwrap_or_default();
    let empty = batch.span().is_none();
    let storable = i64::try_from(up_to.get()).is_ok();
    let fits = after <= up_to && (empty || (after < first && last <= up_to)) && storable;
    fits.then_some(()).ok_or(StoreError::OutOfRange { after, first, last, up_to })
}

/// Compare and set. Returns the live generation, or nothing when the checkpoint is not `from`.
///
/// As the transaction's first statement it takes the write lock (of the file, or of the row) before anything is read,
/// so that a transaction never finds out late that it had read something old.
async fn advance(
    tx: &mut Transaction<'_, Any>,
    from: Checkpoint,
    up_to: Seq,
) -> Result<Option<i64>, StoreError> {
    const MOVE: &str = "UPDATE read_model SET incarnation = $1, seq = $3 \
                        WHERE (incarnation = $1 OR incarnation IS NULL) AND seq = $2 RETURNING generation";
    sqlx::query_scalar(MOVE)
        .bind(from.incarnation.get().to_string())
        .bind(number(from.seq))
        .bind(number(up_to))
        .fetch_optional(&mut **tx)
        .await
        .map_err(sql("move the checkpoint"))
}

pub(crate) async fn read_checkpoint(
    connection: &mut AnyConnection,
) -> Result<Option<Checkpoint>, StoreError> {
    let row = sqlx::query("SELECT incarnation, seq FROM read_model").fetch_one(connection).await;
    row.and_then(|row| Checkpoint::of(&row)).map_err(sql("read the checkpoint"))
}

impl Checkpoint {
    /// From `incarnation, seq` of the one row.
    pub(crate) fn of(row: &AnyRow) -> Result<Option<Self>, sqlx::Error> {
        let incarnation: Option<String> = row.try_get("incarnation")?;
        let seq: i64 = row.try_get("seq")?;
        Ok(incarnation.map(|digits| Self {
            incarnation: Incarnation::new(digits.parse().expect("written by this crate from a u64")),
            seq: Seq::new(seq.cast_unsigned()),
        }))
    }
}
