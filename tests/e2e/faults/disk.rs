//! No room: on the stream's disk, or within the stream's limits.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use fillstream_tests::{Scratch, free_port, http::get, nats};
use fillstream_venues::Audit;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    ANN, EXECUTE, ORDERS, PATIENCE, POLL, SWAP, code, figure, limit, rest, send, until, until_taken,
};
use crate::{
    cli_cases::said,
    site::{Site, quiet},
};

/// Nobody waits for being refused.
const REFUSED_WITHIN: Duration = Duration::from_secs(2);

#[tokio::test]
async fn below_the_floor_new_orders_are_refused_and_cancels_go_through() {
    let mut site = Site::up(&[]);
    let (first, second) = (rest(&site, 100).await, rest(&site, 101).await);
    let key = [("Idempotency-Key", "kept")];
    let kept = send(&site, "POST", EXECUTE, &key, SWAP).await;
    assert_eq!(kept.status, 201);
    let before = get(site.address(), "/ready").await.json()["last_seq"].as_u64();
    assert!(before.is_some());

    site.restart_with("--free-space-floor=1000TiB");
    until(&site, "/ready", "ready again", |ready| ready.status == 200).await;
    let asked = Instant::now();
    for (path, body) in [(EXECUTE, SWAP.to_owned()), (ORDERS, limit(102).to_string())] {
        let answer = send(&site, "POST", path, &[("Idempotency-Key", "new")], &body).await;
        let told = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!((answer.status, code(&answer).as_str()), (507, "store_full"), "{path}: {told}");
        assert!(told.contains("Nothing is stored") && told.contains("floor"), "{told}");
        assert!(answer.header("retry-after").is_some(), "{path}");
    }
    let batch = json!({ "orders": [limit(103), limit(104)] }).to_string();
    let batch = send(&site, "POST", "/api/v1/orders/batch", &[], &batch).await.json();
    assert_eq!(batch["results"][1]["problem"]["code"], "store_full", "{batch}");
    assert!(asked.elapsed() < REFUSED_WITHIN, "{:?}", asked.elapsed());
    // A repetition is no new order.
    let again = send(&site, "POST", EXECUTE, &key, SWAP).await;
    assert_eq!((again.status, &again.body), (201, &kept.body));

    let of = |order: &str| format!("{ORDERS}/{order}?user_id={ANN}");
    let more = send(&site, "PATCH", &of(&second), &[], r#"{"quantity":"3"}"#).await;
    assert_eq!((more.status, code(&more).as_str()), (507, "store_full"));
    let less = send(&site, "PATCH", &of(&second), &[], r#"{"quantity":"1"}"#).await;
    assert_eq!(less.status, 200, "{}", String::from_utf8_lossy(&less.body));
    assert_eq!(send(&site, "DELETE", &of(&first), &[], "").await.status, 200);
    assert_eq!(get(site.address(), &of(&first)).await.json()["status"], "CANCELLED");

    let ready = get(site.address(), "/ready?role=api").await;
    assert_eq!(ready.status, 200, "{}", ready.json());
    assert!(ready.json()["parts"]["api"]["store_full"].as_str().is_some_and(|told| told.contains("floor")));
    let floor = figure(&site, "fillstream_room_floor_bytes{place=\"stream\"}").await.expect("a floor");
    let free = figure(&site, "fillstream_room_free_bytes{place=\"stream\"}").await.expect("room");
    assert!(free < floor, "{free} {floor}");
    assert!(site.process.said().contains("new orders are refused"), "{}", site.process.said());
    let (server, data) =
        (format!("--server=http://{}", site.address()), format!("--data={}", site.scratch.path().display()));
    let (stdout, _, _) = said(&mut quiet(&["doctor", "--json", &server, &data]));
    assert!(stdout.contains("new orders are refused"), "{stdout}");
}

#[tokio::test]
async fn a_stream_at_its_limit_refuses_orders_and_takes_them_again() {
    let site = Site::serve("api,matcher,projector", &["--free-space-floor=4000"]);
    until(&site, "/ready", "ready", |ready| ready.status == 200).await;
    let order = rest(&site, 100).await;
    let url = site.nats.as_ref().expect("a nats-server of the test's own").url();
    let mut operator = nats::Client::connect(&url).await;
    let mut change = async |most: &dyn Fn(u64) -> i64| {
        let info = operator.request("$JS.API.STREAM.INFO.ORDERS", &[], "").await.expect("an answer").json();
        let mut config = info["config"].clone();
        config["max_bytes"] = json!(most(info["state"]["bytes"].as_u64().expect("bytes")));
        let changed = operator.request("$JS.API.STREAM.UPDATE.ORDERS", &[], &config.to_string()).await;
        let changed: Value = changed.expect("an answer").json();
        assert!(changed["error"].is_null(), "{changed}");
    };
    // Room for a cancel and its outcome, and less than the floor.
    change(&|bytes| i64::try_from(bytes + 2_000).expect("a small stream")).await;
    until(&site, "/ready", "told to be full", |ready| ready.json()["store_full"].is_string()).await;
    let refused = send(&site, "POST", EXECUTE, &[], SWAP).await;
    assert_eq!((refused.status, code(&refused).as_str()), (507, "store_full"));
    let cancelled = send(&site, "DELETE", &format!("{ORDERS}/{order}?user_id={ANN}"), &[], "").await;
    assert!(matches!(cancelled.status, 200 | 202), "{}", String::from_utf8_lossy(&cancelled.body));
    assert_eq!(get(site.address(), "/ready?role=api").await.status, 200);

    change(&|_| -1).await;
    until_taken(&site).await;
    until(&site, "/ready", "ready again", |ready| ready.status == 200).await;
}

/// A small disk of its own; where none can be mounted its test is not run.
pub(super) struct SmallDisk(PathBuf);

impl SmallDisk {
    pub(super) fn mount(at: &Path) -> Option<Self> {
        fs::create_dir_all(at).expect("a directory");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=48m", "tmpfs"]).arg(at).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then(|| Self(at.to_owned()))
    }

    /// Gives this much room, of a disk that was full.
    fn leave(&self, bytes: u64) {
        let filler = File::options().write(true).open(self.0.join("filler")).expect("it is there");
        let size = filler.metadata().expect("a size").len();
        filler.set_len(size.saturating_sub(bytes)).expect("room");
    }

    pub(super) fn fill(&self) {
        let mut filler = File::create(self.0.join("filler")).expect("a file");
        let page = vec![b'.'; 1 << 16];
        while filler.write_all(&page).is_ok() {}
    }

    pub(super) fn empty(&self) {
        fs::remove_file(self.0.join("filler")).expect("it is there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[tokio::test]
async fn a_full_disk_of_the_ledgers_stops_swaps_alone_and_none_is_executed_twice() {
    let scratch = Scratch::new("ledger");
    let Some(disk) = SmallDisk::mount(&scratch.path().join("venues")) else { return };
    let port = format!("--nats-port={}", free_port());
    // A transaction is on its way for longer than the disk takes to fill.
    let slow = "--landing-delay=2s";
    let site = Site::over(scratch, "up", &[&port, "--free-space-floor=0", "--ready-within=1s", slow]);
    until_taken(&site).await;
    let placed = send(&site, "POST", EXECUTE, &[], SWAP).await.json();
    let order = placed["orderId"].as_str().expect("it is taken").to_owned();
    let path = format!("/api/orders/{order}");
    until(&site, &path, "on its way", |order| order.json()["status"] == "submitted").await;
    disk.fill();
    // Some lines still fit into what is left of a page.
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut ready = get(site.address(), "/ready?role=executor").await;
    while ready.status == 200 {
        assert!(Instant::now() < deadline, "the ledgers are not full:\n{}", site.process.said());
        assert_eq!(send(&site, "POST", EXECUTE, &[], SWAP).await.status, 201, "swaps are taken");
        ready = get(site.address(), "/ready?role=executor").await;
    }
    let told = ready.json().to_string();
    assert!(told.contains("ledger of") && told.contains("No space left"), "{told}");
    for role in ["api", "matcher", "projector", "bridge"] {
        assert_eq!(get(site.address(), &format!("/ready?role={role}")).await.status, 200, "{role}");
    }
    rest(&site, 100).await;
    let said_of_it = site.process.said().matches("not usable").count();
    assert!((1..=8).contains(&said_of_it), "told {said_of_it} times:\n{}", site.process.said());
    let (server, data) =
        (format!("--server=http://{}", site.address()), format!("--data={}", site.scratch.path().display()));
    let (stdout, _, _) = said(&mut quiet(&["doctor", "--json", &server, &data]));
    assert!(stdout.contains("No space left"), "{stdout}");

    disk.empty();
    until(&site, "/ready", "ready again, whether somebody asks the venues or not", |ready| {
        ready.status == 200
    })
    .await;
    until(&site, &path, "confirmed", |order| order.json()["status"] == "confirmed").await;
    let audit = Audit::read(&site.scratch.path().join("venues")).expect("the ledgers can be read");
    assert_eq!(audit.executed_twice().count(), 0);
}

#[tokio::test]
async fn a_full_disk_stops_new_orders_and_everything_comes_back_with_the_room() {
    let scratch = Scratch::new("disk");
    let Some(disk) = SmallDisk::mount(&scratch.path().join("nats")) else { return };
    let port = format!("--nats-port={}", free_port());
    // Without a floor: so that the disk is really full when orders come.
    let site = Site::over(scratch, "up", &[&port, "--free-space-floor=0"]);
    let order = rest(&site, 100).await;
    disk.fill();
    // Some still fit into what is left of a page.
    let mut placed = 0;
    while send(&site, "POST", EXECUTE, &[], SWAP).await.status == 201 {
        placed += 1;
        assert!(placed < 200, "the disk is not full:\n{}", site.process.said());
    }
    let ready = until(&site, "/ready?role=api", "not ready", |ready| ready.status == 503).await.json();
    assert!(ready["parts"]["api"]["reason"].as_str().is_some_and(|told| told.contains("append")), "{ready}");
    assert_eq!(figure(&site, "fillstream_stream_appendable").await, Some(0.0));
    // What is stored can be read all the same.
    let read = get(site.address(), &format!("{ORDERS}/{order}?user_id={ANN}")).await;
    assert_eq!(read.status, 200);

    disk.empty();
    until_taken(&site).await;
    until(&site, "/ready", "ready again", |ready| ready.status == 200).await;
    assert!(figure(&site, "fillstream_nats_server_restarts_total").await >= Some(1.0));
    assert!(site.process.said().contains("stores nothing"), "{}", site.process.said());
    let cancelled = send(&site, "DELETE", &format!("{ORDERS}/{order}?user_id={ANN}"), &[], "").await;
    assert_eq!(cancelled.status, 200, "{}", String::from_utf8_lossy(&cancelled.body));
    let data = format!("--data={}", site.scratch.path().display());
    let (stdout, stderr, verified) = said(&mut quiet(&["verify", &data]));
    assert_eq!(verified, Some(0), "{stdout}{stderr}");
}

#[tokio::test]
async fn cancels_come_back_with_some_room_though_it_is_less_than_the_floor() {
    let scratch = Scratch::new("some-room");
    let Some(disk) = SmallDisk::mount(&scratch.path().join("nats")) else { return };
    let port = format!("--nats-port={}", free_port());
    let site = Site::over(scratch, "up", &[&port, "--free-space-floor=16MiB"]);
    let mut orders = Vec::new();
    for price in 100..300 {
        orders.push(rest(&site, price).await);
    }
    disk.fill();
    let cancel = async |order: &str| {
        send(&site, "DELETE", &format!("{ORDERS}/{order}?user_id={ANN}"), &[], "").await.status
    };
    let mut left = orders.iter();
    while cancel(left.next().expect("the disk is not full")).await == 200 {}
    until(&site, "/ready?role=api", "not ready", |ready| ready.status == 503).await;

    disk.leave(8 << 20);
    let deadline = Instant::now() + PATIENCE;
    let last = left.next_back().expect("one is left");
    while cancel(last).await != 200 {
        assert!(Instant::now() < deadline, "cancels are still refused\n{}", site.process.said());
        sleep(POLL).await;
    }
    let refused = send(&site, "POST", EXECUTE, &[], SWAP).await;
    assert_eq!((refused.status, code(&refused).as_str()), (507, "store_full"));
    assert!(figure(&site, "fillstream_nats_server_restarts_total").await >= Some(1.0));
}
