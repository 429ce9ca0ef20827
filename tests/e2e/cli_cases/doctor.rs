//! `fillstream doctor`: finds what is wrong, says how to mend it, and leaves everything as it is.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use fillstream_event_log::{Access, Definitions, Durability, EventLog, JetStreamLog, LogOptions};
use fillstream_nats_server::{Options, PortChoice, PrivateServer, locate};
use fillstream_tests::{Process, Scratch, free_port, stream};
use serde_json::{Value, json};

use super::{objects, said};
use crate::site::{Site, quiet};

const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);
const NOWHERE: &str = "--server=http://127.0.0.1:9";

/// The findings of `doctor --json`, and its exit code.
fn examined(arguments: &[&str]) -> (Vec<Value>, Option<i32>) {
    let (stdout, stderr, code) = said(&mut quiet(&[&["doctor", "--json"], arguments].concat()));
    assert_eq!(stderr, "", "{stdout}");
    let findings = objects(&stdout);
    for finding in &findings {
        let is_ok = finding["result"] == "ok";
        assert_eq!(finding["remedy"].is_null(), is_ok, "whatever is not right can be mended: {finding}");
        assert_eq!(finding["right"].is_null(), is_ok, "{finding}");
    }
    let worst = findings.iter().map(|finding| match finding["result"].as_str() {
        Some("ok") => 0,
        Some("warning") => 1,
        other => {
            assert_eq!(other, Some("wrong"), "{finding}");
            2
        }
    });
    assert_eq!(code, worst.max(), "{findings:?}");
    (findings, code)
}

/// Findings of this check and result whose text has these words.
fn tells(findings: &[Value], check: &str, result: &str, words: &str) -> bool {
    let fits = |finding: &&Value| {
        finding["check"] == check && finding["result"] == result && finding.to_string().contains(words)
    };
    findings.iter().any(|finding| fits(&finding))
}

#[tokio::test]
async fn a_healthy_system_is_found_healthy_and_left_alone() {
    let site = Site::up(&[]);
    let (server, data) =
        (format!("--server=http://{}", site.address()), format!("--data={}", site.scratch.path().display()));
    let log = site.log().await;
    let deadline = Instant::now() + PATIENCE;
    // The parts have caught up, but the executor may not have asked for its first order yet.
    let findings = loop {
        let before = log.info().await.expect("the stream answers");
        let (findings, code) = examined(&[&server, &data]);
        assert_eq!(log.info().await.expect("the stream answers"), before, "doctor has written something");
        if code == Some(0) {
            break findings;
        }
        assert!(Instant::now() < deadline, "{findings:#?}");
        thread::sleep(POLL);
    };
    let checks: Vec<_> = findings.iter().filter_map(|finding| finding["check"].as_str()).collect();
    let all = [
        "nats_server",
        "durability",
        "permissions",
        "store",
        "clock",
        "stream",
        "consumer",
        "executor",
        "matcher",
        "parked",
        "read_model",
        "disk",
        "http",
        "parts",
    ];
    assert_eq!(checks, all);
    assert!(tells(&findings, "durability", "ok", "sync_interval: always"), "{findings:#?}");

    let (shown, _, code) = said(&mut quiet(&["doctor", &server, &data]));
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.lines().all(|line| line.starts_with("ok ")), "{shown}");
    assert_eq!(shown.lines().count(), all.len(), "{shown}");

    // Orders still go through, each once: no probe has taken one or left a mark.
    let (stdout, stderr, code) = said(&mut quiet(&["swap", "SOL", "USDC", "3", &server]));
    assert_eq!(code, Some(0), "{stdout}{stderr}");
}

#[test]
fn without_a_server_the_rest_is_still_looked_at() {
    let scratch = Scratch::new("doctor");
    let data = format!("--data={}", scratch.path().display());
    let (findings, code) = examined(&[&data, NOWHERE]);
    assert_eq!(code, Some(2));
    assert!(tells(&findings, "nats_server", "wrong", "fillstream up"), "{findings:#?}");
    assert!(tells(&findings, "read_model", "warning", "there is none yet"), "{findings:#?}");
    assert!(tells(&findings, "http", "warning", "nobody answers"), "{findings:#?}");
    assert!(tells(&findings, "disk", "ok", "MiB free"), "{findings:#?}");
    assert_eq!(fs::read_dir(scratch.path()).expect("it is there").count(), 0, "doctor has made a file");

    let url = format!("--nats-url=nats://me:hush@127.0.0.1:{}", free_port());
    let (findings, code) = examined(&[&data, NOWHERE, &url]);
    assert_eq!(code, Some(2));
    assert!(tells(&findings, "nats_server", "wrong", "cannot be connected to"), "{findings:#?}");
    assert!(!format!("{findings:?}").contains("hush"), "{findings:#?}");
}

