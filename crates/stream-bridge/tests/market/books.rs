//! Best prices and depth.

use std::collections::BTreeMap;

use fillstream_domain::book::Levels;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::{
    client::Client,
    flow::{amount, levels, outcome},
    rig::{BTC, ETH, Rig, settings},
};

#[tokio::test]
async fn a_book_is_told_at_once_also_when_it_is_empty() {
    let rig = Rig::start(settings()).await;
    let mut client = Client::connect(&rig.url("/ws/markets/BTC-USDT")).await;
    let mut told = client.text().await;
    for field in ["token", "seq", "index", "timestamp"] {
        assert!(told.as_object_mut().unwrap().remove(field).is_some(), "{field}");
    }
    let nothing = json!({
        "type": "orderbook_update", "symbol": BTC, "snapshot": true, "spread": null,
        "best_bid": null, "best_ask": null, "bid_quantity": null, "ask_quantity": null,
    });
    assert_eq!(told, nothing);
}

#[tokio::test]
async fn the_top_is_told_when_it_changed_and_only_then() {
    let rig = Rig::start(settings()).await;
    rig.commit(BTC, vec![outcome(Vec::new(), levels(&[(99, 5)], &[(101, 5)]))]);
    rig.caught_up().await;
    let mut client = Client::connect(&rig.url("/ws/markets/BTC/USDT")).await;
    let told = client.text().await;
    assert_eq!(
        (&told["best_bid"], &told["best_ask"], &told["spread"]),
        (&json!("99"), &json!("101"), &json!("2"))
    );
    // Behind the best; another market; the best quantity; a side that empties: all in one commit but the first two.
    rig.commit(BTC, vec![outcome(Vec::new(), levels(&[(98, 5)], &[(102, 5)]))]);
    rig.commit(ETH, vec![outcome(Vec::new(), levels(&[(1, 1)], &[]))]);
    let seq = rig.commit(
        BTC,
        vec![
            outcome(Vec::new(), levels(&[(99, 3)], &[])),
            outcome(Vec::new(), levels(&[(97, 1)], &[])),
            outcome(Vec::new(), levels(&[], &[(101, 0), (102, 0)])),
        ],
    );
    let [first, second] = client.take(2).await.try_into().unwrap();
    assert_eq!((&first["best_bid"], &first["bid_quantity"]), (&json!("99"), &json!("3")));
    assert_eq!((&first["seq"], &first["index"], first.get("last")), (&json!(seq), &json!(0), None));
    assert_eq!(
        (&second["best_ask"], &second["ask_quantity"], &second["spread"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!((&second["seq"], &second["index"], &second["last"]), (&json!(seq), &json!(1), &json!(true)));
}

/// A book of a client that knows nothing but what it is told.
#[derive(Default)]
struct Book {
    bids: BTreeMap<u64, String>,
    asks: BTreeMap<u64, String>,
}

impl Book {
    fn apply(&mut self, told: &Value) {
        if told["type"] == "depth_snapshot" {
            *self = Self::default();
        }
        for (side, name) in [(&mut self.bids, "bids"), (&mut self.asks, "asks")] {
            for level in told[name].as_array().unwrap() {
                let (price, quantity) = (level[0].as_str().unwrap(), level[1].as_str().unwrap());
                match quantity {
                    "0" => side.remove(&price.parse().unwrap()),
                    _ => side.insert(price.parse().unwrap(), quantity.to_owned()),
                };
            }
        }
    }

    fn checksum(&self) -> u64 {
        let bids = self.bids.iter().rev().take(10);
        let levels =
            bids.chain(self.asks.iter().take(10)).map(|(price, quantity)| format!("{price}:{quantity}"));
        crc32fast::hash(levels.collect::<Vec<_>>().join("|").as_bytes()).into()
    }
}

/// Changes of a few levels at a time, bids below 1000, asks above.
fn random(dice: &mut ChaCha8Rng) -> Levels {
    let side = |dice: &mut ChaCha8Rng, base: u64| {
        let count = dice.random_range(0..3_u64);
        let prices: BTreeMap<u64, u64> =
            (0..count).map(|_| (base + dice.random_range(0..40_u64), dice.random_range(0..4_u64))).collect();
        prices
            .into_iter()
            .map(|(price, quantity)| (amount(&price.to_string()), amount(&quantity.to_string())))
            .collect()
    };
    Levels { bids: side(dice, 950), asks: side(dice, 1001) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clients_book_is_the_servers_after_every_update() {
    const UPDATES: usize = 2000;
    let rig = Rig::start(settings()).await;
    let mut dice = ChaCha8Rng::seed_from_u64(3);
    let mut client = Client::connect(&rig.url("/ws")).await;
    let subscribed = client.subscribe("depth", Some(BTC)).await;
    let mut book = Book::default();
    let snapshot = client.text().await;
    assert_eq!((&snapshot["type"], &snapshot["token"]), (&json!("depth_snapshot"), &subscribed["token"]));
    book.apply(&snapshot);
    let (mut told, mut appended) = (0, 0);
    while told < UPDATES {
        // Less than a queue is under way, so that nothing is left out.
        while appended < UPDATES && appended < told + 50 {
            let changed = random(&mut dice);
            if !changed.is_empty() {
                rig.commit(BTC, vec![outcome(Vec::new(), changed)]);
                appended += 1;
            }
        }
        let update = client.text().await;
        assert_eq!(update["type"], "depth_update");
        book.apply(&update);
        assert_eq!(update["checksum"].as_u64(), Some(book.checksum()), "{update}");
        told += 1;
    }
    // A late comer, and another process that loads the book from the store, are told the same.
    let twin = rig.twin().await;
    for address in [rig.url("/ws"), twin.url("/ws")] {
        let mut late = Client::connect(&address).await;
        late.subscribe("depth", Some(BTC)).await;
        let mut other = Book::default();
        other.apply(&late.text().await);
        assert_eq!((other.bids, other.asks), (book.bids.clone(), book.asks.clone()));
    }
}

#[tokio::test]
async fn a_book_with_after_is_told_as_it_stands() {
    let rig = Rig::start(settings()).await;
    let seq = rig.commit(BTC, vec![outcome(Vec::new(), levels(&[(99, 5)], &[]))]);
    rig.caught_up().await;
    let mut client = Client::connect(&rig.url(&format!("/ws/markets/BTC-USDT?after={}", seq - 1))).await;
    let told = client.text().await;
    assert_eq!((&told["best_bid"], &told["snapshot"]), (&json!("99"), &json!(true)));
    rig.commit(BTC, vec![outcome(Vec::new(), levels(&[(99, 6)], &[]))]);
    assert_eq!(client.text().await["bid_quantity"], "6");
}

#[tokio::test]
async fn a_snapshot_names_where_its_own_channel_stands_whatever_its_client_has_seen() {
    let rig = Rig::start(settings()).await;
    let top = rig.commit(BTC, vec![outcome(Vec::new(), levels(&[(99, 5)], &[]))]);
    let behind_the_best = rig.commit(BTC, vec![outcome(Vec::new(), levels(&[(98, 1)], &[]))]);
    rig.caught_up().await;
    let mut client = Client::connect(&rig.url("/ws")).await;
    for (stream, seq) in [("orderbook", top), ("depth", behind_the_best)] {
        let request = json!({"action": "subscribe", "stream": stream, "symbol": BTC, "after": top - 1});
        let answer = client.ask(request).await;
        let told = client.text().await;
        assert_eq!((&answer["seq"], &told["seq"]), (&json!(seq), &json!(seq)), "{stream}");
        assert_eq!(told["snapshot"], true, "{stream}");
    }
    // Nothing of what is in the snapshots comes again; the client holds each against its snapshot's position.
    let seq = rig.commit(BTC, vec![outcome(Vec::new(), levels(&[(99, 6)], &[]))]);
    assert!(client.take(2).await.iter().all(|told| told["seq"] == seq && told["prev_seq"].is_u64()));
}
