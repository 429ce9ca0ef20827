//! The connections of one process to the read model: one that writes, a pool that reads. Both are made when they are
//! wanted, and made anew when the database is another one or has failed.
//!
//! ```text
//!  call ──▶ opened? same file? ── yes ─▶ connection ─▶ statement, within its time ─▶ answer
//!              │ no                                        └─ failed ─▶ the writer's connection is given up
//!              └─▶ connect, migrate ─▶ opened                          (the pool sees to its own)
//! ```
//! Nobody but who is asked waits: a database that is away is found out by each call, in bounded time.

use std::fs::{self, File};
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::{Any, AnyConnection, AnyPool, Connection, pool::PoolConnection};
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use crate::connect::{Address, Database, FileId, beside, wait_for};
use crate::error::{StoreError, StoreErrorKind, sql};
use crate::migrations;

/// See the module's first line. Clones share everything.
#[derive(Debug, Clone)]
pub(crate) struct Access(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    address: Address,
    opened: Mutex<Option<Opened>>,
    /// Held by the one that opens.
    opening: Arc<tokio::sync::Mutex<()>>,
    writer: Arc<tokio::sync::Mutex<Option<Written>>>,
    /// The file that a call has found broken.
    damaged: Mutex<Option<Option<FileId>>>,
}

/// A connection that has written, and to which file: one that was removed since is written to as before, unseen by all.
type Written = (AnyConnection, Option<FileId>);

#[derive(Debug, Clone)]
struct Opened {
    readers: AnyPool,
    file: Option<FileId>,
}

impl Access {
    pub(crate) fn new(address: Address) -> Self {
        Self(Arc::new(Inner {
            address,
            opened: Mutex::default(),
            opening: Arc::default(),
            writer: Arc::default(),
            damaged: Mutex::default(),
        }))
    }

    pub(crate) fn address(&self) -> &Address {
        &self.0.address
    }

    /// Connections for reading that are open, and how many of them nobody uses.
    pub(crate) fn connections(&self) -> (u64, u64) {
        let readers = self.0.opened.lock().as_ref().map(|opened| opened.readers.clone());
        readers.map_or((0, 0), |readers| (u64::from(readers.size()), readers.num_idle() as u64))
    }

    /// Makes the database if it is a missing file, and brings its tables up to date, once. That goes on when nobody waits
    /// for it any more: large tables are not changed within anybody's patience.
    pub(crate) async fn open(&self) -> Result<AnyPool, StoreError> {
        if let Some(opened) = self.opened() {
            return Ok(opened.readers);
        }
        let late =
            StoreError::TimedOut { doing: "open the read model's database and bring its tables up to date" };
        let opening = timeout(self.patience(), Arc::clone(&self.0.opening).lock_owned());
        let Ok(opening) = opening.await else { return Err(late) };
        // Somebody else may have done it meanwhile.
        if let Some(opened) = self.opened() {
            return Ok(opened.readers);
        }
        let access = self.clone();
        let open = tokio::spawn(async move {
            let _opening = opening;
            let connected = access.0.address.connect_and_migrate().await;
            let connection = connected.inspect_err(|error| access.note(error))?;
            connection.close().await.ok();
            let (readers, file) = (access.0.address.readers(), access.0.address.file());
            access.0.damaged.lock().take();
            let former = access.0.opened.lock().replace(Opened { readers: readers.clone(), file });
            drop(former);
            Ok(readers)
        });
        match timeout(self.patience(), open).await {
            Ok(opened) => opened.expect("opening does not panic, and nobody aborts it"),
            Err(_) => Err(late),
        }
    }

    /// The pool, unless the file has gone or is another one.
    fn opened(&self) -> Option<Opened> {
        let opened = self.0.opened.lock().clone()?;
        (opened.file == self.0.address.file()).then_some(opened)
    }

    /// Everything is opened anew by the next call: what failed may have left connections that hang.
    pub(crate) fn give_up(&self) {
        self.0.opened.lock().take();
    }

    /// A connection for reading.
    pub(crate) async fn reader(&self) -> Result<PoolConnection<Any>, StoreError> {
        let doing = "get a connection to the read model's database";
        let readers = self.open().await?;
        match readers.acquire().await {
            Ok(reader) => Ok(reader),
            Err(error) => Err(self.why_none(&readers).await.unwrap_or_else(|| sql(doing)(error))),
        }
    }

    /// The pool tells every failure to connect as a wait: a connection of our own says what it is. One at a time, and none
    /// where all connections are merely in use.
    async fn why_none(&self, readers: &AnyPool) -> Option<StoreError> {
        let _asks = self.0.opening.try_lock().ok().filter(|_| readers.size() == 0)?;
        self.0.address.connect().await.map(drop).err()
    }

