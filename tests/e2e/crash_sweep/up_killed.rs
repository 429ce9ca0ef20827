//! `fillstream up` is killed with everything in it, in the middle of an order, and started again.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use fillstream_tests::{Process, Scratch, binary, free_port, http};
use tokio::time::sleep;

use super::{
    stage::{intervals, ledgers_of},
    witness::audit_when_still,
};

const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);

#[tokio::test]
async fn an_order_outlives_the_death_of_everything() {
    let scratch = Scratch::new("up-killed");
    let mut process = Process::start(up(&scratch));
    for status in ["routing", "building", "submitted"] {
        let nats = nats_server_of(process.pid());
        let order = http::place(&process.address, "SOL", "USDC").await;
        until_status(&process, &order, status).await;
        process.kill();
        until_gone(nats).await;

        process = Process::start(up(&scratch));
        assert_ne!(nats_server_of(process.pid()), nats);
        let shown = until_status(&process, &order, "confirmed").await;
        assert_eq!(shown["attempt"], 1, "a crash costs no attempt: {shown}");
        let executions = audit_when_still(&ledgers_of(scratch.path())).await;
        let executions = executions.order(order.parse().expect("a UUID"));
        assert_eq!((executions.sent, executions.landed), (1, 1), "killed while {status}");
    }
}

fn up(scratch: &Scratch) -> Command {
    let mut command = Command::new(binary());
    command.arg("up").arg("--data").arg(scratch.path());
    command.arg(format!("--listen=127.0.0.1:{}", free_port()));
    command.arg(format!("--nats-port={}", free_port()));
    command.args(["--quote-delay=150ms", "--build-delay=150ms", "--submit-delay=150ms"]);
    command.arg("--landing-delay=300ms").args(intervals());
    command
}

async fn until_status(process: &Process, order: &str, status: &str) -> serde_json::Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let shown = http::get(&process.address, &format!("/api/orders/{order}")).await.json();
        if shown["status"] == status {
            return shown;
        }
        assert!(Instant::now() < deadline, "{order} is not {status}: {shown}");
        sleep(POLL).await;
    }
}

/// The process id of the nats-server that this process has started.
fn nats_server_of(pid: u32) -> u32 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs").flatten();
    let children = tasks.flat_map(|task| {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()
    });
    let mut servers = children.filter(|pid| runs_nats_server(*pid));
    servers.next().expect("a private nats-server runs")
}

/// True when the process runs, as a nats-server; one that has ended and waits to be reaped does not.
fn runs_nats_server(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.contains("(nats-server)") && !stat.contains(") Z ")
}

async fn until_gone(nats: u32) {
    let deadline = Instant::now() + PATIENCE;
    while runs_nats_server(nats) {
        assert!(Instant::now() < deadline, "the nats-server outlives the process that started it");
        sleep(POLL).await;
    }
}
