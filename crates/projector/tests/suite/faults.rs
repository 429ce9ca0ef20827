//! Troubles of the database: the projector lives on, says what stands in its way, and heals when the cause is gone.

use std::fs;
use std::time::Duration;

use fillstream_read_store::test_postgres::{StartError, TestPostgres};
use fillstream_read_store::{DatabaseSettings, ReadStore};

use crate::site::{Site, eventually};

/// The trouble that the projector tells of, once it does.
async fn told(site: &Site, running: &crate::site::Running, words: &str) {
    let obstacles = running.projector.obstacles();
    eventually(
        || obstacles.all().iter().any(|(_, obstacle)| obstacle.reason.contains(words)),
        || format!("{words:?} is not among {:?} of {}", obstacles.all(), site.directory.display()),
    )
    .await;
}

/// And no more of any.
async fn nothing_told(running: &crate::site::Running) {
    let obstacles = running.projector.obstacles();
    eventually(|| obstacles.all().is_empty(), || format!("{:?}", obstacles.all())).await;
}

#[tokio::test]
async fn a_file_that_is_removed_or_broken_is_made_anew() {
    for trouble in [
        |site: &Site| fs::remove_file(site.file()).unwrap(),
        |site: &Site| {
            for suffix in ["-wal", "-shm"] {
                fs::remove_file(format!("{}{suffix}", site.file().display())).ok();
            }
            fs::remove_file(site.file()).unwrap();
            fs::write(site.file(), [0xff; 8192]).unwrap();
        },
    ] {
        let site = Site::new().await;
        site.begin();
        let running = site.start();
        running.reach(4).await;
        trouble(&site);
        // Also while nothing comes.
        eventually(
            || site.file().exists() && fs::read(site.file()).unwrap().starts_with(b"SQLite format 3"),
            || "no new file".to_owned(),
        )
        .await;
        site.holds(4).await;
        site.is_as_rebuilt().await;
        let last = site.place(2);
        running.reach(last).await;
        site.is_as_rebuilt().await;
        nothing_told(&running).await;
    }
}

#[tokio::test]
async fn a_locked_file_is_waited_for() {
    let site = Site::impatient().await;
    site.begin();
    let running = site.start();
    running.reach(4).await;
    let lock = site.lock().await;
    let last = site.place(2);
    told(&site, &running, "database is locked").await;
    assert_eq!(running.projector.position().get(), 4);
    lock.release().await;
    running.reach(last).await;
    nothing_told(&running).await;
}

/// At the start as well, and the database comes later.
#[tokio::test]
async fn a_database_that_is_not_there_is_waited_for() {
    let site = Site::new().await;
    let directory = site.directory.join("later");
    let url = format!("sqlite://{}/read.db", directory.display());
    let store = ReadStore::at(&url, DatabaseSettings::default()).unwrap();
    let site = Site { store, log: site.log.clone(), directory: site.directory.clone() };
    site.begin();
    let running = site.start();
    told(&site, &running, "No such file").await;
    fs::create_dir(&directory).unwrap();
    running.reach(4).await;
    nothing_told(&running).await;
}

#[tokio::test]
async fn postgres_goes_and_comes() {
    let server = match TestPostgres::start().await {
        Ok(server) => server,
        Err(StartError::Absent) => return eprintln!("SKIPPED: PostgreSQL is not installed"),
        Err(failed) => panic!("{failed}"),
    };
    let (url, short) = (server.database().await.unwrap(), Duration::from_millis(500));
    let site = Site::new().await;
    let store = ReadStore::at(
        &url,
        DatabaseSettings {
            connect_timeout: short,
            read_timeout: short,
            write_timeout: short,
            ..DatabaseSettings::default()
        },
    )
    .unwrap();
    let site = Site { store, log: site.log.clone(), directory: site.directory.clone() };
    site.begin();
    let running = site.start();
    running.reach(4).await;
    server.pause(true);
    let last = site.place(2);
    told(&site, &running, "does not answer").await;
    server.pause(false);
    running.reach(last).await;
    nothing_told(&running).await;
    let last = site.place(3);
    running.reach(last).await;
    // And while nothing comes.
    server.pause(true);
    told(&site, &running, "does not answer").await;
    server.pause(false);
    nothing_told(&running).await;
    assert_eq!(site.store.dump().await.unwrap(), site.rebuilt().await);
}
