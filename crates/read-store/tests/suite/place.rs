//! An empty database of its own for each test.

use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::path::PathBuf;
use std::{env, fs};

use fillstream_read_store::test_postgres::{StartError, TestPostgres};
use fillstream_read_store::{ReadStore, StoreError};
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor, Row};
use tokio::sync::OnceCell;

/// One server for all tests of the process; it goes with the process.
static SERVER: OnceCell<Option<TestPostgres>> = OnceCell::const_new();

pub struct Place {
    pub url: String,
    directory: Option<PathBuf>,
}

impl Place {
    pub fn sqlite() -> Self {
        let name = format!("fillstream-read-store-{:016x}", RandomState::new().hash_one(()));
        let directory = env::temp_dir().join(name);
        fs::create_dir(&directory).unwrap();
        Self { url: format!("sqlite://{}/read.db", directory.display()), directory: Some(directory) }
    }

    /// None where PostgreSQL is not installed.
    pub async fn postgres() -> Option<Self> {
        let server = SERVER.get_or_init(start).await.as_ref()?;
        Some(Self { url: server.database().await.unwrap(), directory: None })
    }

    pub fn is_sqlite(&self) -> bool {
        self.directory.is_some()
    }

    /// Path of the SQLite file.
    pub fn file(&self) -> PathBuf {
        self.directory.as_ref().unwrap().join("read.db")
    }

    /// The name of the database on the server.
    pub fn database(&self) -> String {
        self.url.split(['/', '?']).find(|part| part.starts_with("test_")).unwrap().to_owned()
    }

    pub async fn open(&self) -> ReadStore {
        ReadStore::open(&self.url).await.unwrap()
    }

    /// A connection without the store's rules.
    pub async fn raw(&self) -> AnyConnection {
        sqlx::any::install_default_drivers();
        AnyConnection::connect(&self.url).await.unwrap()
    }

    pub async fn execute(&self, statement: &str) {
        self.raw().await.execute(AssertSqlSafe(statement)).await.unwrap();
    }

    pub async fn number(&self, query: &str) -> i64 {
        self.raw().await.fetch_one(AssertSqlSafe(query)).await.unwrap().get(0)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory {
            fs::remove_dir_all(directory).ok();
        }
    }
}

async fn start() -> Option<TestPostgres> {
    match TestPostgres::start().await {
        Ok(server) => Some(server),
        Err(absent @ StartError::Absent) => {
            // `eprintln!` is captured in a test that passes; nobody should believe that these tests ran.
            let mut uncaptured = std::io::stderr();
            writeln!(uncaptured, "SKIPPED all tests over PostgreSQL: {absent}").unwrap();
            None
        }
        Err(failed @ StartError::Failed(_)) => panic!("{failed}"),
    }
}

/// As the driver reports it, in the store's words.
pub fn as_store_error(source: sqlx::Error) -> StoreError {
    StoreError::Sql { doing: "try", source }
}
