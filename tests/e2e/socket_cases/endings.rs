//! The server dies, or is told to go: the client resumes, and has everything once.

use std::time::{Duration, Instant};

use fillstream_tests::{
    http::place,
    socket::{Chain, Client, Heard},
};
use futures_util::future::join_all;
use rustix::process::Signal;
use tokio::{join, time::sleep};

use super::{BOTH, Family};
use crate::site::Site;

/// A client that never gives up.
const PATIENCE: Duration = Duration::from_secs(30);
const PAIRS: [&str; 3] = ["SOL", "RUSH", "DUST"];

/// What one client knows of one order, over all its connections.
struct Watcher {
    family: Family,
    order: String,
    chain: Chain,
    connections: usize,
}

impl Watcher {
    fn new(family: Family, order: &str) -> Self {
        Self { family, order: order.to_owned(), chain: Chain::default(), connections: 0 }
    }

    /// Watches to the order's end; resumes whenever the connection is lost.
    async fn see_the_end(mut self, address: String) -> Self {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "{:?} of {} does not end", self.family, self.order);
            let path = self.family.path(&self.order, self.chain.token.as_deref());
            let Ok(mut client) = Client::open(&address, &path).await else {
                sleep(Duration::from_millis(5)).await;
                continue;
            };
            self.connections += 1;
            match self.hear_all(&mut client).await {
                Heard::Closed(1000, _) => return self,
                Heard::Closed(1001 | 1013, _) | Heard::Broken => {}
                other @ (Heard::Message(_) | Heard::Closed(..) | Heard::Silence) => {
                    panic!("{:?} of {}: {other:?}", self.family, self.order)
                }
            }
        }
    }

    async fn hear_all(&mut self, client: &mut Client) -> Heard {
        loop {
            match client.hear().await {
                Heard::Message(message) => self.chain.take(&message),
                end @ (Heard::Closed(..) | Heard::Broken | Heard::Silence) => return end,
            }
        }
    }

    /// What comes before the shutdown, the shutdown, and the close.
    async fn hear_shutdown(&mut self, client: &mut Client) {
        loop {
            let message = client.message().await;
            self.chain.take(&message);
            if message["type"] == "shutdown" {
                assert!(message["token"].is_string(), "{message}");
                let end = client.hear().await;
                return assert!(matches!(end, Heard::Closed(1001, _)), "{end:?} after shutdown");
            }
        }
    }

    async fn prove(&self, site: &Site) {
        let case = format!("{:?} of {} over {} connections", self.family, self.order, self.connections);
        assert_eq!(self.chain.faults, Vec::<String>::new(), "{case}");
        assert_eq!(self.chain.entries, self.family.held(site, &self.order).await, "{case}");
    }
}

async fn crowd(site: &Site, orders: usize) -> Vec<Watcher> {
    let placing = (0..orders).map(|place_in_line| place(site.address(), PAIRS[place_in_line % 3], "USDC"));
    let orders = join_all(placing).await;
    orders.iter().flat_map(|order| BOTH.map(|family| Watcher::new(family, order))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_under_load_loses_and_repeats_nothing() {
    let mut site = Site::up(&["--quote-delay=400ms", "--submit-delay=100ms"]);
    let address = site.address().to_owned();
    let watchers = crowd(&site, 30).await.into_iter();
    let watching = watchers.map(|watcher| tokio::spawn(watcher.see_the_end(address.clone())));
    let watching: Vec<_> = watching.collect();
    for pause in [120, 700] {
        sleep(Duration::from_millis(pause)).await;
        site.kill_and_restart();
    }
    let watched = join_all(watching).await.into_iter().map(|watcher| watcher.expect("a client ends"));
    let watched: Vec<_> = watched.collect();
    let cut_off = watched.iter().filter(|watcher| watcher.connections >= 2).count();
    assert!(cut_off > watched.len() / 2, "only {cut_off} of {} were cut off", watched.len());
    for watcher in &watched {
        watcher.prove(&site).await;
    }
}

/// Opens sockets until one is refused: with which status.
async fn refused(address: &str, order: &str) -> u16 {
    loop {
        match Client::progress(address, order, "").await {
            Ok(_) => sleep(Duration::from_millis(1)).await,
            Err(status) => return status,
        }
    }
}

#[tokio::test]
async fn sigterm_tells_everybody_and_ends_well() {
    let mut site = Site::up(&["--quote-delay=600ms"]);
    let address = site.address().to_owned();
    let watchers = crowd(&site, 10).await;
    let order = watchers[0].order.clone();
    // One that never reads: it holds the process for as long as a peer may take to answer a close.
    let deaf = Family::A.open(&site, &order, None).await;
    let mut clients = Vec::new();
    for mut watcher in watchers {
        let mut client = watcher.family.open(&site, &watcher.order, None).await;
        while watcher.chain.entries.is_empty() {
            watcher.chain.take(&client.message().await);
        }
        clients.push((client, watcher));
    }
    site.process.signal(Signal::TERM);
    let told =
        join_all(clients.iter_mut().map(async |(client, watcher)| watcher.hear_shutdown(client).await));
    let (_, newcomer) = join!(told, refused(&address, &order));
    assert_eq!(newcomer, 503, "a new upgrade while the server goes down");
    drop(deaf);
    assert_eq!(
        site.process.wait(PATIENCE).and_then(|status| status.code()),
        Some(0),
        "{}",
        site.process.said()
    );

    site.kill_and_restart();
    let watched = clients.into_iter().map(|(_, watcher)| watcher.see_the_end(address.clone()));
    for watcher in join_all(watched).await {
        watcher.prove(&site).await;
    }
}
