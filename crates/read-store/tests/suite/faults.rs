//! Faults of a database: each trouble is told by its kind, and passes when its cause does.

use std::fs;
use std::process::Command;
use std::time::Duration;

use fillstream_read_store::{Applied, DatabaseSettings, ReadStore, StoreErrorKind};
use sqlx::Executor;

use crate::apply::project;
use crate::lives::{self, at, batch, end, expected, to};
use crate::place::Place;

/// So short that a test need not wait for long.
fn impatient() -> DatabaseSettings {
    let short = Duration::from_millis(300);
    DatabaseSettings {
        write_timeout: short,
        read_timeout: short,
        lock_timeout: short / 3,
        ..DatabaseSettings::default()
    }
}

/// Half of a stream is in the model; then `cause` comes, and what is written is `kind`; then `cure`, and it is written.
async fn passes(place: &Place, store: &ReadStore, cause: &[&str], kind: StoreErrorKind, cure: &[&str]) {
    let events = lives::stream(10);
    let half = events.len() / 2;
    let (early, late) = events.split_at(half);
    project(store, 0, early, 9).await;
    for statement in cause {
        place.execute(statement).await;
    }
    let error = loop {
        // The first one may be that a connection was cut; the next one meets the cause.
        match store.apply(at(end(early)), &batch(late), to(end(&events))).await {
            Ok(applied) => panic!("{cause:?}: {applied:?}"),
            Err(error) if error.kind() == kind => break error,
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Unreachable, "{cause:?}: {error:?}"),
        }
    };
    assert!(error.is_transient() && std::error::Error::source(&error).is_some(), "{error:?}");
    for statement in cure {
        place.execute(statement).await;
    }
    store.reconnect();
    project(store, end(early), late, 9).await;
    assert_eq!(store.dump().await.unwrap(), expected(&events), "{cause:?}");
}

#[tokio::test]
async fn postgres_troubles_pass() {
    /// Trouble that comes, its kind, and its cure. `DB` is the database; `app` is who writes.
    const TROUBLES: &[(&[&str], StoreErrorKind, &[&str])] = &[
        (
            &["ALTER DATABASE DB SET default_transaction_read_only = on", CUT],
            StoreErrorKind::ReadOnly,
            &["BEGIN READ WRITE; ALTER DATABASE DB RESET default_transaction_read_only; COMMIT"],
        ),
        (&["ALTER ROLE app NOLOGIN", CUT], StoreErrorKind::Denied, &["ALTER ROLE app LOGIN"]),
        (
            &["REVOKE INSERT ON swap_order_event_rows FROM app"],
            StoreErrorKind::Denied,
            &["GRANT INSERT ON swap_order_event_rows TO app"],
        ),
        (
            &["ALTER TABLE swap_order_event_rows RENAME TO gone"],
            StoreErrorKind::Failed,
            &["ALTER TABLE gone RENAME TO swap_order_event_rows"],
        ),
    ];
    const CUT: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
                       AND pid <> pg_backend_pid()";
    for (number, (cause, kind, cure)) in TROUBLES.iter().enumerate() {
        let Some(place) = Place::postgres().await else { return };
        let (database, role) = (place.database(), format!("app_{number}_{}", std::process::id()));
        let told = |statements: &[&str]| -> Vec<String> {
            let text = |text: &&str| text.replace(" DB ", &format!(" {database} ")).replace("app", &role);
            statements.iter().map(text).collect()
        };
        place.execute(&format!("CREATE ROLE {role} LOGIN")).await;
        place
            .execute(&format!(
                "GRANT ALL ON SCHEMA public TO {role}; GRANT ALL ON DATABASE {database} TO {role}"
            ))
            .await;
        let store =
            ReadStore::at(&place.url.replace("fillstream@", &format!("{role}@")), impatient()).unwrap();
        let (cause, cure) = (told(cause), told(cure));

        let cause: Vec<&str> = cause.iter().map(String::as_str).collect();
        let cure: Vec<&str> = cure.iter().map(String::as_str).collect();
        passes(&place, &store, &cause, *kind, &cure).await;
    }
}

/// A standby, or a server that was failed over to reading alone.
#[tokio::test]
async fn what_can_only_be_read_is_read() {
    let Some(place) = Place::postgres().await else { return };
    let events = lives::stream(5);
    project(&place.open().await, 0, &events, 9).await;
    let read_only = format!("ALTER DATABASE {} SET default_transaction_read_only = on", place.database());
    place.execute(&read_only).await;
    let store = place.open().await;
    assert_eq!(store.checkpoint().await.unwrap(), Some(at(end(&events))));
    assert!(store.swap_order(lives::order(1)).await.unwrap().is_some());
    let error = store.prove_writable().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::ReadOnly, "{error:?}");
}

#[tokio::test]
async fn who_looks_makes_no_tables() {
    let Some(place) = Place::postgres().await else { return };
    let looks = ReadStore::open_to_look(&place.url).await.unwrap();
    assert!(looks.checkpoint().await.is_err(), "there is none yet");
    let begins = place.open().await;
    assert_eq!(begins.checkpoint().await.unwrap(), None);
    assert_eq!(looks.checkpoint().await.unwrap(), None);
}

