//! Processes die with requests in flight: what was answered is there, once.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fillstream_tests::{nats::Client, stream};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{EXECUTE, GOOD, PATIENCE, client, status, url};
use crate::site::Site;

const CLIENTS: usize = 8;
const ORDERS: usize = 25;
/// Nobody answers a request that died with its process: it is repeated after this.
const SILENCE: Duration = Duration::from_secs(2);

/// Places orders one after the other, each until it is answered; the ids by key.
async fn place(url: String, name: usize, answered: Arc<AtomicUsize>) -> BTreeMap<String, String> {
    let (mut client, mut placed) = (Client::connect(&url).await, BTreeMap::new());
    for number in 0..ORDERS {
        let key = format!("client-{name}/order-{number}");
        let deadline = Instant::now() + PATIENCE;
        let id = loop {
            assert!(Instant::now() < deadline, "{key} is never answered");
            let headers = [("Idempotency-Key", key.as_str())];
            match timeout(SILENCE, client.request(EXECUTE, &headers, GOOD)).await {
                Ok(Some(reply)) if reply.status.is_none() && status(&reply) == 201 => {
                    break reply.json()["orderId"].as_str().expect("an id").to_owned();
                }
                // Nobody is there, or nobody knows whether it is stored: again, with the same key.
                Ok(Some(reply)) => {
                    assert!(reply.status.is_some() || status(&reply) == 503, "{key}: {:?}", reply.json());
                    sleep(Duration::from_millis(20)).await;
                }
                // An answer may still be on its way over this connection.
                Ok(None) | Err(_) => client = Client::connect(&url).await,
            }
        };
        answered.fetch_add(1, Ordering::Relaxed);
        placed.insert(key, id);
    }
    placed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answered_order_exists_exactly_once() {
    let mut site = Site::serve("api", &[]);
    client(&site, 1).await;
    let (answered, mut clients) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
    for name in 0..CLIENTS {
        clients.spawn(place(url(&site), name, Arc::clone(&answered)));
    }
    for share in [4, 2] {
        let deadline = Instant::now() + PATIENCE;
        while answered.load(Ordering::Relaxed) < CLIENTS * ORDERS / share {
            assert!(Instant::now() < deadline, "{answered:?} orders are answered");
            sleep(Duration::from_millis(1)).await;
        }
        tokio::task::block_in_place(|| site.kill_and_restart());
    }
    let mut placed = BTreeMap::new();
    while let Some(more) = clients.join_next().await {
        placed.extend(more.expect("a client comes to its end"));
    }
    let stored = stream::fold(&stream::all(&site.log().await).await);
    let mut ids: Vec<_> = placed.values().cloned().collect();
    ids.sort_unstable();
    assert_eq!(ids, stored.keys().map(ToString::to_string).collect::<Vec<_>>(), "one order for each key");
    assert_eq!(ids.len(), CLIENTS * ORDERS);
}