#[tokio::test]
async fn a_foreign_stream_is_told_setting_by_setting() {
    let scratch = Scratch::new("doctor");
    let binary = locate(&mut |line| eprintln!("{line}")).expect("a nats-server can be had");
    let options = Options { port: PortChoice::Any, ..Options::new(binary, scratch.path().join("shared")) };
    let nats = PrivateServer::start(&options).expect("nats-server starts");
    let (data, url) = (format!("--data={}", scratch.path().display()), format!("--nats-url={}", nats.url()));
    let (findings, _) = examined(&[&data, &url, NOWHERE]);
    assert!(tells(&findings, "stream", "warning", "there is no stream ORDERS yet"), "{findings:#?}");
    assert!(tells(&findings, "durability", "warning", "--durability fsync"), "{findings:#?}");

    make(&nats, &json!({
        "name": "ORDERS", "subjects": ["orders.>", "markets.>"], "storage": "memory", "max_age": 86_400_000_000_000_u64,
        "discard": "old", "max_msgs": 1000, "allow_direct": true, "allow_rollup_hdrs": true,
    }))
    .await;
    make(&nats, &json!({ "name": "OTHER", "subjects": ["parked.>"], "storage": "file" })).await;
    let (findings, code) = examined(&[&data, &url, NOWHERE, "--durability=fsync"]);
    assert_eq!(code, Some(2));
    for (result, words) in [
        ("wrong", "storage"),
        ("wrong", "max_age"),
        ("wrong", "max_msgs"),
        ("wrong", "deny_delete"),
        ("wrong", "allow_rollup_hdrs"),
        ("wrong", "subjects without parked.>"),
        ("wrong", "stream OTHER takes"),
        ("warning", "discard"),
        ("warning", "allow_atomic"),
    ] {
        assert!(tells(&findings, "stream", result, words), "{words} is not {result}: {findings:#?}");
    }
    assert!(tells(&findings, "consumer", "warning", "executor"), "{findings:#?}");
    assert!(tells(&findings, "durability", "ok", "as it is stated"), "{findings:#?}");
}

#[test]
fn a_process_that_does_not_answer_in_time_is_no_stranger() {
    let scratch = Scratch::new("doctor");
    let data = format!("--data={}", scratch.path().display());
    let busy = TcpListener::bind(("127.0.0.1", free_port())).expect("the port is free");
    let server = format!("--server=http://{}", busy.local_addr().expect("it is bound"));
    let (findings, _) = examined(&[&data, &server]);
    assert!(tells(&findings, "http", "warning", "has not answered within 5 s"), "{findings:#?}");
}

/// Makes a stream as a stranger would.
async fn make(nats: &PrivateServer, definition: &Value) {
    let options = LogOptions {
        access: Access::default(),
        url: nats.url(),
        name: "stranger".to_owned(),
        durability: Durability::OsBuffer,
    };
    // Opening it fails behind the making, because it is no log of ours.
    let opened = JetStreamLog::open(&options, &Definitions { stream: definition.clone() }).await;
    assert!(opened.is_err(), "{definition}");
}

/// A nats-server with two users: one may do everything, the other one little.
const USERS: &str = r#"
authorization {
  users = [
    { user: all, password: "s@cret" }
    { user: few, password: "s@cret", permissions: {
        publish: { allow: ["$JS.API.INFO", "$JS.API.STREAM.INFO.ORDERS", "$JS.API.STREAM.NAMES", "markets.>"] }
        subscribe: { allow: ["_INBOX_fillstream.>"] } } }
    { user: deaf, password: "s@cret", permissions: { publish: ">", subscribe: { deny: [">"] } } }
  ]
}
"#;

#[tokio::test]
async fn what_a_user_may_not_do_is_told_by_subject() {
    let scratch = Scratch::new("doctor");
    let port = free_port();
    let _nats = with_users(&scratch, port);
    let url = |user: &str| format!("nats://{user}:s%40cret@127.0.0.1:{port}");
    let log = stream::open(&url("all")).await;
    let before = log.info().await.expect("the stream answers");
    let data = format!("--data={}", scratch.path().display());
    let examined = |user: &str| examined(&[&data, NOWHERE, &format!("--nats-url={}", url(user))]).0;

    let all = examined("all");
    assert!(tells(&all, "permissions", "ok", "all 13"), "{all:#?}");
    assert!(tells(&all, "matcher", "ok", "no market"), "{all:#?}");

    let several = format!("--nats-url=nats://127.0.0.1:9,{}", url("all"));
    let (several, _) = self::examined(&[&data, NOWHERE, &several]);
    assert!(tells(&several, "stream", "ok", "0 events"), "the second of two servers: {several:#?}");

    let few = examined("few");
    for pattern in ["orders.>", "parked.>", "$JS.API.CONSUMER.CREATE.ORDERS.>", "$JS.ACK.ORDERS.executor.>"] {
        assert!(tells(&few, "permissions", "wrong", pattern), "{pattern}: {few:#?}");
    }
    assert!(!tells(&few, "permissions", "wrong", "markets.>"), "{few:#?}");
    assert!(tells(&few, "stream", "ok", "as nats/streams/orders.json"), "{few:#?}");

    let deaf = examined("deaf");
    assert!(tells(&deaf, "permissions", "wrong", "_INBOX_fillstream.>"), "{deaf:#?}");
    let stranger = examined("nobody");
    assert!(tells(&stranger, "nats_server", "wrong", "user and password"), "{stranger:#?}");

    let url = format!("--nats-url={}", url("all"));
    let (shown, _, _) = said(&mut quiet(&["doctor", &data, NOWHERE, &url]));
    assert!(!shown.contains("cret@"), "{shown}");
    assert_eq!(log.info().await.expect("the stream answers"), before, "a probe was stored");
}

fn with_users(scratch: &Scratch, port: u16) -> Process {
    let (conf, store) = (scratch.path().join("users.conf"), scratch.path().join("store"));
    let text =
        format!("listen: 127.0.0.1:{port}\njetstream {{ store_dir: \"{}\" }}\n{USERS}", store.display());
    fs::write(&conf, text).expect("the scratch directory can be written");
    let mut command =
        Command::new(locate(&mut |line| eprintln!("{line}")).expect("a nats-server can be had"));
    command.arg("-c").arg(conf);
    let nats = Process::spawn(command);
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "nats-server does not listen: {}", nats.said());
        thread::sleep(POLL);
    }
    nats
}