/// Somebody holds a table: the statement ends in time, and so does the wait for the checkpoint's row.
#[tokio::test]
async fn a_statement_that_hangs_ends() {
    let Some(place) = Place::postgres().await else { return };
    let settings = DatabaseSettings { lock_timeout: Duration::from_secs(60), ..impatient() };
    let events = lives::stream(5);
    for (settings, kind) in [(settings, StoreErrorKind::TimedOut), (impatient(), StoreErrorKind::Busy)] {
        let store = ReadStore::at(&place.url, settings).unwrap();
        assert!(store.checkpoint().await.unwrap().is_none());
        let mut holds = place.raw().await;
        holds.execute("BEGIN; LOCK TABLE swap_order_rows IN ACCESS EXCLUSIVE MODE").await.unwrap();
        let error = store.apply(at(0), &batch(&events), to(end(&events))).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        let read = store.swap_order(lives::order(1)).await.unwrap_err();
        assert_eq!(read.kind(), kind, "{read:?}");
        holds.execute("ROLLBACK").await.unwrap();
    }
    project(&place.open().await, 0, &events, 9).await;
}

#[tokio::test]
async fn a_lock_of_the_file_passes() {
    let place = Place::sqlite();
    let store = ReadStore::at(&place.url, impatient()).unwrap();
    let events = lives::stream(5);
    project(&store, 0, &events[..3], 9).await;
    let mut holds = place.raw().await;
    holds.execute("BEGIN IMMEDIATE").await.unwrap();
    let error = store.apply(at(end(&events[..3])), &batch(&events[3..]), to(end(&events))).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Busy, "{error:?}");
    holds.execute("ROLLBACK").await.unwrap();
    project(&store, end(&events[..3]), &events[3..], 9).await;
    assert_eq!(store.dump().await.unwrap(), expected(&events));
}

/// Rows of a file that is gone would be written to where nobody finds them.
#[tokio::test]
async fn a_file_that_was_removed_is_made_again() {
    let place = Place::sqlite();
    let store = place.open().await;
    let events = lives::stream(5);
    project(&store, 0, &events[..3], 9).await;
    fs::remove_file(place.file()).unwrap();
    let applied = store.apply(at(end(&events[..3])), &batch(&events[3..]), to(end(&events))).await.unwrap();
    assert_eq!(applied, Applied::Moved(at(0)));
    assert_eq!(store.checkpoint().await.unwrap(), None);
    project(&store, 0, &events, 9).await;
    assert_eq!(place.open().await.dump().await.unwrap(), expected(&events), "it is there for others, too");
}

#[tokio::test]
async fn a_file_that_is_broken_is_set_aside() {
    let events = lives::stream(5);
    for garbage in [&b"this is no database, whatever its name says"[..], &[0xff; 8192]] {
        let place = Place::sqlite();
        let store = place.open().await;
        project(&store, 0, &events[..3], 9).await;
        store.close().await;
        fs::write(place.file(), garbage).unwrap();
        assert!(!store.is_damaged());
        let error =
            store.apply(at(end(&events[..3])), &batch(&events[3..]), to(end(&events))).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Damaged, "{error:?}");
        assert!(store.is_damaged());
        let aside = store.set_aside().await.unwrap().unwrap();
        assert_eq!(fs::read(&aside).unwrap(), garbage);
        assert!(aside.display().to_string().ends_with("read.db.damaged-1"), "{}", aside.display());
        assert!(!store.is_damaged());
        project(&store, 0, &events, 9).await;
        assert_eq!(store.dump().await.unwrap(), expected(&events));
    }
}

/// Two processes find the same file broken: who comes second must not set the new one aside.
#[tokio::test]
async fn a_new_file_of_another_process_is_left_alone() {
    let place = Place::sqlite();
    let (first, second) = (place.open().await, place.open().await);
    let events = lives::stream(5);
    project(&first, 0, &events[..3], 9).await;
    for store in [&first, &second] {
        store.close().await;
    }
    fs::write(place.file(), [0xff; 8192]).unwrap();
    for store in [&first, &second] {
        assert!(store.prove_writable().await.is_err() && store.is_damaged());
    }
    assert!(first.set_aside().await.unwrap().is_some());
    project(&first, 0, &events, 9).await;
    assert!(!second.is_damaged(), "this one is another");
    assert_eq!(second.set_aside().await.unwrap(), None);
    assert_eq!(second.dump().await.unwrap(), expected(&events));
}

#[tokio::test]
async fn a_file_for_reading_alone_says_so() {
    let place = Place::sqlite();
    place.open().await.close().await;
    let store = ReadStore::open(&format!("{}?mode=ro", place.url)).await.unwrap();
    let events = lives::stream(1);
    let error = store.apply(at(0), &batch(&events), to(end(&events))).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::ReadOnly, "{error:?}");
}

/// On a file system of its own, where one can be mounted.
#[tokio::test]
async fn a_full_disk_passes() {
    let place = Place::sqlite();
    let disk = place.file().parent().unwrap().join("disk");
    fs::create_dir(&disk).unwrap();
    let mount = |options: &str| {
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&disk).output();
        done.is_ok_and(|done| done.status.success())
    };
    if !mount("size=1m") {
        use std::io::Write;
        writeln!(std::io::stderr(), "SKIPPED a full disk: no file system can be mounted here").unwrap();
        return;
    }
    let _mounted = Mounted(&disk);
    let store = ReadStore::open(&format!("sqlite://{}/read.db", disk.display())).await.unwrap();
    let events = lives::stream(600);
    let (mut from, mut error) = (0, None);
    for events in events.chunks(100) {
        match store.apply(at(from), &batch(events), to(end(events))).await {
            Ok(_) => from = end(events),
            Err(full) => {
                error = Some(full);
                break;
            }
        }
    }
    let error = error.expect("a megabyte is not enough");
    assert_eq!(error.kind(), StoreErrorKind::Full, "{error:?}");
    assert!(mount("remount,size=50m"));
    let left: Vec<_> = events.iter().filter(|recorded| recorded.seq > from).cloned().collect();
    project(&store, from, &left, 100).await;
    assert_eq!(store.dump().await.unwrap(), expected(&events));
    store.close().await;
}

struct Mounted<'a>(&'a std::path::Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(self.0).status().ok();
    }
}
