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
}

/// The last sequence of the stream.
async fn log_end(site: &Process) -> u64 {
    get(&site.address, "/ready").await.json()["last_seq"].as_u64().expect("it is told")
}
