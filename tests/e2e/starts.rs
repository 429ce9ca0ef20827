//! Starts: beside each other, before the server is there, and through certificates and credentials.

mod secured;

use std::{
    thread,
    time::{Duration, Instant},
};

use fillstream_nats_server::{Options, PortChoice, PrivateServer, locate};
use fillstream_tests::{Process, Scratch, free_port, http::request};
use tokio::time::sleep;

use crate::site::quiet;

const PATIENCE: Duration = Duration::from_secs(30);
const ALL_ROLES: &str = "--role=api,executor,matcher,projector,bridge";
const SWAP: &str = r#"{"tokenIn":"SOL","tokenOut":"USDC","amount":10}"#;

fn server(scratch: &Scratch, port: PortChoice) -> PrivateServer {
    let binary = locate(&mut |line| eprintln!("{line}")).expect("a nats-server can be had");
    let options = Options { port, ..Options::new(binary, scratch.path().join("nats")) };
    PrivateServer::start(&options).expect("nats-server starts")
}

/// The arguments of a process with rows of its own.
fn arguments(scratch: &Scratch, nats_url: &str) -> Vec<String> {
    vec![
        "serve".to_owned(),
        ALL_ROLES.to_owned(),
        format!("--nats-url={nats_url}"),
        format!("--data={}", scratch.path().display()),
        format!("--listen=127.0.0.1:{}", free_port()),
    ]
}

#[test]
fn processes_that_start_first_at_once_share_a_stream() {
    for _ in 0..2 {
        let nats = Scratch::new("starts");
        let server = server(&nats, PortChoice::Any);
        let url = server.url();
        thread::scope(|scope| {
            let start = || {
                let scratch = Scratch::new("starts");
                let process = Process::start(quiet(&arguments(&scratch, &url)));
                process.until_ready();
            };
            let starts: Vec<_> = (0..3).map(|_| scope.spawn(start)).collect();
            for start in starts {
                start.join().expect("each of them starts");
            }
        });
    }
}

#[tokio::test]
async fn a_start_waits_for_the_server_and_says_so() {
    let (scratch, nats) = (Scratch::new("starts"), Scratch::new("starts"));
    let port = free_port();
    let arguments = arguments(&scratch, &format!("nats://127.0.0.1:{port},"));
    let mut process = Process::spawn(quiet(&arguments));
    process.address = arguments[4].strip_prefix("--listen=").expect("an address").to_owned();
    let ask = async |method: &str, path: &str, body: &str| {
        let headers = [("Content-Type", "application/json")];
        let answer =
            request(&process.address, method, path, &headers[..body.len().min(1)], body.as_bytes()).await;
        answer.map(|answer| (answer.status, String::from_utf8_lossy(&answer.body).into_owned()))
    };
    let until = async |method: &str, path: &str, body: &str, status: u16, words: &str| {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = ask(method, path, body).await;
            if answer.as_ref().is_some_and(|(told, said)| *told == status && said.contains(words)) {
                return;
            }
            assert!(Instant::now() < deadline, "{path}: {answer:?}\n{}", process.said());
            sleep(Duration::from_millis(20)).await;
        }
    };
    until("GET", "/health", "", 200, "starting").await;
    until("GET", "/ready", "", 503, "not ready").await;
    until("POST", "/api/orders/execute", SWAP, 503, "stream_unreachable").await;
    assert!(process.said().contains("start: the stream is not open"), "{}", process.said());

    let _server = server(&nats, PortChoice::Prefer(port));
    until("GET", "/ready", "", 200, "reachable").await;
    until("POST", "/api/orders/execute", SWAP, 201, "orderId").await;
    assert!(process.said().contains("start: the stream is not open: recovered"), "{}", process.said());
}
