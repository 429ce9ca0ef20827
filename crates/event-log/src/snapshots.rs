//! Snapshots: blobs by name that spare a replay. Nothing is lost with them but time, so none is trusted unread.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use crate::LogError;

/// Bytes of a name: it becomes a subject, a third longer.
const MAX_NAME: usize = 512;

/// Keeps snapshots of some 100 MB, as long as nothing happens to them.
#[async_trait]
pub trait SnapshotStore: Send + Sync + 'static {
    /// Keeps a snapshot under a name, 1 to 512 bytes like `BTC-USDT/000000001234`, in place of the one that has it.
    ///
    /// # Errors
    /// When the store cannot be asked or does not take it.
    async fn put(&self, name: &str, snapshot: Bytes) -> Result<(), LogError>;

    /// The snapshot as it was put; none when it is missing or damaged.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn get(&self, name: &str) -> Result<Option<Bytes>, LogError>;

    /// The names that begin so, in order of their bytes.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn names(&self, prefix: &str) -> Result<Vec<String>, LogError>;

    /// Forgets a snapshot, if there is one.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn delete(&self, name: &str) -> Result<(), LogError>;
}

/// Refuses what no store takes as a name.
pub(crate) fn check_name(name: &str) -> Result<(), LogError> {
    if (1..=MAX_NAME).contains(&name.len()) {
        return Ok(());
    }
    Err(LogError::Invalid(format!("{name:?} cannot be the name of a snapshot: 1 to {MAX_NAME} bytes")))
}

/// Snapshots in memory, for tests. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemorySnapshots(Arc<Mutex<BTreeMap<String, Bytes>>>);

#[async_trait]
impl SnapshotStore for MemorySnapshots {
    async fn put(&self, name: &str, snapshot: Bytes) -> Result<(), LogError> {
        check_name(name)?;
        self.0.lock().insert(name.to_owned(), snapshot);
        Ok(())
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, LogError> {
        check_name(name)?;
        Ok(self.0.lock().get(name).cloned())
    }

    async fn names(&self, prefix: &str) -> Result<Vec<String>, LogError> {
        Ok(self.0.lock().keys().filter(|name| name.starts_with(prefix)).cloned().collect())
    }

    async fn delete(&self, name: &str) -> Result<(), LogError> {
        check_name(name)?;
        self.0.lock().remove(name);
        Ok(())
    }
}
