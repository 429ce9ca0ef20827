//! The database of the rows fails: orders are taken, matched and executed all the same, the cause is told in the database's own
//! words, and it heals by itself, whether anything comes or not.

use std::{fs, path::PathBuf};

use fillstream_read_store::{
    test_postgres::TestPostgres,
    test_raw::{Lock, execute_raw},
};
use fillstream_tests::{Scratch, http::get, socket::Client, tools::skipped};

use super::{ANN, EXECUTE, ORDERS, SWAP, disk::SmallDisk, figure, rest, send, until};
use crate::{
    cli_cases::said,
    site::{Site, quiet},
};

/// So short that a test need not wait for long.
const IMPATIENT: [&str; 5] = [
    "--ready-within=2s",
    "--database-connect-timeout=1s",
    "--database-read-timeout=1s",
    "--database-write-timeout=1s",
    "--database-lock-timeout=500ms",
];
/// Ends all connections but the one that asks.
const CUT: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
                   AND pid <> pg_backend_pid()";

/// A site over rows at this address.
fn site(scratch: Scratch, url: &str) -> Site {
    let rows = format!("--database-url={url}");
    let port = format!("--nats-port={}", fillstream_tests::free_port());
    Site::over(scratch, "up", &[&[port.as_str(), rows.as_str()], &IMPATIENT[..]].concat())
}

/// A swap is executed, a book order placed and cancelled, whatever becomes of the rows; the swap.
async fn works(site: &Site) -> String {
    let placed = send(site, "POST", EXECUTE, &[], SWAP).await;
    assert_eq!(placed.status, 201, "{}", String::from_utf8_lossy(&placed.body));
    let order = placed.json()["orderId"].as_str().expect("an id").to_owned();
    let mut watcher = Client::progress(site.address(), &order, "").await.expect("it opens");
    let (messages, _) = watcher.to_the_end().await;
    assert_eq!(messages.last().map(|last| last["status"].clone()), Some("confirmed".into()), "{messages:?}");
    let resting = rest(site, 100).await;
    let cancelled = send(site, "DELETE", &format!("{ORDERS}/{resting}?user_id={ANN}"), &[], "").await;
    assert_eq!(cancelled.status, 200, "{}", String::from_utf8_lossy(&cancelled.body));
    order
}

/// Half of the orders come before the fault and half while it lasts; after it all of them are found.
async fn passes(site: &Site, words: &str, cause: impl AsyncFnOnce(), cure: impl AsyncFnOnce()) {
    until(site, "/ready", "ready", |ready| ready.status == 200).await;
    let before = works(site).await;
    cause().await;
    let during = works(site).await;
    let told = until(site, "/ready?role=projector", "told", |ready| {
        ready.status == 503 && ready.json().to_string().contains(words)
    })
    .await;
    // A connection that is cut fails first, with words of its own; those of what lasts come 30 s later.
    let said = site.process.said();
    let lines = ["projector: rows not written", "projector: checkpoint not read"];
    assert!(lines.iter().any(|line| said.contains(line)), "{said}");
    for role in ["api", "matcher", "executor", "bridge"] {
        let ready = get(site.address(), &format!("/ready?role={role}")).await;
        assert_eq!(ready.status, 200, "{role}: {}\nprojector: {}", ready.json(), told.json());
    }
    assert_eq!(figure(site, "fillstream_ready{role=\"projector\"}").await, Some(0.0), "{words}");
    cure().await;
    until(site, "/ready", "ready again", |ready| ready.status == 200).await;
    for order in [before, during] {
        until(site, &format!("/api/orders/{order}"), "found", |order| order.json()["status"] == "confirmed")
            .await;
    }
}

