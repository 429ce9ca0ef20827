//! Opening, reopening, and what is worth a retry.

use std::path::Path;

use fillstream_read_store::{ReadStore, Rebuild, StoreError, StoreErrorKind};
use sqlx::Executor;

use crate::apply::project;
use crate::lives::{self, INCARNATION, end, expected, to};
use crate::place::{Place, as_store_error};

on_both!(
    a_model_is_there_after_reopening,
    many_open_at_once,
    a_newer_version_s_tables_are_refused,
    a_lock_that_is_held_is_worth_a_retry,
);

async fn a_model_is_there_after_reopening(place: &Place) {
    let events = lives::stream(10);
    for times in 1..=3 {
        let (before, now) = (&events[..(times - 1) * 10], &events[(times - 1) * 10..times * 10]);
        let store = place.open().await;
        project(&store, end(before), now, 4).await;
        assert_eq!(store.dump().await.unwrap(), expected(&events[..times * 10]));
        store.close().await;
    }
    let database = if place.is_sqlite() { "sqlite" } else { "postgres" };
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(database);
    let files = files.read_dir().unwrap().count();
    let applied = place.number("SELECT COUNT(*) FROM _sqlx_migrations").await;
    assert_eq!(usize::try_from(applied).unwrap(), files, "each file once, none forgotten in the binary");
}

async fn many_open_at_once(place: &Place) {
    let opening: Vec<_> = (0..24)
        .map(|_| {
            let url = place.url.clone();
            tokio::spawn(async move { ReadStore::open(&url).await })
        })
        .collect();
    for store in opening {
        assert_eq!(store.await.unwrap().unwrap().checkpoint().await.unwrap(), None);
    }
}

async fn a_newer_version_s_tables_are_refused(place: &Place) {
    place.open().await.close().await;
    place
        .execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             SELECT 999, 'of the future', success, checksum, 1 FROM _sqlx_migrations WHERE version = 1",
        )
        .await;
    let error = ReadStore::open(&place.url).await.unwrap_err();
    assert!(matches!(error, StoreError::Migrate(_)), "{error:?}");
    assert!(!error.is_transient());
    assert_eq!(error.kind(), StoreErrorKind::NewerSchema);
}

async fn a_lock_that_is_held_is_worth_a_retry(place: &Place) {
    let store = place.open().await;
    let closing = Rebuild::begin(&store, INCARNATION).await.unwrap().close_in().await.unwrap();
    let mut impatient = place.raw().await;
    let no_patience = if place.is_sqlite() { "PRAGMA busy_timeout = 0" } else { "SET lock_timeout = 1" };
    impatient.execute(no_patience).await.unwrap();
    let writes = "UPDATE read_model SET seq = seq";
    let busy = as_store_error(impatient.execute(writes).await.unwrap_err());
    assert!(busy.is_transient(), "{busy:?}");
    let wrong = as_store_error(impatient.execute("SELECT nothing FROM nowhere").await.unwrap_err());
    assert_eq!(wrong.kind(), StoreErrorKind::Failed, "a view waits for whoever mends it: {wrong:?}");
    drop(closing);
    let patient = place.execute(writes);
    tokio::time::timeout(std::time::Duration::from_secs(5), patient).await.expect("the lock is free again");
}

/// Only PostgreSQL can lose a connection.
#[tokio::test]
async fn a_lost_connection_is_worth_a_retry() {
    let Some(place) = Place::postgres().await else { return };
    let events = lives::stream(5);
    let store = place.open().await;
    let mut rebuild = Rebuild::begin(&store, INCARNATION).await.unwrap();
    let others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    place.number(&format!("SELECT COUNT(pg_terminate_backend(pid)) {others}")).await;
    let lost = rebuild.apply(&lives::batch(&events), to(end(&events))).await.unwrap_err();
    assert!(lost.is_transient(), "{lost:?}");
    project(&store, 0, &events, 3).await;
    assert_eq!(store.dump().await.unwrap(), expected(&events));
}

#[tokio::test]
async fn urls_that_name_no_read_model_are_refused() {
    for url in [
        "",
        "/tmp/read.db",
        "mysql://localhost/orders",
        "http://localhost/",
        "sqlite::memory:",
        "sqlite://:memory:",
        "sqlite://",
        "sqlite:///tmp/read.db?mode=memory",
        "postgres://user:secret@host:port/database",
    ] {
        let error = ReadStore::open(url).await.expect_err(url);
        assert!(matches!(error, StoreError::Url(_)), "{url}: {error:?}");
        assert!(error.to_string().contains("sqlite:///path/file.db"), "{error}");
    }
}

#[tokio::test]
async fn a_directory_that_is_missing_is_named() {
    let error = ReadStore::open("sqlite:///nowhere/at all/read.db").await.unwrap_err();
    assert_eq!(error.to_string(), "cannot use /nowhere/at all/read.db-start.lock");
}

#[tokio::test]
async fn a_file_may_have_any_name() {
    let place = Place::sqlite();
    let url = place.url.replace("read.db", "what%3F%20a name.db");
    ReadStore::open(&url).await.unwrap().close().await;
    let file = url.replace("sqlite://", "").replace("%3F%20", "? ");
    assert!(Path::new(&file).is_file(), "{file}");
}
