//! Sockets on one order: CPU of a delivery, memory of an idle socket, latency of a join.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use fillstream_domain::{OrderId, Seq};
use fillstream_event_log::{EventLog, JetStreamLog};
use fillstream_nats_server::SyncMode;
use fillstream_tests::{Process, http};
use futures_util::future::join_all;
use tokio::sync::watch;

use crate::{
    cpu::cpu_time,
    ear::Ear,
    events,
    figures::{heading, p50_p99, row},
    world::World,
};

/// Deliveries measured for each row.
const DELIVERIES: usize = 400_000;

pub(crate) async fn run() {
    heading("Sockets on one order");
    for sockets in [1000, 5000] {
        let world = World::new(SyncMode::OsBuffer);
        let log = world.log().await;
        let order = place(&world).await;
        let bridge = world.serve("bridge", "0");
        let before = resident_kib(&bridge);
        let crowd = Crowd::open(&bridge.address, &order, sockets).await;
        let idle = (resident_kib(&bridge) - before) as f64 / sockets as f64;
        row(&format!("resident memory per idle socket, {sockets} sockets"), &format!("{idle:.1} KiB"));
        for burst in [1, 32] {
            let events = (DELIVERIES / sockets).max(burst) / burst * burst;
            let cpu = deliver(&log, &bridge, &crowd, &order, events, burst).await;
            let each = cpu.as_secs_f64() * 1e6 / (events * sockets) as f64;
            row(&format!("CPU per delivery, {sockets} sockets, bursts of {burst}"), &format!("{each:.2} µs"));
        }
        let after = (resident_kib(&bridge) - before) as f64 / sockets as f64;
        row(
            &format!("resident memory per socket after the bursts, {sockets} sockets"),
            &format!("{after:.1} KiB"),
        );
    }
    joins().await;
}

/// An order without an executor: nobody else writes to it.
async fn place(world: &World) -> String {
    let api = world.serve("api", "0");
    http::place(&api.address, "SOL", "USDC").await
}

/// Appends `events` progress events in bursts, each after all sockets have the former; the bridge's CPU time.
async fn deliver(
    log: &JetStreamLog,
    bridge: &Process,
    crowd: &Crowd,
    order: &str,
    events: usize,
    burst: usize,
) -> Duration {
    let order: OrderId = order.parse().expect("an id");
    let progress = fillstream_domain::subject::swap_progress(order);
    let last = log.last(&progress, fillstream_event_log::Consistency::Leader).await.expect("the log answers");
    let mut after = last.map_or(Seq::ZERO, |record| record.seq);
    let started = cpu_time(bridge.pid());
    for _ in 0..events / burst {
        let target = crowd.received() + (burst * crowd.sockets) as u64;
        for _ in 0..burst {
            after = Seq::new(
                log.append(events::routing_started(order, 1, after.get()))
                    .await
                    .expect("the log takes it")
                    .get(),
            );
        }
        crowd.wait_for(target).await;
    }
    cpu_time(bridge.pid()) - started
}

/// Clients that count frames and cost next to nothing.
struct Crowd {
    sockets: usize,
    received: Arc<AtomicU64>,
    news: watch::Receiver<()>,
}

impl Crowd {
    async fn open(address: &str, order: &str, sockets: usize) -> Self {
        let received = Arc::new(AtomicU64::new(0));
        let (sender, news) = watch::channel(());
        let sender = Arc::new(sender);
        for chunk in (0..sockets).collect::<Vec<_>>().chunks(200) {
            let path = path(order);
            let opened = chunk.iter().map(|_| Ear::open(address, &path));
            for ear in join_all(opened).await {
                tokio::spawn(count(ear, Arc::clone(&received), Arc::clone(&sender)));
            }
        }
        let crowd = Self { sockets, received, news };
        // connection, subscribed, backfill
        crowd.wait_for(3 * sockets as u64).await;
        crowd
    }

    fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    async fn wait_for(&self, target: u64) {
        let mut news = self.news.clone();
        while self.received() < target {
            let _ = tokio::time::timeout(Duration::from_millis(1), news.changed()).await;
        }
    }
}

fn path(order: &str) -> String {
    format!("/api/orders/status/{order}")
}

async fn count(mut ear: Ear, received: Arc<AtomicU64>, news: Arc<watch::Sender<()>>) {
    let mut texts = 0;
    while ear.hear(|_| texts += 1).await {
        received.fetch_add(std::mem::take(&mut texts), Ordering::Relaxed);
        news.send_replace(());
    }
}

/// From the request to the backfill, one after the other.
async fn joins() {
    let world = World::new(SyncMode::OsBuffer);
    let api = world.serve("api,executor", "0");
    let mut old = Vec::new();
    for _ in 0..500 {
        old.push(http::place(&api.address, "SOL", "USDC").await);
    }
    let bridge = world.serve("bridge", "0");
    let mut fresh = Vec::new();
    for _ in 0..500 {
        fresh.push(http::place(&api.address, "SOL", "USDC").await);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    for (name, orders) in [("from NATS", old), ("from memory", fresh)] {
        let mut samples = Vec::new();
        for order in &orders {
            let started = Instant::now();
            let mut ear = Ear::open(&bridge.address, &path(order)).await;
            let mut seen = 0;
            while seen < 3 {
                assert!(ear.hear(|_| seen += 1).await, "the bridge closed the socket");
            }
            samples.push(started.elapsed());
        }
        row(&format!("join: connect to backfill, {name} (p50 / p99)"), &p50_p99(&mut samples));
    }
}

fn resident_kib(process: &Process) -> i64 {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", process.pid())).expect("the process lives");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel tells");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
