//! A real nats-server is started, killed, held down, stopped and orphaned.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "tests: their names say what they show, a panic is a failure"
)]

mod raw_client;
mod scratch;

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use fillstream_nats_server::{Options, PortChoice, PrivateServer, SyncMode, address_of};
use raw_client::RawClient;
use scratch::{Scratch, eventually, options, start};
use serde_json::json;

const SOON: Duration = Duration::from_secs(20);
const STREAM: &str = include_str!("../../../nats/streams/orders.json");

fn append(server: &PrivateServer) -> u64 {
    let mut client = RawClient::connect(&server.url());
    client.request("$JS.API.STREAM.CREATE.ORDERS", STREAM);
    client.request("orders.swap.1.placed", "{}")["seq"].as_u64().unwrap()
}

/// Gone, or dead and only waiting for its new parent to take notice.
fn is_dead(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

fn sigkill(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

#[test]
fn a_killed_server_comes_back_on_its_port_with_its_store() {
    let scratch = Scratch::new();
    let server = start(scratch.path());
    let (url, first) = (server.url(), server.pid().unwrap());
    assert_eq!(append(&server), 1);

    sigkill(first);
    eventually("the server runs again", || server.restarts() == 1);
    assert_eq!(server.url(), url);
    assert_eq!(append(&server), 2);

    let second = server.pid().unwrap();
    server.kill();
    assert!(is_dead(second));
    server.wait_until_ready(SOON).unwrap();
    assert_eq!((server.url(), server.restarts()), (url, 2));
    assert_eq!(append(&server), 3);
    assert!(first != second && server.pid() != Some(second));
}

#[test]
fn one_that_lives_is_started_again_when_it_is_told_to_even_frozen() {
    let scratch = Scratch::new();
    let server = start(scratch.path());
    let (control, first) = (server.control(), server.pid().unwrap());
    assert_eq!(append(&server), 1);
    assert!(control.is_up());

    control.restart();
    server.wait_until_ready(SOON).unwrap();
    assert!(is_dead(first) && control.restarts() == 1);
    assert_eq!(append(&server), 2);

    // SIGTERM waits for a process that is stopped; the kill behind it does not.
    let second = server.pid().unwrap();
    assert!(Command::new("kill").args(["-STOP", &second.to_string()]).status().unwrap().success());
    control.restart();
    server.wait_until_ready(SOON).unwrap();
    assert!(is_dead(second) && control.restarts() == 2);
    assert_eq!(append(&server), 3);

    server.kill_and_hold();
    control.restart();
    assert_eq!((server.pid(), control.is_up(), control.restarts()), (None, false, 2));
}

#[test]
fn an_outage_lasts_until_it_is_ended() {
    let scratch = Scratch::new();
    let server = start(scratch.path());
    assert_eq!(append(&server), 1);

    server.kill_and_hold();
    assert_eq!(server.pid(), None);
    // Four times as long as a restart would take.
    assert!(server.wait_until_ready(Duration::from_millis(400)).is_err());
    assert_eq!((server.pid(), server.restarts()), (None, 0));

    server.resume().unwrap();
    assert_eq!(append(&server), 2);
    assert_eq!(server.restarts(), 1);
}

#[test]
fn a_stopped_server_has_ended_in_good_order_and_its_directory_is_free() {
    let scratch = Scratch::new();
    let server = start(scratch.path());
    let pid = server.pid().unwrap();
    assert_eq!(address_of(scratch.path()), Some(server.url()));
    server.stop();
    assert!(is_dead(pid));
    assert_eq!(address_of(scratch.path()), None);
    let log = fs::read_to_string(scratch.join("nats-server.log")).unwrap();
    assert!(log.contains("Server Exiting"), "{log}");

    let dropped = start(scratch.path());
    let pid = dropped.pid().unwrap();
    drop(dropped);
    assert!(is_dead(pid));
    start(scratch.path());
}

#[test]
fn a_directory_takes_one_server_at_a_time() {
    let scratch = Scratch::new();
    let server = start(scratch.path());
    let refusal = PrivateServer::start(&options(scratch.path())).err().unwrap().to_string();
    for part in
        [scratch.path().to_str().unwrap(), &std::process::id().to_string(), &server.url(), "stop that one"]
    {
        assert!(refusal.contains(part), "{part} is not in: {refusal}");
    }
    assert_eq!(append(&server), 1);
}

#[test]
fn a_taken_port_is_left_to_its_owner() {
    let scratch = Scratch::new();
    let first = start(&scratch.join("first"));
    let port = first.url().rsplit(':').next().unwrap().parse().unwrap();

    let prefer = |name: &str| Options { port: PortChoice::Prefer(port), ..options(&scratch.join(name)) };
    let second = PrivateServer::start(&prefer("second")).unwrap();
    assert_ne!(second.url(), first.url());

    first.stop();
    let third = PrivateServer::start(&prefer("third")).unwrap();
    assert_eq!(third.url(), format!("nats://127.0.0.1:{port}"));
}

#[test]
fn the_other_sync_mode_is_accepted() {
    let scratch = Scratch::new();
    let server =
        PrivateServer::start(&Options { sync: SyncMode::OsBuffer, ..options(scratch.path()) }).unwrap();
    assert_eq!(append(&server), 1);
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let scratch = Scratch::new();
    fs::write(scratch.join("jetstream"), "a file where the store belongs").unwrap();
    let refusal = PrivateServer::start(&options(scratch.path())).err().unwrap().to_string();
    assert!(refusal.ends_with("Can't start JetStream: storage directory is not a directory"), "{refusal}");

    let missing = Options { binary: scratch.join("nowhere"), ..options(&scratch.join("other")) };
    let refusal = PrivateServer::start(&missing).err().unwrap().to_string();
    assert!(refusal.contains("nowhere"), "{refusal}");
}

#[test]
fn a_port_lost_while_the_server_was_down_is_waited_for() {
    let scratch = Scratch::new();
    let server = start(scratch.path());
    let port: u16 = server.url().rsplit(':').next().unwrap().parse().unwrap();
    server.kill_and_hold();
    let stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    assert!(std::thread::scope(|scope| {
        let resumed = scope.spawn(|| server.resume());
        eventually("a start has failed", || {
            fs::read_to_string(scratch.join("nats-server.log")).unwrap().contains("address already in use")
        });
        drop(stranger);
        resumed.join().unwrap().is_ok()
    }));
    assert_eq!(json!(append(&server)), json!(1));
}

/// Set for the process that plays the parent: its data directory.
const PARENT: &str = "FILLSTREAM_TEST_PARENT";

#[test]
fn the_server_dies_with_its_parent_and_the_next_start_finds_all_in_order() {
    if let Some(data_dir) = std::env::var_os(PARENT) {
        play_the_parent(Path::new(&data_dir));
    }
    let scratch = Scratch::new();
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_server_dies_with_its_parent_and_the_next_start_finds_all_in_order"])
        .env(PARENT, scratch.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let note = scratch.join("child");
    eventually("the parent has a server", || fs::metadata(&note).is_ok_and(|note| note.len() > 0));
    let child: u32 = fs::read_to_string(&note).unwrap().parse().unwrap();
    assert!(!is_dead(child));

    parent.kill().unwrap();
    parent.wait().unwrap();
    // At once, while the orphan may still be dying.
    let server = start(scratch.path());
    assert_eq!(append(&server), 2);
    eventually("the orphan is dead", || is_dead(child));
}

/// Starts a server, tells its pid, and waits to be killed.
fn play_the_parent(data_dir: &Path) -> ! {
    let server = start(data_dir);
    assert_eq!(append(&server), 1);
    let unfinished = data_dir.join("child.unfinished");
    fs::write(&unfinished, server.pid().unwrap().to_string()).unwrap();
    fs::rename(unfinished, data_dir.join("child")).unwrap();
    loop {
        std::thread::park();
    }
}
