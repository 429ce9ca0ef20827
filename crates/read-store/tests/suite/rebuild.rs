//! A model built beside the live one.

use std::time::{Duration, Instant};

use fillstream_domain::{Incarnation, Seq};
use fillstream_read_store::{Checkpoint, ReadStore, Rebuild, StoreError};
use sqlx::{Executor, Row};

use crate::apply::project;
use crate::lives::{self, INCARNATION, Recorded, at, batch, end, expected, to};
use crate::place::Place;

on_both!(
    a_rebuilt_model_equals_the_live_one,
    repeated_rebuilds_leave_nothing_behind,
    a_dead_rebuild_is_swept_by_the_next,
    a_dropped_closing_changes_nothing,
    a_second_rebuild_is_refused,
    a_model_that_is_behind_is_not_swapped_in,
    a_recreated_stream_is_followed_after_a_rebuild,
);

/// A whole rebuild: most of it beside the live model, the rest under the lock.
pub async fn rebuild(store: &ReadStore, events: &[Recorded], size: usize) -> Checkpoint {
    let mut rebuild = Rebuild::begin(store, INCARNATION).await.unwrap();
    let until = store.checkpoint().await.unwrap().map_or(Seq::ZERO, |live| live.seq);
    let mut batches = events.chunks(size);
    while rebuild.reached().seq < until {
        let events = batches.next().unwrap();
        assert_eq!(rebuild.apply(&batch(events), to(end(events))).await.unwrap(), []);
    }
    let mut closing = rebuild.close_in().await.unwrap();
    while closing.reached().seq < closing.must_reach() {
        let events = batches.next().unwrap();
        assert_eq!(closing.apply(&batch(events), to(end(events))).await.unwrap(), []);
    }
    closing.swap().await.unwrap()
}

/// Number of rows of all generations in each table.
async fn stored(place: &Place) -> Vec<(String, i64)> {
    let tables = if place.is_sqlite() {
        "SELECT t.name FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c ON c.name = 'generation' \
         WHERE t.type = 'table' AND t.name <> 'read_model' ORDER BY 1"
    } else {
        "SELECT c.relname::text FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid \
         WHERE a.attname = 'generation' AND c.relkind = 'r' AND c.relname <> 'read_model' ORDER BY 1"
    };
    let mut stored = Vec::new();
    for row in place.raw().await.fetch_all(tables).await.unwrap() {
        let table: String = row.get(0);
        let rows = place.number(&format!("SELECT COUNT(*) FROM {table}")).await;
        stored.push((table, rows));
    }
    stored
}

