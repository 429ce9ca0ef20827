//! The live model: its checkpoint, and the step from one checkpoint to the next.

use std::path::PathBuf;

use fillstream_domain::{Incarnation, OrderId, RecordId, RecordRef, Seq};
use fillstream_projections::Batch;
use sqlx::any::AnyRow;
use sqlx::{Any, AnyConnection, Connection, Row, Transaction, pool::PoolConnection};

use crate::access::Access;
use crate::connect::{Address, Database};
use crate::error::{StoreError, sql};
use crate::read::READING;
use crate::settings::DatabaseSettings;
use crate::sql::Statements;
use crate::write;

/// Place that a model has reached: all events of this incarnation of the stream up to and including `seq`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Differs whenever the stream was created anew.
    pub incarnation: Incarnation,
    /// Last sequence; 0 before the first.
    pub seq: Seq,
    /// Tag of the record at `seq`; nothing before the first, and in a model of an older version.
    pub record: Option<RecordId>,
}

impl Checkpoint {
    /// Before the first record.
    #[must_use]
    pub const fn start(incarnation: Incarnation) -> Self {
        Self { incarnation, seq: Seq::ZERO, record: None }
    }

    /// The record that the model ends with, when it is known.
    #[must_use]
    pub fn reference(&self) -> Option<RecordRef> {
        self.record.map(|id| RecordRef { seq: self.seq, id })
    }

    /// The same stream, at this record.
    #[must_use]
    pub const fn moved_to(self, to: RecordRef) -> Self {
        Self { incarnation: self.incarnation, seq: to.seq, record: Some(to.id) }
    }

    /// From `incarnation, seq, record_id` of the one row.
    pub(crate) fn of(row: &AnyRow) -> Result<Option<Self>, sqlx::Error> {
        let incarnation: Option<String> = row.try_get("incarnation")?;
        let (seq, record): (i64, Option<String>) = (row.try_get("seq")?, row.try_get("record_id")?);
        let Some(digits) = incarnation else { return Ok(None) };
        let incarnation =
            digits.parse().map(Incarnation::new).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let record =
            record.map(|id| id.parse()).transpose().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        Ok(Some(Self { incarnation, seq: Seq::new(seq.cast_unsigned()), record }))
    }
}

/// Outcome of a batch.
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
    access: Access,
}

impl ReadStore {
    /// The read model at `sqlite:///path/file.db`, which is made if it is missing, or `postgres://user@host/database`.
    /// Nothing is opened yet: each call opens what it needs, and brings the tables up to date, as long as that is not done.
    /// So a database that is away delays nothing but what is asked of it. Any number of processes may do so at once.
    ///
    /// SQLite writes without waiting for the disk: a power failure can cost the last transactions, whole ones, and the
    /// projector writes them again from the stream.
    ///
    /// # Errors
    /// When the URL names no such database.
    pub fn at(url: &str, settings: DatabaseSettings) -> Result<Self, StoreError> {
        Ok(Self { access: Access::new(Address::parse(url, settings)?) })
    }

