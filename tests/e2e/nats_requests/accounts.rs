//! A desk in an account of its own, to which the service is exported.

use std::{fs, process::Command};

use fillstream_nats_server::locate;
use fillstream_tests::{Process, Scratch, free_port, nats::Client};
use tokio::time::{Instant, sleep};

use super::{PATIENCE, POLL, ask};
use crate::site::quiet;

/// The publish rights are those of `nats/users.conf`.
const ACCOUNTS: &str = r#"
accounts {
  FILLSTREAM {
    jetstream: enabled
    users: [{ user: fillstream, password: for-processes, permissions: {
      publish: ["orders.>", "markets.>", "parked.>", "$JS.>", "$O.>", "_INBOX.>", "_R_.>", "_GR_.>", "_INBOX_fillstream.>"]
      subscribe: ["fillstream.>", "$SRV.>", "_INBOX_fillstream.>"]
    } }]
    exports: [{ service: "fillstream.>" }]
  }
  DESK {
    users: [{ user: desk, password: for-clients }]
    imports: [{ service: { account: FILLSTREAM, subject: "fillstream.>" } }]
  }
}
"#;

#[tokio::test]
async fn a_desk_in_another_account_is_answered() {
    let scratch = Scratch::new("accounts");
    let port = free_port();
    let conf = scratch.path().join("accounts.conf");
    let common = include_str!("../../../nats/server.conf");
    fs::write(&conf, format!("{common}\n{ACCOUNTS}")).expect("a file");
    let mut command =
        Command::new(locate(&mut |line| eprintln!("{line}")).expect("a nats-server can be had"));
    command.arg("-c").arg(&conf).args(["-a", "127.0.0.1", "-p", &port.to_string()]);
    command.arg("-sd").arg(scratch.path().join("stream"));
    let nats = Process::spawn(command);
    let url = |user: &str| format!("nats://{user}@127.0.0.1:{port}");
    let deadline = Instant::now() + PATIENCE;
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        assert!(Instant::now() < deadline, "nats-server does not start:\n{}", nats.said());
        sleep(POLL).await;
    }
    let site = Process::start(quiet(&[
        "serve".to_owned(),
        "--role=api,matcher,projector".to_owned(),
        format!("--data={}", scratch.path().join("data").display()),
        format!("--nats-url={}", url("fillstream:for-processes")),
        format!("--listen=127.0.0.1:{}", free_port()),
    ]));
    site.until_ready();
    let mut desk = Client::connect(&url("desk:for-clients")).await;
    let markets = loop {
        let markets = ask(&mut desk, "fillstream.markets.list", &[], "{}").await;
        // Nobody has subscribed yet.
        if markets.status != Some(503) || Instant::now() > deadline {
            break markets;
        }
        sleep(POLL).await;
    };
    assert_eq!(markets.status, None, "{markets:?}\n{}", site.said());
    assert!(markets.json()["markets"].is_array() || markets.json().is_array(), "{}", markets.json());
    assert!(!site.said().contains("Permissions Violation"), "{}", site.said());
}
