//! Sockets on one order: CPU of a delivery, memory of an idle socket, latency of a join.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use fillstream_domain::OrderId;
use fillstream_event_log::{EventLog, JetStreamLog};
use fillstream_nats_server::SyncMode;
use fillstream_tests::{Process, http};
use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
};

use crate::{
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
    let mut after = last.map_or(0, |record| record.seq);
    let started = cpu_time(bridge);
    for _ in 0..events / burst {
        let target = crowd.received() + (burst * crowd.sockets) as u64;
        for _ in 0..burst {
            after = log.append(events::routing_started(order, 1, after)).await.expect("the log takes it");
        }
        crowd.wait_for(target).await;
    }
    cpu_time(bridge) - started
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
            let opened = chunk.iter().map(|_| open(address, order));
            for stream in join_all(opened).await {
                tokio::spawn(count(stream, Arc::clone(&received), Arc::clone(&sender)));
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

async fn open(address: &str, order: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("the bridge takes connections");
    let request = format!(
        "GET /api/orders/status/{order} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("the bridge reads");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("the bridge answers"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    stream
}

/// Counts unmasked text frames (RFC 6455 section 5.2).
async fn count(mut stream: TcpStream, received: Arc<AtomicU64>, news: Arc<watch::Sender<()>>) {
    let mut bytes = Vec::with_capacity(16 << 10);
    loop {
        match stream.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let (frames, used) = frames(&bytes);
        bytes.drain(..used);
        received.fetch_add(frames, Ordering::Relaxed);
        news.send_replace(());
    }
}

/// Complete text frames at the front, and the bytes that all complete frames take.
fn frames(bytes: &[u8]) -> (u64, usize) {
    let (mut count, mut at) = (0, 0);
    while let Some([first, second]) = bytes.get(at..at + 2) {
        let (header, length) = match second {
            126 => match bytes.get(at + 2..at + 4) {
                Some(length) => (4, usize::from(length[0]) << 8 | usize::from(length[1])),
                None => break,
            },
            127 => match bytes.get(at + 2..at + 10).and_then(|length| length.try_into().ok()) {
                Some(length) => (10, usize::try_from(u64::from_be_bytes(length)).unwrap_or(usize::MAX)),
                None => break,
            },
            short => (2, usize::from(*short)),
        };
        if bytes.len() < at + header + length {
            break;
        }
        at += header + length;
        count += u64::from(first & 0x0f == 1);
    }
    (count, at)
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
            let mut stream = open(&bridge.address, order).await;
            let (mut bytes, mut seen) = (Vec::new(), 0);
            while seen < 3 {
                let read = stream.read_buf(&mut bytes).await.expect("the bridge speaks");
                assert!(read > 0, "the bridge closed the socket");
                seen = frames(&bytes).0;
            }
            samples.push(started.elapsed());
        }
        row(&format!("join: connect to backfill, {name} (p50 / p99)"), &p50_p99(&mut samples));
    }
}

/// User and system time of a process so far (`/proc/<pid>/stat`, in ticks of 10 ms).
fn cpu_time(process: &Process) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.pid())).expect("the process lives");
    let (_, fields) = stat.rsplit_once(") ").expect("the name stands in brackets");
    let ticks: u64 = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap_or(0)).sum();
    Duration::from_millis(ticks * 10)
}

fn resident_kib(process: &Process) -> i64 {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", process.pid())).expect("the process lives");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel tells");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