/// The file of the rows of a site of its own.
fn sqlite(name: &str) -> (Scratch, PathBuf, String) {
    let scratch = Scratch::new(name);
    let file = scratch.path().join("rows.db");
    let url = format!("sqlite://{}", file.display());
    (scratch, file, url)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_file() {
    let (scratch, _, url) = sqlite("locked");
    let site = site(scratch, &url);
    let held = tokio::sync::Mutex::new(None);
    let cause = async || *held.lock().await = Some(Lock::take(&url).await);
    passes(&site, "database is locked", cause, async || {
        held.lock().await.take().expect("it is held").release().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_removed_or_broken_is_made_anew() {
    let (scratch, file, url) = sqlite("broken");
    let site = site(scratch, &url);
    until(&site, "/ready", "ready", |ready| ready.status == 200).await;
    let mut orders = vec![works(&site).await];
    for garbage in [None, Some([0xff; 8192])] {
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{suffix}", file.display()));
        }
        if let Some(garbage) = garbage {
            fs::write(&file, garbage).expect("it is broken");
        }
        orders.push(works(&site).await);
        for order in &orders {
            until(&site, &format!("/api/orders/{order}"), "found", |order| {
                order.json()["status"] == "confirmed"
            })
            .await;
        }
        until(&site, "/ready", "ready again", |ready| ready.status == 200).await;
    }
    let said = site.process.said();
    assert!(said.contains("rows.db.damaged-1"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk() {
    let scratch = Scratch::new("rows-full");
    let Some(disk) = SmallDisk::mount(&scratch.path().join("rows")) else { return };
    let url = format!("sqlite://{}", scratch.path().join("rows/rows.db").display());
    let site = site(scratch, &url);
    let cause = async || {
        disk.fill();
        // What is left of pages and of the log's file still takes some.
        let mut placed = 0;
        while get(site.address(), "/ready?role=projector").await.status == 200 {
            works(&site).await;
            placed += 1;
            assert!(placed < 300, "the disk is not full:\n{}", site.process.said());
        }
    };
    passes(&site, "full", cause, async || disk.empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_in_all_its_moods() {
    let server = match TestPostgres::start().await {
        Ok(server) => server,
        Err(why) => return skipped(&format!("no PostgreSQL here: {why}")),
    };
    let owner = server.database().await.expect("a database can be made");
    let database = owner.split(['/', '?']).find(|part| part.starts_with("test_")).map(str::to_owned);
    let database = database.unwrap_or_else(|| panic!("no name in {owner}"));
    let run = async |statements: &str| {
        for statement in statements.split(";;") {
            execute_raw(&owner, &statement.replace("<database>", &database)).await;
        }
    };
    run("CREATE ROLE app LOGIN;;GRANT ALL ON SCHEMA public TO app;;GRANT ALL ON DATABASE <database> TO app")
        .await;
    let site = site(Scratch::new("moods"), &owner.replace("fillstream@", "app@"));
    for (words, cause, cure) in [
        (
            "read-only transaction",
            "ALTER ROLE app SET default_transaction_read_only = on;;<cut>",
            "ALTER ROLE app RESET default_transaction_read_only;;<cut>",
        ),
        ("not permitted to log in", "ALTER ROLE app NOLOGIN;;<cut>", "ALTER ROLE app LOGIN"),
        (
            "statement timeout",
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END';;\
             CREATE TRIGGER slow BEFORE UPDATE ON read_model FOR EACH ROW EXECUTE FUNCTION slow()",
            "DROP TRIGGER slow ON read_model",
        ),
    ] {
        passes(
            &site,
            words,
            async || run(&cause.replace("<cut>", CUT)).await,
            async || {
                run(&cure.replace("<cut>", CUT)).await;
            },
        )
        .await;
    }
    // Frozen, as one that is cut off.
    passes(&site, "does not answer", async || server.pause(true), async || server.pause(false)).await;
    // Cut again and again: nobody notices for long.
    for _ in 0..5 {
        run(CUT).await;
        works(&site).await;
    }
    until(&site, "/ready", "ready", |ready| ready.status == 200).await;
}

#[tokio::test]
async fn an_api_beside_a_broken_file_of_another_process_says_so_unasked() {
    let scratch = Scratch::new("beside-broken");
    let file = scratch.path().join("rows.db");
    fs::write(&file, [0xff; 8192]).expect("a file");
    let url = format!("--database-url=sqlite://{}", file.display());
    let site = Site::serve("api", &[&url]);
    let told =
        until(&site, "/ready?role=api", "told", |ready| ready.json().to_string().contains("rows not read"));
    let told = told.await;
    // New orders need no rows.
    assert_eq!(told.status, 200, "{}", told.json());
    assert!(told.json().to_string().contains("not a database"), "{}", told.json());
    assert!(site.process.said().contains("api: rows not read"), "{}", site.process.said());
    let nats = format!("--nats-url={}", site.nats.as_ref().expect("a nats-server of the test's own").url());
    let server = format!("--server=http://{}", site.address());
    let (stdout, stderr, _) = said(&mut quiet(&["doctor", "--json", &server, &nats, &url]));
    assert!(
        stdout.contains("not a database") && stdout.contains("sets a broken file aside"),
        "{stdout}{stderr}"
    );

    let projector = Site::beside_rows(&site, "projector", &url);
    until(&projector, "/ready", "ready", |ready| ready.status == 200).await;
    until(&site, "/ready?role=api", "told no more", |ready| {
        !ready.json().to_string().contains("rows not read")
    })
    .await;
}
