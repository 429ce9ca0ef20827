//! Errors of the read store, and what of them a caller can tell apart.

use fillstream_domain::Seq;
use std::{io, path::PathBuf};

use sqlx::{error::DatabaseError, migrate::MigrateError, postgres::PgDatabaseError, sqlite::SqliteError};

/// Reasons why the read model did not do what was asked. Nothing of it is half done: every write is one transaction.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names no database that can hold the read model.
    #[error("the database URL {0}")]
    Url(&'static str),
    /// A file of the read model, or one beside it, cannot be used.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Cause.
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
    /// The database did not answer in time. Whether a write went through is read from the checkpoint.
    #[error("cannot {doing}: the database does not answer within its time limit")]
    TimedOut {
        /// What was tried.
        doing: &'static str,
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

/// Kind of the trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// Somebody else holds a lock, or there is no free connection: a moment later it may work.
    Busy,
    /// The database cannot be reached, ends its connections, or is not there.
    Unreachable,
    /// It did not answer in time.
    TimedOut,
    /// Its disk, or a limit of it, is full.
    Full,
    /// It takes no writes: a standby, a file or file system that is read-only.
    ReadOnly,
    /// It does not let this user in, or not do this.
    Denied,
    /// The file is none of a database, or is broken.
    Damaged,
    /// It failed itself: its disk, its memory, its tables.
    Failed,
    /// A newer version of this program has made the tables: this one must not touch them.
    NewerSchema,
    /// What was asked of it makes no sense: a URL, a batch, a row.
    Invalid,
}

impl StoreError {
    /// Kind of the trouble.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        match self {
            Self::Sql { source, .. }
            | Self::Migrate(MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)) => {
                kind(source)
            }
            Self::Migrate(MigrateError::VersionMissing(_) | MigrateError::VersionTooOld(..)) => {
                StoreErrorKind::NewerSchema
            }
            Self::Migrate(_) => StoreErrorKind::Failed,
            Self::TimedOut { .. } => StoreErrorKind::TimedOut,
            Self::RebuildRunning => StoreErrorKind::Busy,
            Self::File { source, .. } => of_file(source),
            Self::Url(_) | Self::Unreadable(_) | Self::OutOfRange { .. } | Self::RebuildBehind { .. } => {
                StoreErrorKind::Invalid
            }
        }
    }

    /// The same call can succeed later. Only what nobody but a person can mend does not pass: tables of a newer
    /// version, and a call that makes no sense.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self.kind() {
            StoreErrorKind::Busy
            | StoreErrorKind::Unreachable
            | StoreErrorKind::TimedOut
            | StoreErrorKind::Full
            | StoreErrorKind::ReadOnly
            | StoreErrorKind::Denied
            | StoreErrorKind::Damaged
            | StoreErrorKind::Failed => true,
            StoreErrorKind::NewerSchema | StoreErrorKind::Invalid => false,
        }
    }
}

/// Names what was being done when the driver failed.
pub(crate) fn sql(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::Sql { doing, source }
}

fn of_file(error: &io::Error) -> StoreErrorKind {
    const KINDS: &[(io::ErrorKind, StoreErrorKind)] = &[
        (io::ErrorKind::StorageFull, StoreErrorKind::Full),
        (io::ErrorKind::QuotaExceeded, StoreErrorKind::Full),
        (io::ErrorKind::ReadOnlyFilesystem, StoreErrorKind::ReadOnly),
        (io::ErrorKind::PermissionDenied, StoreErrorKind::Denied),
        (io::ErrorKind::NotFound, StoreErrorKind::Unreachable),
    ];
    let found = KINDS.iter().find(|(told, _)| *told == error.kind());
    found.map_or(StoreErrorKind::Failed, |(_, kind)| *kind)
}

fn kind(error: &sqlx::Error) -> StoreErrorKind {
    use sqlx::Error::{Configuration, Io, PoolClosed, PoolTimedOut, Protocol, Tls, WorkerCrashed};
    if let Some(database) = error.as_database_error() {
        return of_database(database);
    }
    if let Io(source) = error {
        let kind = of_file(source);
        return if kind == StoreErrorKind::Failed { StoreErrorKind::Unreachable } else { kind };
    }
    if matches!(error, PoolTimedOut) {
        return StoreErrorKind::Busy;
    }
    if matches!(error, Tls(_) | Protocol(_) | PoolClosed | WorkerCrashed) {
        return StoreErrorKind::Unreachable;
    }
    if matches!(error, Configuration(_)) { StoreErrorKind::Invalid } else { StoreErrorKind::Failed }
}

fn of_database(error: &dyn DatabaseError) -> StoreErrorKind {
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<SqliteError>().is_some() {
        // The driver reports extended codes, whose low byte is the code.
        return code.parse::<u32>().map_or(StoreErrorKind::Failed, |code| of_sqlite(code & 0xff));
    }
    match error.try_downcast_ref::<PgDatabaseError>() {
        Some(_) => of_postgres(&code),
        None => StoreErrorKind::Failed,
    }
}

const fn of_sqlite(code: u32) -> StoreErrorKind {
    match code {
        // PERM, AUTH
        3 | 23 => StoreErrorKind::Denied,
        // BUSY, LOCKED, PROTOCOL (a lock of the WAL's), SCHEMA (somebody has changed a table)
        5 | 6 | 15 | 17 => StoreErrorKind::Busy,
        // READONLY
        8 => StoreErrorKind::ReadOnly,
        // CORRUPT, NOTADB
        11 | 26 => StoreErrorKind::Damaged,
        // FULL
        13 => StoreErrorKind::Full,
        // CANTOPEN
        14 => StoreErrorKind::Unreachable,
        _ => StoreErrorKind::Failed,
    }
}

/// By SQLSTATE.
fn of_postgres(code: &str) -> StoreErrorKind {
    /// The first that fits.
    const KINDS: &[(&str, StoreErrorKind)] = &[
        ("08", StoreErrorKind::Unreachable),
        // Rolled back for another; lock not there in time.
        ("40", StoreErrorKind::Busy),
        ("55P03", StoreErrorKind::Busy),
        // Statement time-out; session ended because its transaction idled.
        ("57014", StoreErrorKind::TimedOut),
        ("25P03", StoreErrorKind::TimedOut),
        // Shutdown, recovery, crash; no such database, which somebody may be restoring.
        ("57P", StoreErrorKind::Unreachable),
        ("3D000", StoreErrorKind::Unreachable),
        ("53100", StoreErrorKind::Full),
        ("53300", StoreErrorKind::Busy),
        ("25006", StoreErrorKind::ReadOnly),
        ("28", StoreErrorKind::Denied),
        ("42501", StoreErrorKind::Denied),
        ("XX001", StoreErrorKind::Damaged),
        ("XX002", StoreErrorKind::Damaged),
    ];
    let found = KINDS.iter().find(|(prefix, _)| code.starts_with(prefix));
    found.map_or(StoreErrorKind::Failed, |(_, kind)| *kind)
}
