//! `nats/users.conf` as it is: who may do what.

use std::process::Command;

use fillstream_nats_server::locate;
use fillstream_tests::{Process, Scratch, free_port, http::get, nats::Client};
use tokio::time::{Instant, sleep};

use super::{EXECUTE, GOOD, PATIENCE, POLL, ask, status};
use crate::site::quiet;

/// A nats-server with that file; its port.
fn server(scratch: &Scratch) -> (Process, u16) {
    let port = free_port();
    let binary = locate(&mut |line| eprintln!("{line}")).expect("a nats-server can be had");
    let mut command = Command::new(binary);
    command.args(["-c", concat!(env!("CARGO_MANIFEST_DIR"), "/../nats/users.conf"), "-a", "127.0.0.1", "-p"]);
    command.arg(port.to_string()).arg("-sd").arg(scratch.path().join("stream"));
    command.envs([("FILLSTREAM_PASSWORD", "for-processes"), ("DESK_PASSWORD", "for-clients")]);
    command.env("OPERATOR_PASSWORD", "for-people");
    (Process::spawn(command), port)
}

#[tokio::test]
async fn processes_may_do_their_work_and_clients_may_ask() {
    let scratch = Scratch::new("rights");
    let (nats, port) = server(&scratch);
    let deadline = Instant::now() + PATIENCE;
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        assert!(Instant::now() < deadline, "nats-server does not start:\n{}", nats.said());
        sleep(POLL).await;
    }
    let url = |user: &str| format!("nats://{user}@127.0.0.1:{port}");
    let given = [
        "serve".to_owned(),
        "--role=api,executor,matcher,projector,bridge".to_owned(),
        format!("--data={}", scratch.path().join("data").display()),
        format!("--nats-url={}", url("fillstream:for-processes")),
        format!("--listen=127.0.0.1:{}", free_port()),
    ];
    let site = Process::start(quiet(&given));
    site.until_ready();
    let mut desk = Client::connect(&url("desk:for-clients")).await;
    let placed = loop {
        let placed = ask(&mut desk, EXECUTE, &[], GOOD).await;
        if placed.status != Some(503) {
            break placed;
        }
        assert!(Instant::now() < deadline, "no process takes requests:\n{}", site.said());
        sleep(POLL).await;
    };
    assert_eq!(status(&placed), 201, "{:?}", placed.json());
    let order = format!("/api/orders/{}", placed.json()["orderId"].as_str().expect("an id"));
    while get(&site.address, &order).await.json()["status"] != "confirmed" {
        assert!(Instant::now() < deadline, "it is not executed:\n{}", site.said());
        sleep(POLL).await;
    }
    let market = ask(&mut desk, "fillstream.markets.show", &[], r#"{"symbol":"BTC/USDT"}"#).await;
    assert_eq!(status(&market), 200);
    assert_eq!(desk.gather("$SRV.STATS.fillstream", 1).await[0]["name"], "fillstream");
    for subject in ["orders.swap.mine.placed", "markets.BTC-USDT", "$JS.API.STREAM.DELETE.ORDERS"] {
        assert_eq!(ask(&mut desk, subject, &[], "{}").await.status, Some(403), "{subject}");
    }
    // Nor by having a process answer there.
    let last = log_end(&site).await;
    for reply in ["orders.swap.mine.placed", "markets.BTC-USDT", "_INBOX_fillstream.x.1"] {
        desk.send_to("fillstream.markets.list", reply, "{}").await;
        desk.send_to("$SRV.PING", reply, "").await;
    }
    assert_eq!(status(&ask(&mut desk, "fillstream.markets.list", &[], "{}").await), 200);
    assert_eq!(log_end(&site).await, last, "a client had something written into the stream");
    assert!(!site.said().contains("Permissions Violation"), "{}", site.said());
    an_operator_looks(&url("operator:for-people")).await;
    no_process_takes_anything_out(&url("fillstream:for-processes")).await;
    assert!(log_end(&site).await >= last, "the stream is whole");
}

