//! A nats-server that is frozen, killed, slow.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fillstream_tests::http::get;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};

use super::{EXECUTE, PATIENCE, POLL, SWAP, figure, rest, send, until, until_taken};
use crate::site::Site;

/// Nobody is left in the dark for longer.
const TOLD_WITHIN: Duration = Duration::from_secs(5);

pub(super) fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(sent.is_ok_and(|sent| sent.success()), "kill -{name} {pid}");
}

/// The nats-server of the process's own.
pub(super) fn private(site: &Site) -> u32 {
    let ours = site.scratch.path().join("nats").display().to_string();
    let found = std::fs::read_dir("/proc").expect("Linux").filter_map(|entry| {
        let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let words = String::from_utf8_lossy(&words).into_owned();
        (words.contains("nats-server") && words.contains(&ours)).then_some(pid)
    });
    found.last().expect("a nats-server of the process's own")
}

#[tokio::test]
async fn a_frozen_server_is_told_and_forgotten_when_it_goes_on() {
    let site = Site::serve("api,projector,matcher", &[]);
    until(&site, "/ready", "ready", |ready| ready.status == 200).await;
    let order = rest(&site, 100).await;
    let nats = site.nats.as_ref().expect("a nats-server of the test's own");
    let pid = nats.pid().expect("it runs");
    signal(pid, "STOP");
    let frozen = Instant::now();
    let ready = until(&site, "/ready?role=api", "not ready", |ready| ready.status == 503).await.json();
    assert!(frozen.elapsed() < TOLD_WITHIN, "told after {:?}", frozen.elapsed());
    assert_eq!(ready["stream"], "unreachable", "{ready}");
    assert!(ready["parts"]["api"]["reason"].is_string(), "{ready}");
    signal(pid, "CONT");
    until(&site, "/ready", "ready again", |ready| ready.status == 200).await;
    until_taken(&site).await;
    let read = get(site.address(), &format!("/api/v1/orders/{order}?user_id={}", super::ANN)).await;
    assert_eq!(read.status, 200);
}

#[tokio::test]
async fn an_outage_is_told_once_by_each_connection_and_not_at_each_try() {
    let site = Site::serve("api,projector,matcher", &[]);
    until(&site, "/ready", "ready", |ready| ready.status == 200).await;
    let nats = site.nats.as_ref().expect("a nats-server of the test's own");
    nats.kill_and_hold();
    until(&site, "/ready?role=api", "not ready", |ready| ready.status == 503).await;
    // An outage of a dozen tries of each connection.
    sleep(Duration::from_secs(3)).await;
    nats.resume().expect("it starts again");
    until(&site, "/ready", "ready again", |ready| ready.status == 200).await;
    let said = site.process.said();
    let failures: Vec<_> = said.lines().filter(|line| line.contains("nats: IO error")).collect();
    // The log's, its tails', the health's.
    assert!((1..=3).contains(&failures.len()), "{failures:#?}");
    assert!(said.contains("NATS: not connected: recovered"), "{said}");
}

#[tokio::test]
async fn a_killed_server_is_started_again_and_counted() {
    let site = Site::up(&[]);
    rest(&site, 100).await;
    signal(private(&site), "KILL");
    until_taken(&site).await;
    until(&site, "/ready", "ready again", |ready| ready.status == 200).await;
    // Counted once the supervisor has seen it ready, which clients may have before.
    let deadline = Instant::now() + PATIENCE;
    while figure(&site, "fillstream_nats_server_restarts_total").await != Some(1.0) {
        assert!(Instant::now() < deadline, "no restart is counted\n{}", site.process.said());
        sleep(POLL).await;
    }
}

/// Passes everything on, late.
async fn slow_proxy(to: String, delay: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(server) = TcpStream::connect(&to).await else { continue };
            let passed = Arc::new(AtomicU64::new(0));
            let ((client_in, client_out), (server_in, server_out)) =
                (client.into_split(), server.into_split());
            tokio::spawn(late(client_in, server_out, delay, Arc::clone(&passed)));
            tokio::spawn(late(server_in, client_out, Duration::ZERO, passed));
        }
    });
    address
}

async fn late(
    mut from: tokio::net::tcp::OwnedReadHalf,
    to: tokio::net::tcp::OwnedWriteHalf,
    delay: Duration,
    passed: Arc<AtomicU64>,
) {
    // What comes while something waits is not delayed by it: it has a time of its own.
    let (sender, mut queue) = tokio::sync::mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    tokio::spawn(async move {
        let mut to = to;
        while let Some((due, bytes)) = queue.recv().await {
            tokio::time::sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        passed.fetch_add(count as u64, Ordering::Relaxed);
        if sender.send((Instant::now() + delay, buffer[..count].to_vec())).is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_slow_by_100_ms_only_costs_time() {
    let far = Site::serve("api,projector,matcher,executor,bridge", &[]);
    let url = far.nats.as_ref().expect("a nats-server of the test's own").url();
    let through = slow_proxy(url.trim_start_matches("nats://").to_owned(), Duration::from_millis(100)).await;
    let site = Site::beside(&far, "api,projector,matcher,executor,bridge", &format!("nats://{through}"));
    until(&site, "/ready", "ready", |ready| ready.status == 200).await;
    for _ in 0..3 {
        assert_eq!(send(&site, "POST", EXECUTE, &[], SWAP).await.status, 201);
    }
    sleep(Duration::from_millis(500)).await;
    assert_eq!(get(site.address(), "/ready").await.status, 200, "slow is not down");
    let slow = "fillstream_append_duration_seconds_bucket{kind=\"swap\",le=\"0.05\"}";
    let (fast, all) = (
        figure(&site, slow).await,
        figure(&site, "fillstream_append_duration_seconds_count{kind=\"swap\"}").await,
    );
    assert!(all >= Some(3.0) && fast < all, "{fast:?} of {all:?}");
}
