//! The right to rebuild: one at a time, freed when its holder dies, however.

use std::fs::{File, TryLockError};

use sqlx::{AnyConnection, Executor};

use crate::connect::{Database, create};
use crate::error::{StoreError, sql};

/// `fillstre` in ASCII, as PostgreSQL wants a number; one that nobody else of that database uses.
const ADVISORY_LOCK: i64 = 0x6669_6c6c_7374_7265;

/// Who has it may rebuild.
#[derive(Debug)]
pub(crate) enum Right {
    /// SQLite: a file beside the database, locked as long as it is open.
    File(File),
    /// PostgreSQL: a lock of the connection that took it.
    OfConnection,
}

impl Right {
    /// # Errors
    /// [`StoreError::RebuildRunning`] when somebody else has it.
    pub(crate) async fn take(
        database: &Database,
        connection: &mut AnyConnection,
    ) -> Result<Self, StoreError> {
        let Some(path) = database.lock_file("rebuild") else {
            let lock = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(ADVISORY_LOCK);
            let free = lock.fetch_one(connection).await.map_err(sql("lock the model for a rebuild"))?;
            return if free { Ok(Self::OfConnection) } else { Err(StoreError::RebuildRunning) };
        };
        let file = create(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self::File(file)),
            Err(TryLockError::WouldBlock) => Err(StoreError::RebuildRunning),
            Err(TryLockError::Error(source)) => Err(StoreError::File { path, source }),
        }
    }

    /// Gives it back at once; without this PostgreSQL frees it soon after the connection is dropped.
    pub(crate) async fn give_back(self, connection: &mut AnyConnection) {
        match self {
            Self::File(file) => drop(file),
            // A connection that is too broken for this has given it back already.
            Self::OfConnection => drop(connection.execute("SELECT pg_advisory_unlock_all()").await),
        }
    }
}
