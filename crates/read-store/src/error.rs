//! What can go wrong, and whether it is worth trying again.

use fillstream_domain::Seq;
use std::{io, path::PathBuf};

use sqlx::{migrate::MigrateError, postgres::PgDatabaseError, sqlite::SqliteError};

/// Why the read model did not do what was asked. Nothing of it is half done: every write is one transaction.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names no database that can hold the read model.
    #[error("the database URL {0}")]
    Url(&'static str),
    /// A lock file beside the SQLite file cannot be used.
    #[error("cannot use {}", path.display())]
    File {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The tables could not be made, or were made by another version.
    #[error("cannot bring the tables of the read model up to date")]
    Migrate(#[from] MigrateError),
    /// The database refused, or was lost.
    #[error("cannot {doing}")]
    Sql {
        /// What was tried.
        doing: &'static str,
        /// The driver's error.
        source: sqlx::Error,
    },
    /// A row holds what no version of this program writes there.
    #[error("a row of the read model is not readable")]
    Unreadable(#[source] serde_json::Error),
    /// A batch must lie behind the checkpoint that it starts from and reach no further than where it ends.
    #[error("a batch from {first} to {last} does not fit between checkpoints {after} and {up_to}")]
    OutOfRange {
        /// Checkpoint before the batch.
        after: Seq,
        /// First sequence of the batch; [`Seq::ZERO`] when it is empty.
        first: Seq,
        /// Last sequence of the batch; [`Seq::ZERO`] when it is empty.
        last: Seq,
        /// Checkpoint after the batch.
        up_to: Seq,
    },
    /// Two rebuilds at once would only undo each other's work.
    #[error("another rebuild of this read model is under way")]
    RebuildRunning,
    /// Readers would see time run back.
    #[error("the rebuilt model ends at {reached}, the live one is at {live} already")]
    RebuildBehind {
        /// The rebuilt model's last sequence.
        reached: Seq,
        /// The live model's.
        live: Seq,
    },
}

impl StoreError {
    /// The same call can succeed later: the database was busy, a rebuild has the right, or a connection was lost.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Sql { source, .. }
            | Self::Migrate(MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)) => {
                passes(source)
            }
            Self::RebuildRunning => true,
            Self::Url(_)
            | Self::File { .. }
            | Self::Migrate(_)
            | Self::Unreadable(_)
            | Self::OutOfRange { .. }
            | Self::RebuildBehind { .. } => false,
        }
    }
}

/// Names what was being done when the driver failed.
pub(crate) fn sql(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::Sql { doing, source }
}

fn passes(error: &sqlx::Error) -> bool {
    if matches!(error, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed) {
        return true;
    }
    let Some(database) = error.as_database_error() else { return false };
    let code = database.code().unwrap_or_default();
    if database.try_downcast_ref::<SqliteError>().is_some() {
        /// `SQLITE_BUSY`, `SQLITE_LOCKED`; the driver reports extended codes, whose low byte is the code.
        const PASSING: [u32; 2] = [5, 6];
        return code.parse::<u32>().is_ok_and(|code| PASSING.contains(&(code & 0xff)));
    }
    /// SQLSTATE: connection (08), rolled back for another (40), too many (53300), lock (55P03), shutdown and
    /// recovery (57P).
    const PASSING: [&str; 5] = ["08", "40", "53300", "55P03", "57P"];
    database.try_downcast_ref::<PgDatabaseError>().is_some()
        && PASSING.iter().any(|prefix| code.starts_with(prefix))
}