/// Names of all tables, views, indexes and constraints.
async fn names(place: &Place) -> Vec<String> {
    let query = if place.is_sqlite() {
        "SELECT type || name || COALESCE(sql, '') AS name FROM sqlite_schema ORDER BY 1"
    } else {
        "SELECT relkind::text || relname::text AS name FROM pg_class \
         WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
    };
    let rows = place.raw().await.fetch_all(query).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn a_rebuilt_model_equals_the_live_one(place: &Place) {
    let events = lives::stream(30);
    let store = place.open().await;
    project(&store, 0, &events[..100], 13).await;
    // Damage that only a rebuild repairs.
    place.execute("UPDATE swap_order_rows SET status = 'failed'").await;
    place.execute("DELETE FROM swap_order_event_rows WHERE type = 'swap.routed'").await;
    place.execute("UPDATE book_order_rows SET status = 'CANCELLED', last_seq = 1000000").await;
    place.execute("DELETE FROM trade_rows").await;
    place.execute("UPDATE level_rows SET quantity = '7'").await;
    place.execute("UPDATE market_rows SET commit_seq = 1000000").await;
    assert_ne!(store.dump().await.unwrap(), expected(&events[..100]));
    let reached = rebuild(&store, &events, 100).await;
    assert_eq!(reached, at(end(&events[..100])));
    assert_eq!(store.dump().await.unwrap(), expected(&events[..100]));
    project(&store, reached.seq.get(), &events[100..], 13).await;
    assert_eq!(store.dump().await.unwrap(), expected(&events));
}

async fn repeated_rebuilds_leave_nothing_behind(place: &Place) {
    let events = lives::stream(30);
    let store = place.open().await;
    project(&store, 0, &events, 50).await;
    let (before, names_before) = (stored(place).await, names(place).await);
    assert!(names_before.iter().any(|name| name.contains("swap_order_rows")), "{names_before:?}");
    for size in [7, 64, 10_000] {
        rebuild(&store, &events, size).await;
        assert_eq!(store.dump().await.unwrap(), expected(&events));
        assert_eq!(stored(place).await, before);
    }
    assert_eq!(names(place).await, names_before);
}

async fn a_dead_rebuild_is_swept_by_the_next(place: &Place) {
    let events = lives::stream(30);
    let store = place.open().await;
    project(&store, 0, &events, 50).await;
    let before = stored(place).await;
    let mut dies = Rebuild::begin(&store, INCARNATION).await.unwrap();
    dies.apply(&batch(&events[..70]), to(end(&events[..70]))).await.unwrap();
    let torso = stored(place).await;
    assert!(torso.iter().zip(&before).all(|(now, before)| now.1 > before.1), "{torso:?} {before:?}");
    drop(dies);
    assert_eq!(store.dump().await.unwrap(), expected(&events), "nobody sees the torso");
    let mut lives = begin_once_free(&store).await;
    assert_eq!(stored(place).await, before);
    lives.apply(&batch(&events), to(end(&events))).await.unwrap();
    lives.close_in().await.unwrap().swap().await.unwrap();
    assert_eq!(store.dump().await.unwrap(), expected(&events));
    assert_eq!(stored(place).await, before);
}

async fn a_dropped_closing_changes_nothing(place: &Place) {
    let events = lives::stream(20);
    let store = place.open().await;
    project(&store, 0, &events[..50], 50).await;
    let mut closing = Rebuild::begin(&store, INCARNATION).await.unwrap().close_in().await.unwrap();
    closing.apply(&batch(&events), to(end(&events))).await.unwrap();
    assert_eq!(store.dump().await.unwrap(), expected(&events[..50]), "reads go on under the lock");
    drop(closing);
    project(&store, end(&events[..50]), &events[50..], 9).await;
    assert_eq!(store.dump().await.unwrap(), expected(&events));
}

async fn a_second_rebuild_is_refused(place: &Place) {
    let events = lives::stream(20);
    let (store, other) = (place.open().await, place.open().await);
    project(&store, 0, &events, 50).await;
    let mut first = Rebuild::begin(&store, INCARNATION).await.unwrap();
    first.apply(&batch(&events[..50]), to(end(&events[..50]))).await.unwrap();
    for store in [&store, &other] {
        let error = Rebuild::begin(store, INCARNATION).await.unwrap_err();
        assert_eq!(error.to_string(), "another rebuild of this read model is under way");
    }
    first.apply(&batch(&events[50..]), to(end(&events))).await.unwrap();
    first.close_in().await.unwrap().swap().await.unwrap();
    assert_eq!(other.dump().await.unwrap(), expected(&events), "the refused one did no harm");
    rebuild(&other, &events, 9).await;
}

async fn a_model_that_is_behind_is_not_swapped_in(place: &Place) {
    let events = lives::stream(20);
    let store = place.open().await;
    project(&store, 0, &events, 50).await;
    let mut rebuild = Rebuild::begin(&store, INCARNATION).await.unwrap();
    let error = rebuild.apply(&batch(&events), to(end(&events) - 1)).await.unwrap_err();
    assert!(matches!(error, StoreError::OutOfRange { .. }), "{error:?}");
    rebuild.apply(&batch(&events[..50]), to(end(&events[..50]))).await.unwrap();
    let closing = rebuild.close_in().await.unwrap();
    assert_eq!(closing.must_reach().get(), end(&events));
    let error = closing.swap().await.unwrap_err();
    assert!(matches!(error, StoreError::RebuildBehind { .. }), "{error:?}");
    assert_eq!(store.dump().await.unwrap(), expected(&events));
}

async fn a_recreated_stream_is_followed_after_a_rebuild(place: &Place) {
    let old = lives::stream(20);
    let store = place.open().await;
    project(&store, 0, &old, 50).await;
    let mut rebuild = Rebuild::begin(&store, Incarnation::new(8)).await.unwrap();
    let other = Checkpoint::start(Incarnation::new(8)).moved_to(to(2));
    rebuild.apply(&batch(&[lives::placed(2, lives::order(1))]), to(2)).await.unwrap();
    let closing = rebuild.close_in().await.unwrap();
    assert_eq!(closing.must_reach(), Seq::ZERO);
    assert_eq!(closing.swap().await.unwrap(), other);
    let dump = store.dump().await.unwrap();
    assert_eq!((dump.orders.len(), dump.events.len()), (1, 1));
    assert_eq!(dump.checkpoint, Some(other));
}

/// PostgreSQL frees the right of a dead connection once it notices.
async fn begin_once_free(store: &ReadStore) -> Rebuild {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match Rebuild::begin(store, INCARNATION).await {
            Ok(rebuild) => return rebuild,
            Err(error) => assert!(error.is_transient() && Instant::now() < deadline, "{error:?}"),
        }
    }
}
