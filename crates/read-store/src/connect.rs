//! From a URL to a pool whose tables are up to date.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AnyPool, Executor};

use crate::error::{StoreError, sql};
use crate::migrations;

/// Connections of one process: one writes, the others answer GETs; a rebuild brings its own.
const POOL_CONNECTIONS: u32 = 4;
/// How long a call waits for a connection, or for the database to come up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Told without the URL, which may hold a password.
const FORMS: &str = "must look like sqlite:///path/file.db or postgres://user@host/database";

/// What the two databases do differently. Everything else is the same code and the same SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Database {
    /// A file; other processes on this machine may have it open as well.
    Sqlite(PathBuf),
    /// A server.
    Postgres,
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

    /// Settings of each connection.
    const fn settings(&self) -> &'static str {
        match self {
            // WAL: readers go on while one writes. NORMAL: a power failure may take the last transactions back, rows
            // and checkpoint together; the projector then writes them again from the stream.
            // 32 MiB of pages: with the default 2 MiB the indexes' leaves are read again and again. 4,000 pages to a
            // checkpoint: pages that change in every transaction are copied back a quarter as often.
            Self::Sqlite(_) => {
                "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; \
                 PRAGMA temp_store = MEMORY; PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 4000"
            }
            Self::Postgres => "SET application_name = 'fillstream'",
        }
    }

    /// A lock file beside the SQLite file; the operating system frees it when its holder dies, however.
    /// None on PostgreSQL, which has locks of its own.
    pub(crate) fn lock_file(&self, purpose: &str) -> Option<PathBuf> {
        match self {
            Self::Sqlite(file) => {
                let mut name = file.clone().into_os_string();
                name.push(format!("-{purpose}.lock"));
                Some(name.into())
            }
            Self::Postgres => None,
        }
    }
}

/// Opens the database, makes it if it is a missing file, and brings its tables up to date. Processes that start at
/// the same time take turns.
pub(crate) async fn open(url: &str) -> Result<(Database, AnyPool), StoreError> {
    sqlx::any::install_default_drivers();
    let mut options = AnyConnectOptions::from_str(url).map_err(|_| StoreError::Url(FORMS))?;
    let database = Database::of(options.database_url.as_str())?;
    if matches!(database, Database::Sqlite(_)) && !url.contains("mode=") {
        options.database_url.query_pairs_mut().append_pair("mode", "rwc");
    }
    let settings = database.settings();
    let pool =
        AnyPoolOptions::new().max_connections(POOL_CONNECTIONS).acquire_timeout(PATIENCE).after_connect(
            move |connection, _| Box::pin(async move { connection.execute(settings).await.map(drop) }),
        );
    // SQLite's migrator takes no lock, and a change to WAL mode does not wait for one.
    let turn = match database.lock_file("start") {
        Some(path) => Some(wait_for(path).await?),
        None => None,
    };
    let pool = pool.connect_with(options).await.map_err(sql("open the read model's database"))?;
    migrations::run(&database, &pool).await?;
    drop(turn);
    Ok((database, pool))
}

async fn wait_for(path: PathBuf) -> Result<File, StoreError> {
    let blocking = move || {
        let file = create(&path)?;
        file.lock().map_err(|source| StoreError::File { path, source })?;
        Ok(file)
    };
    tokio::task::spawn_blocking(blocking).await.expect("locking a file does not panic, and nobody aborts it")
}

/// An empty file to lock.
pub(crate) fn create(path: &Path) -> Result<File, StoreError> {
    File::create(path).map_err(|source| StoreError::File { path: path.to_owned(), source })
}
