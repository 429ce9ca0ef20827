//! The files of `migrations/`, in the binary.

use sqlx::any::AnyRow;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, Executor, Row, SqlSafeStr};

use crate::connect::Database;
use crate::error::{StoreError, sql};

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

/// Applies what the database does not have yet. One that has all is only read: it may be a standby, or its user may not
/// change it.
pub(crate) async fn run(database: &Database, connection: &mut AnyConnection) -> Result<(), StoreError> {
    let files = match database {
        Database::Sqlite(_) => SQLITE,
        Database::Postgres => POSTGRES,
    };
    let migration = |(version, name, text): &(i64, &'static str, &'static str)| {
        Migration::new(*version, (*name).into(), MigrationType::Simple, text.into_sql_str(), false)
    };
    let migrations: Vec<_> = files.iter().map(migration).collect();
    if has_all(connection, &migrations).await {
        return Ok(());
    }
    if *database == Database::Postgres {
        // An index over millions of rows takes as long as it takes.
        connection
            .execute("SET statement_timeout = 0")
            .await
            .map_err(sql("bring the tables of the read model up to date"))?;
    }
    Ok(Migrator::with_migrations(migrations).run_direct(None, connection, false).await?)
}

/// True when exactly these were applied. A table that is missing is no error: nothing was applied then.
async fn has_all(connection: &mut AnyConnection, migrations: &[Migration]) -> bool {
    const APPLIED: &str = "SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version";
    let Ok(rows) = sqlx::query(APPLIED).fetch_all(connection).await else { return false };
    let applied = |row: &AnyRow| Some((row.try_get(0).ok()?, row.try_get(1).ok()?));
    let applied: Option<Vec<(i64, Vec<u8>)>> = rows.iter().map(applied).collect();
    let wanted = migrations.iter().map(|migration| (migration.version, migration.checksum.to_vec()));
    applied.is_some_and(|applied| applied.into_iter().eq(wanted))
}
