//! From a URL to connections.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Connection, Executor};
use tokio::time::{Instant, sleep, timeout};

use crate::error::{StoreError, sql};
use crate::settings::DatabaseSettings;

/// Told without the URL, which may hold a password.
const FORMS: &str = "must look like sqlite:///path/file.db or postgres://user@host/database";

/// Differences between the two databases. Everything else is the same code and the same SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Database {
    /// A file; other processes on this machine may have it open as well.
    Sqlite(PathBuf),
    /// A server.
    Postgres,
}

/// Between two tries to lock a file.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// A file as the file system knows it, whatever its name: device and inode.
pub(crate) type FileId = (u64, u64);

/// Place of the read model, and the way to it.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) database: Database,
    options: AnyConnectOptions,
    pub(crate) settings: DatabaseSettings,
}

impl Address {
    pub(crate) fn parse(url: &str, settings: DatabaseSettings) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let mut options = AnyConnectOptions::from_str(url).map_err(|_| StoreError::Url(FORMS))?;
        let database = Database::of(options.database_url.as_str())?;
        if matches!(database, Database::Sqlite(_)) && !url.contains("mode=") {
            options.database_url.query_pairs_mut().append_pair("mode", "rwc");
        }
        Ok(Self { database, options, settings })
    }

    /// A connection for writing. Unlike a pool's, whose failures all look like a wait, it says what was wrong.
    pub(crate) async fn connect(&self) -> Result<AnyConnection, StoreError> {
        let doing = "connect to the read model's database";
        let settings = self.database.settings(&self.settings, self.settings.write_timeout);
        let connecting = async {
            let mut connection = AnyConnection::connect_with(&self.options).await?;
            connection.execute(AssertSqlSafe(settings)).await?;
            Ok::<_, sqlx::Error>(connection)
        };
        let connected = timeout(self.settings.connect_timeout, connecting).await;
        connected.map_err(|_| StoreError::TimedOut { doing })?.map_err(sql(doing))
    }

    /// Connections for reading, made when they are wanted.
    pub(crate) fn readers(&self) -> AnyPool {
        let settings = self.database.settings(&self.settings, self.settings.read_timeout);
        AnyPoolOptions::new()
            .max_connections(self.settings.readers.max(1))
            .acquire_timeout(self.settings.connect_timeout)
            .after_connect(move |connection, _| {
                let settings = AssertSqlSafe(settings.clone());
                Box::pin(async move { connection.execute(settings).await.map(drop) })
            })
            .connect_lazy_with(self.options.clone())
    }

    /// The file that the name stands for now; nothing when it is missing, or on a server.
    pub(crate) fn file(&self) -> Option<FileId> {
        match &self.database {
            Database::Sqlite(path) => fs::metadata(path).ok().map(|file| (file.dev(), file.ino())),
            Database::Postgres => None,
        }
    }
}

impl Database {
    fn of(url: &str) -> Result<Self, StoreError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres);
        }
        if !url.starts_with("sqlite://") {
            return Err(StoreError::Url(FORMS));
        }
        let options = SqliteConnectOptions::from_str(url).map_err(sql("read the database URL"))?;
        let file = options.get_filename().to_owned();
        // Each connection would get an empty model of its own.
        if file.as_os_str().is_empty() || url.contains(":memory:") || url.contains("mode=memory") {
            return Err(StoreError::Url("must name a file, as in sqlite:///path/file.db"));
        }
        Ok(Self::Sqlite(file))
    }

    /// What a connection is told first, whose statements may take so long.
    fn settings(&self, settings: &DatabaseSettings, statement: Duration) -> String {
        let DatabaseSettings { lock_timeout, idle_transaction_timeout, keepalive_timeout, .. } = settings;
        match self {
            // WAL: readers go on while one writes. NORMAL: a power failure may take the last transactions back, rows
            // and checkpoint together; the projector then writes them again from the stream.
            // 32 MiB of pages: with the default 2 MiB the indexes' leaves are read again and again. 4,000 pages to a
            // checkpoint: pages that change in every transaction are copied back a quarter as often.
            Self::Sqlite(_) => format!(
                "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; \
                 PRAGMA temp_store = MEMORY; PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 4000",
                lock_timeout.as_millis()
            ),
            // The server's side of a connection that is dead: its transaction would hold the checkpoint's row for ever.
            Self::Postgres => format!(
                "SET application_name = 'fillstream'; SET statement_timeout = {}; SET lock_timeout = {}; \
                 SET idle_in_transaction_session_timeout = {}; SET tcp_user_timeout = {keepalive}; \
                 SET tcp_keepalives_idle = {idle}; SET tcp_keepalives_interval = {interval}; \
                 SET tcp_keepalives_count = 3",
                statement.as_millis(),
                lock_timeout.as_millis(),
                idle_transaction_timeout.as_millis(),
                keepalive = keepalive_timeout.as_millis(),
                idle = (keepalive_timeout.as_secs() / 2).max(1),
                interval = (keepalive_timeout.as_secs() / 6).max(1),
            ),
        }
    }

    /// A lock file beside the SQLite file; the operating system frees it when its holder dies, however.
    /// None on PostgreSQL, which has locks of its own.
    pub(crate) fn lock_file(&self, purpose: &str) -> Option<PathBuf> {
        match self {
            Self::Sqlite(file) => Some(beside(file, &format!("-{purpose}.lock"))),
            Self::Postgres => None,
        }
    }
}

/// The file's name with something behind it.
pub(crate) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.to_owned().into_os_string();
    name.push(suffix);
    name.into()
}

/// Waits for the lock on a file, for as long as `patience`. No thread is blocked by it: a shutdown would wait for that.
pub(crate) async fn wait_for(path: PathBuf, patience: Duration) -> Result<File, StoreError> {
    let file = create(&path)?;
    let until = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < until => sleep(ASK_AGAIN).await,
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::TimedOut { doing: "wait for others that open the read model" });
            }
            Err(TryLockError::Error(source)) => return Err(StoreError::File { path, source }),
        }
    }
}

/// An empty file to lock.
pub(crate) fn create(path: &Path) -> Result<File, StoreError> {
    File::create(path).map_err(|source| StoreError::File { path: path.to_owned(), source })
}