    /// Does something within its time; remembers what it says of the database.
    pub(crate) async fn bounded<T>(
        &self,
        doing: &'static str,
        limit: Duration,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let Ok(done) = timeout(limit, work).await else {
            self.give_up();
            return Err(StoreError::TimedOut { doing });
        };
        done.inspect_err(|error| self.note(error))
    }

    fn note(&self, error: &StoreError) {
        if error.kind() == StoreErrorKind::Damaged {
            *self.0.damaged.lock() = Some(self.0.address.file());
        }
    }

    /// True when a call has found the database broken, and it is still the same.
    pub(crate) fn is_damaged(&self) -> bool {
        let damaged = *self.0.damaged.lock();
        damaged.is_some_and(|file| file == self.0.address.file())
    }

    /// The connection that writes; made anew when there is none, or when the file is another one.
    pub(crate) async fn writer(&self) -> Result<Writer, StoreError> {
        let busy = StoreError::TimedOut { doing: "wait for another write of this process" };
        let slot = timeout(self.0.address.settings.write_timeout, Arc::clone(&self.0.writer).lock_owned());
        let mut slot = slot.await.map_err(|_| busy)?;
        let opened = self.opened();
        let same = |(_, file): &Written| opened.as_ref().is_some_and(|opened| opened.file == *file);
        let (connection, file) = match slot.take().filter(same) {
            Some(written) => written,
            None => {
                self.open().await?;
                (self.0.address.connect().await?, self.0.address.file())
            }
        };
        Ok(Writer { connection, file, slot })
    }

    /// A SQLite file that is broken gets another name, and what lies beside it as well: the next call makes an empty one.
    /// Returns the name; nothing when there is no such file, or on a server.
    pub(crate) async fn set_aside(&self) -> Result<Option<PathBuf>, StoreError> {
        let Database::Sqlite(file) = &self.0.address.database else { return Ok(None) };
        // Nobody opens it meanwhile.
        let _turn = self.0.address.turn().await?;
        self.0.writer.lock().await.take();
        self.give_up();
        if !self.is_damaged() {
            // Another process has set it aside, and this one is new.
            return Ok(None);
        }
        let name = |number: u32| beside(file, &format!(".damaged-{number}"));
        let Some(aside) = (1..).map(name).find(|name| !name.exists()) else { return Ok(None) };
        match fs::rename(file, &aside) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::File { path: file.clone(), source }),
        }
        for suffix in ["-wal", "-shm"] {
            // They belong to the file; one that is missing is no loss.
            fs::rename(beside(file, suffix), beside(&aside, suffix)).ok();
        }
        self.0.damaged.lock().take();
        Ok(Some(aside))
    }

    /// Waits for running calls and closes the connections.
    pub(crate) async fn close(&self) {
        let opened = self.0.opened.lock().take();
        if let Some(opened) = opened {
            opened.readers.close().await;
        }
        let writer = self.0.writer.lock().await.take();
        if let Some((writer, _)) = writer {
            writer.close().await.ok();
        }
    }

    /// Time that opening may take: somebody else may be doing it.
    fn patience(&self) -> Duration {
        self.0.address.settings.connect_timeout * 2
    }
}

impl Address {
    /// Processes that start at the same time take turns: SQLite's migrator takes no lock, and a change to WAL mode does
    /// not wait for one.
    async fn turn(&self) -> Result<Option<File>, StoreError> {
        match self.database.lock_file("start") {
            Some(path) => wait_for(path, self.settings.write_timeout).await.map(Some),
            None => Ok(None),
        }
    }

    async fn connect_and_migrate(&self) -> Result<AnyConnection, StoreError> {
        let _turn = self.turn().await?;
        let mut connection = self.connect().await?;
        if self.settings.migrates {
            migrations::run(&self.database, &mut connection).await?;
        }
        Ok(connection)
    }
}

/// The connection that writes, for one caller. Dropped without [`keep`](Self::keep) it is closed: whatever was under way
/// on it is undone, unless a commit had gone out.
pub(crate) struct Writer {
    connection: AnyConnection,
    file: Option<FileId>,
    slot: OwnedMutexGuard<Option<Written>>,
}

impl Writer {
    /// For the next write.
    pub(crate) fn keep(mut self) {
        *self.slot = Some((self.connection, self.file));
    }
}

impl Deref for Writer {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.connection
    }
}

impl DerefMut for Writer {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }
}