/// What the nats CLI asks for people who look, by the raw requests; and what would take something away.
async fn an_operator_looks(url: &str) {
    let mut operator = Client::connect_with_inbox(url, "_INBOX_operator").await;
    assert_eq!(operator.gather("$SRV.PING.fillstream", 1).await[0]["name"], "fillstream");
    // Half a document is read and turned down, where it may be sent at all.
    let create =
        r#"{"stream_name":"ORDERS","config":{"name":"mine","ack_policy":"none","mem_storage":true}}"#;
    for (subject, payload) in [
        ("$JS.API.INFO", ""),
        ("$JS.API.STREAM.NAMES", ""),
        ("$JS.API.STREAM.LIST", ""),
        ("$JS.API.STREAM.INFO.ORDERS", r#"{"subjects_filter":"orders.swap.>"}"#),
        ("$JS.API.STREAM.MSG.GET.ORDERS", r#"{"seq":1}"#),
        ("$JS.API.DIRECT.GET.ORDERS", r#"{"seq":1}"#),
        ("$JS.API.CONSUMER.NAMES.ORDERS", ""),
        ("$JS.API.CONSUMER.LIST.ORDERS", ""),
        ("$JS.API.CONSUMER.INFO.ORDERS.executor", ""),
        ("$JS.API.CONSUMER.CREATE.ORDERS.mine", create),
    ] {
        let reply = ask(&mut operator, subject, &[], payload).await;
        assert!(!matches!(reply.status, Some(403 | 503)), "{subject}: {reply:?}");
        assert_eq!(reply.json().get("error"), None, "{subject}");
    }
    // What is asked for comes under its own subject.
    operator.send("$JS.API.CONSUMER.MSG.NEXT.ORDERS.mine", &[], "1").await.expect("the server reads");
    let (subject, reply) = operator.receive().await.expect("the connection holds");
    assert!(subject.starts_with("orders.") && reply.status.is_none(), "{subject}: {reply:?}");
    let removed = ask(&mut operator, "$JS.API.CONSUMER.DELETE.ORDERS.mine", &[], "").await;
    assert_eq!(removed.json()["success"], true);
    for subject in [
        "orders.swap.mine.placed",
        "markets.BTC-USDT",
        "parked.executor.1",
        "fillstream.orders.execute",
        "$JS.API.STREAM.CREATE.MINE",
        "$JS.API.STREAM.UPDATE.ORDERS",
        "$JS.API.STREAM.DELETE.ORDERS",
        "$JS.API.STREAM.PURGE.ORDERS",
        "$JS.API.STREAM.MSG.DELETE.ORDERS",
        "$JS.API.STREAM.SNAPSHOT.ORDERS",
        "$JS.API.STREAM.RESTORE.ORDERS",
        "$JS.API.CONSUMER.CREATE.ORDERS.executor",
        "$JS.API.CONSUMER.DURABLE.CREATE.ORDERS.executor",
        "$JS.API.CONSUMER.DELETE.ORDERS.executor",
        "$JS.API.CONSUMER.PAUSE.ORDERS.executor",
        "$JS.API.CONSUMER.MSG.NEXT.ORDERS.executor",
        "$JS.ACK.ORDERS.executor.1.1.1.1.0",
        "$JS.ACK._.x.ORDERS.executor.1.1.1.1.0",
    ] {
        assert_eq!(ask(&mut operator, subject, &[], "{}").await.status, Some(403), "{subject}");
    }
}

async fn no_process_takes_anything_out(url: &str) {
    let mut process = Client::connect_with_inbox(url, "_INBOX_fillstream").await;
    for verb in ["DELETE", "PURGE", "MSG.DELETE", "UPDATE"] {
        for domain in ["", ".hub"] {
            let subject = format!("$JS{domain}.API.STREAM.{verb}.ORDERS");
            assert_eq!(ask(&mut process, &subject, &[], "{}").await.status, Some(403), "{subject}");
        }
    }
}

/// The last sequence of the stream.
async fn log_end(site: &Process) -> u64 {
    get(&site.address, "/ready").await.json()["last_seq"].as_u64().expect("it is told")
}
