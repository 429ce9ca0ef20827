//! Changes that tests make to a database past the store's rules. Only this part knows the driver.

use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor};

/// A statement on a connection of its own.
///
/// # Panics
/// When it fails.
pub async fn execute_raw(url: &str, statement: &str) {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(url).await.expect("the database is there");
    connection.execute(AssertSqlSafe(statement.to_owned())).await.expect("the statement works");
    connection.close().await.expect("the connection closes");
}

/// A SQLite file's write lock, held until it is released or dropped.
#[derive(Debug)]
pub struct Lock(AnyConnection);

impl Lock {
    /// Takes it.
    ///
    /// # Panics
    /// When it cannot be had.
    pub async fn take(url: &str) -> Self {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(url).await.expect("the database is there");
        connection.execute("BEGIN IMMEDIATE").await.expect("the lock is free");
        Self(connection)
    }

    /// Gives it back.
    ///
    /// # Panics
    /// When the database fails.
    pub async fn release(mut self) {
        self.0.execute("ROLLBACK").await.expect("the lock is given back");
        self.0.close().await.expect("the connection closes");
    }
}
