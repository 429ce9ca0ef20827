//! The same over a real nats-server.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use fillstream_event_log::{Access, Definitions, Durability, JetStreamLog, LogOptions};
use fillstream_nats_server::{Options, PortChoice, PrivateServer, SyncMode, locate};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::sleep;

use crate::{
    client::Client,
    life::{FAILED_ATTEMPT, GOOD, order},
    rig::{self, settings, until, url},
};

const ORDERS: &str = include_str!("../../../../nats/streams/orders.json");

/// A running server and its directory, both gone at the end.
struct Server {
    process: Option<PrivateServer>,
    directory: PathBuf,
}

impl Server {
    fn start() -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let directory =
            std::env::temp_dir().join(format!("fillstream-sockets-{}-{number}", std::process::id()));
        let binary = locate(&mut |line| eprintln!("{line}")).unwrap();
        let options =
            Options { port: PortChoice::Any, sync: SyncMode::OsBuffer, ..Options::new(binary, &directory) };
        Self { process: Some(PrivateServer::start(&options).unwrap()), directory }
    }

    fn process(&self) -> &PrivateServer {
        self.process.as_ref().expect("it is taken on drop only")
    }

    async fn log(&self) -> Arc<JetStreamLog> {
        let (url, name) = (self.process().url(), "sockets".to_owned());
        let definitions = Definitions { stream: serde_json::from_str(ORDERS).unwrap() };
        let options = LogOptions { access: Access::default(), url, name, durability: Durability::OsBuffer };
        Arc::new(JetStreamLog::open(&options, &definitions).await.unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.take());
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_hundred_joins_beside_publishers_are_gapless() {
    let server = Server::start();
    let log = server.log().await;
    let (hub, address, mut tasks) = rig::serve(log.clone(), settings(), None);
    tasks.spawn(rig::run(Arc::clone(&hub)));
    let seed = 20_260_110;
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let mut publishers = Vec::new();
    let mut joins = Vec::new();
    for number in 0..40 {
        let (log, mut pauses) = (log.clone(), ChaCha8Rng::seed_from_u64(number));
        rig::append(&*log, order(number.into()), &GOOD[..1]).await;
        for _ in 0..10 {
            let delay = Duration::from_millis(dice.random_range(0..600));
            let (every_step, stay) = (dice.random_bool(0.5), dice.random_range(0..200));
            joins.push(tokio::spawn(async move {
                sleep(delay).await;
                let url = url(address, every_step, order(number.into()));
                (number, every_step, watch(&url, stay).await)
            }));
        }
        publishers.push(tokio::spawn(async move {
            for kinds in [&FAILED_ATTEMPT[..], &FAILED_ATTEMPT, &GOOD[1..]] {
                for kind in kinds {
                    sleep(Duration::from_millis(pauses.random_range(0..100))).await;
                    rig::append(&*log, order(number.into()), &[kind]).await;
                }
            }
        }));
    }
    for publisher in publishers {
        publisher.await.unwrap();
    }
    for join in joins {
        let (number, every_step, shown) = join.await.unwrap();
        let channel = rig::channel(&*log, order(number.into()), every_step).await;
        assert_eq!(shown, channel, "order {number}, seed {seed}");
    }
    println!("{} histories read", hub.counters().histories_read.get());
    until("all are gone", || hub.counters().connections.get() == 0).await;
    tasks.shutdown().await;
}

/// Watches an order to its end, over two connections: the first one is given up after a while.
async fn watch(url: &str, stay: u64) -> Vec<(u64, u32)> {
    let mut first = Client::connect(url).await;
    first.until_type("backfill").await;
    if tokio::time::timeout(Duration::from_millis(stay), first.until_close()).await.is_ok() {
        return first.shown;
    }
    let mut second = Client::connect(&format!("{url}after={}", first.token)).await;
    assert_eq!(second.until_close().await.0, 1000);
    [first.shown, second.shown].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_server_is_told_and_bridged() {
    let server = Arc::new(Server::start());
    let log = server.log().await;
    let (hub, address, mut tasks) = rig::serve(log.clone(), settings(), None);
    tasks.spawn(rig::run(Arc::clone(&hub)));
    rig::append(&*log, order(1), &GOOD[..2]).await;
    let mut client = Client::connect(&url(address, true, order(1))).await;
    client.until_type("backfill").await;
    let act = async |act: fn(&PrivateServer)| {
        let server = Arc::clone(&server);
        tokio::task::spawn_blocking(move || act(server.process())).await.unwrap();
    };
    act(PrivateServer::kill_and_hold).await;
    assert_eq!(client.until_type("status").await["reason"], "stream_unreachable");
    act(|process| process.resume().unwrap()).await;
    assert_eq!(client.until_type("status").await["reason"], "stream_reachable");
    rig::append(&*log, order(1), &GOOD[2..]).await;
    assert_eq!(client.until_close().await.0, 1000);
    assert_eq!(client.shown, rig::channel(&*log, order(1), true).await);
    tasks.shutdown().await;
}
