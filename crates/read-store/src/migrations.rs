//! The files of `migrations/`, in the binary.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, SqlSafeStr};

use crate::connect::Database;
use crate::error::StoreError;

/// Version, name and text. A released one never changes: its checksum is in every database.
type Files = [(i64, &'static str, &'static str)];

/// `sqlx::migrate!` would collect these, at the price of sqlx's macros and all they depend on.
const SQLITE: &Files = &[
    (1, "swap orders", include_str!("../../../migrations/sqlite/0001_swap_orders.sql")),
    (2, "book orders", include_str!("../../../migrations/sqlite/0002_book_orders.sql")),
    (3, "records", include_str!("../../../migrations/sqlite/0003_records.sql")),
    (4, "own trades", include_str!("../../../migrations/sqlite/0004_own_trades.sql")),
];
const POSTGRES: &Files = &[
    (1, "swap orders", include_str!("../../../migrations/postgres/0001_swap_orders.sql")),
    (2, "book orders", include_str!("../../../migrations/postgres/0002_book_orders.sql")),
    (3, "records", include_str!("../../../migrations/postgres/0003_records.sql")),
    (4, "own trades", include_str!("../../../migrations/postgres/0004_own_trades.sql")),
];

/// Applies what the database does not have yet.
pub(crate) async fn run(database: &Database, connection: &mut AnyConnection) -> Result<(), StoreError> {
    let files = match database {
        Database::Sqlite(_) => SQLITE,
        Database::Postgres => POSTGRES,
    };
    let migration = |(version, name, text): &(i64, &'static str, &'static str)| {
        Migration::new(*version, (*name).into(), MigrationType::Simple, text.into_sql_str(), false)
    };
    let migrator = Migrator::with_migrations(files.iter().map(migration).collect());
    Ok(migrator.run_direct(None, connection, false).await?)
}