    /// As [`at`](Self::at), opened.
    ///
    /// # Errors
    /// When the URL names no such database, it cannot be reached, or a newer version made its tables.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let store = Self::at(url, DatabaseSettings::default())?;
        store.access.open().await?;
        Ok(store)
    }

    /// As [`open`](Self::open), to look only: the tables stay what they are.
    ///
    /// # Errors
    /// When the URL names no such database, or it cannot be reached.
    pub async fn open_to_look(url: &str) -> Result<Self, StoreError> {
        let settings = DatabaseSettings { migrates: false, ..DatabaseSettings::default() };
        let store = Self::at(url, settings)?;
        store.access.open().await?;
        Ok(store)
    }

    /// Connections for reading that are open now, and how many of them nobody uses.
    #[must_use]
    pub fn connections(&self) -> (u64, u64) {
        self.access.connections()
    }

    /// Waits for running calls and closes the connections.
    pub async fn close(&self) {
        self.access.close().await;
    }

    /// Gives up all connections: the next call makes new ones, and looks at the tables again. What failed may have been a
    /// server that is another one now.
    pub fn reconnect(&self) {
        self.access.give_up();
    }

    /// True when a call has found the database broken.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.access.is_damaged()
    }

    /// Gives a broken SQLite file another name, which is returned: the next call makes an empty one. On PostgreSQL nothing
    /// happens, as what is broken there is not ours alone.
    ///
    /// # Errors
    /// When the file cannot be renamed.
    pub async fn set_aside(&self) -> Result<Option<PathBuf>, StoreError> {
        self.access.set_aside().await
    }

    /// Checkpoint of the model; nothing before the first event.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        self.read(async { read_checkpoint(&mut *self.reader().await?).await }).await
    }

    /// Takes the model from one checkpoint to the next, in one transaction that first moves the checkpoint. A model
    /// without a checkpoint stands before the first record of any incarnation.
    ///
    /// `to` is the last record that was looked at; the batch may end before it. An event that is in the model
    /// already changes nothing, even if somebody has set the checkpoint back by hand. Dropping the future undoes
    /// all of it, unless the commit had gone out: read the checkpoint again after a drop or an error.
    ///
    /// # Errors
    /// When the batch does not lie between the checkpoints, or the database fails.
    pub async fn apply(&self, from: Checkpoint, batch: &Batch, to: RecordRef) -> Result<Applied, StoreError> {
        check_range(from.seq, batch, to.seq)?;
        self.write("write rows and checkpoint", async {
            let mut writer = self.access.writer().await?;
            let mut tx = writer.begin().await.map_err(sql("begin a transaction"))?;
            let applied = match advance(&mut tx, from, to).await? {
                None => {
                    tx.rollback().await.map_err(sql("roll back"))?;
                    let now = read_checkpoint(&mut writer).await?;
                    who_was_first(from, now.unwrap_or(Checkpoint::start(from.incarnation)))
                }
                Some(generation) => {
                    let strays = write::batch(&mut tx, self.statements(), generation, batch).await?;
                    tx.commit().await.map_err(sql("commit rows and checkpoint"))?;
                    Applied::Done { strays }
                }
            };
            writer.keep();
            Ok(applied)
        })
        .await
    }

    /// Writes down what the record at an old checkpoint is, which an older version has not done. False when the checkpoint
    /// is another one now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn adopt(&self, old: Checkpoint, record: RecordRef) -> Result<bool, StoreError> {
        const ADOPT: &str = "UPDATE read_model SET record_id = $3 \
                             WHERE incarnation = $1 AND seq = $2 AND record_id IS NULL";
        self.write("name the checkpoint's record", async {
            let mut writer = self.access.writer().await?;
            let adopting = sqlx::query(ADOPT)
                .bind(old.incarnation.get().to_string())
                .bind(record.seq.get().cast_signed())
                .bind(record.id.to_string());
            let done = adopting.execute(&mut *writer).await.map_err(sql("name the checkpoint's record"))?;
            writer.keep();
            Ok(done.rows_affected() == 1)
        })
        .await
    }

    /// Proves that the model can be written to: writes its checkpoint as it is.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn prove_writable(&self) -> Result<(), StoreError> {
        const SAME: &str = "UPDATE read_model SET seq = seq";
        let doing = "write the checkpoint as it is";
        self.write(doing, async {
            let mut writer = self.access.writer().await?;
            sqlx::query(SAME).execute(&mut *writer).await.map_err(sql(doing))?;
            writer.keep();
            Ok(())
        })
        .await
    }

    /// A connection for reading.
    pub(crate) async fn reader(&self) -> Result<PoolConnection<Any>, StoreError> {
        self.access.reader().await
    }

    /// A connection of its own, for a rebuild.
    pub(crate) async fn connection(&self) -> Result<AnyConnection, StoreError> {
        self.access.open().await?;
        self.access.address().connect().await
    }

    /// Reads within a read's time.
    pub(crate) async fn read<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let DatabaseSettings { connect_timeout, read_timeout, .. } = self.access.address().settings;
        self.access.bounded(READING, 2 * connect_timeout + read_timeout, work).await
    }

    /// Writes, or reads the whole model, within a write's time.
    pub(crate) async fn write<T>(
        &self,
        doing: &'static str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let DatabaseSettings { connect_timeout, write_timeout, .. } = self.access.address().settings;
        self.access.bounded(doing, 2 * connect_timeout + write_timeout, work).await
    }

    pub(crate) fn database(&self) -> &Database {
        &self.access.address().database
    }

    pub(crate) fn statements(&self) -> &'static Statements {
        Statements::of(self.database())
    }
}

fn who_was_first(from: Checkpoint, now: Checkpoint) -> Applied {
    if now.incarnation == from.incarnation { Applied::Moved(now) } else { Applied::OtherStream(now) }
}

/// Refuses a batch that the checkpoints do not enclose: it would be applied twice, or in part never.
pub(crate) fn check_range(after: Seq, batch: &Batch, up_to: Seq) -> Result<(), StoreError> {
    let (first, last) = batch.span().unwrap_or((Seq::ZERO, Seq::ZERO));
    let empty = batch.span().is_none();
    let in_a_column = i64::try_from(up_to.get()).is_ok();
    let fits = after <= up_to && (empty || (after < first && last <= up_to)) && in_a_column;
    fits.then_some(()).ok_or(StoreError::OutOfRange { after, first, last, up_to })
}

/// Compare and set. Returns the live generation, or nothing when the checkpoint is not `from`.
///
/// As the transaction's first statement it takes the write lock (of the file, or of the row) before anything is read,
/// so that a transaction never finds out late that it had read something old.
async fn advance(
    tx: &mut Transaction<'_, Any>,
    from: Checkpoint,
    to: RecordRef,
) -> Result<Option<i64>, StoreError> {
    const MOVE: &str = "UPDATE read_model SET incarnation = $1, seq = $3, record_id = $5 \
                        WHERE (incarnation = $1 OR incarnation IS NULL) AND seq = $2 \
                        AND COALESCE(record_id, '') = $4 RETURNING generation";
    sqlx::query_scalar(MOVE)
        .bind(from.incarnation.get().to_string())
        .bind(from.seq.get().cast_signed())
        .bind(to.seq.get().cast_signed())
        .bind(from.record.map_or_else(String::new, |id| id.to_string()))
        .bind(to.id.to_string())
        .fetch_optional(&mut **tx)
        .await
        .map_err(sql("move the checkpoint"))
}

pub(crate) async fn read_checkpoint(
    connection: &mut AnyConnection,
) -> Result<Option<Checkpoint>, StoreError> {
    let row = sqlx::query("SELECT incarnation, seq, record_id FROM read_model").fetch_one(connection).await;
    row.and_then(|row| Checkpoint::of(&row)).map_err(sql("read the checkpoint"))
}
