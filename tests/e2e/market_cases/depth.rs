//! A client that builds the book from `depth` alone, and proves at each step that it is the server's.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::{
    amount,
    desk::{Desk, limit, user, with},
    ear::Ear,
    text,
};

const BATCHES: usize = 10;
const BATCH: usize = 300;
/// A bid that nothing else reaches: the end of the flow.
const END: (u128, &str, &str) = (100_000_000, "1", "77");

/// Price and quantity, as they were written, by price in hundred-millionths.
type Side = BTreeMap<u128, (String, String)>;

/// The client's own book.
#[derive(Default, PartialEq, Debug)]
struct Mirror {
    bids: Side,
    asks: Side,
}

impl Mirror {
    /// Takes a snapshot or an update in; the checksum must be that of the book after it.
    fn take(&mut self, message: &Value) {
        if text(message, "type") == "depth_snapshot" {
            *self = Self::default();
        }
        for (side, name) in [(&mut self.bids, "bids"), (&mut self.asks, "asks")] {
            for level in message[name].as_array().expect("levels") {
                let key = amount(&level[0]);
                if level[1] == "0" {
                    assert!(side.remove(&key).is_some(), "{level} removes nothing: {message}");
                } else {
                    let word = |n: usize| level[n].as_str().expect("a string").to_owned();
                    side.insert(key, (word(0), word(1)));
                }
            }
        }
        assert!(
            self.bids.last_key_value().map(|best| best.0)
                < self.asks.first_key_value().map(|best| best.0).or(Some(&u128::MAX)),
            "crossed"
        );
        assert_eq!(message["checksum"], self.checksum(), "{message}");
    }

    fn checksum(&self) -> u32 {
        let best = self.bids.values().rev().take(10).chain(self.asks.values().take(10));
        let best: Vec<_> = best.map(|(price, quantity)| format!("{price}:{quantity}")).collect();
        crc32(best.join("|").as_bytes())
    }

    /// As GET shows it.
    fn levels(&self) -> Value {
        let bids: Vec<_> = self.bids.values().rev().collect();
        json!({"bids": bids, "asks": self.asks.values().collect::<Vec<_>>()})
    }
}

/// CRC-32 (IEEE), bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let bit = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), bit))
}

/// Orders of all kinds around one price.
fn flow(dice: &mut ChaCha8Rng) -> Value {
    let side = if dice.random_bool(0.5) { "BUY" } else { "SELL" };
    let quantity = format!("{}.{}", dice.random_range(0..9), dice.random_range(1..99));
    let order = limit(&user(dice.random_range(0..5)), side, quantity, 100 + dice.random_range(-15..=15));
    match dice.random_range(0..20) {
        0 => with(order, &json!({"type": "MARKET", "price": null})),
        1 => with(order, &json!({"time_in_force": "IOC"})),
        2 => with(order, &json!({"time_in_force": "FOK"})),
        3 => with(order, &json!({"post_only": true})),
        4 => with(order, &json!({"self_trade_prevention": "CANCEL_OLDEST"})),
        _ => order,
    }
}

/// Cancels and amends one by one, between the batches.
async fn change(desk: &Desk, dice: &mut ChaCha8Rng, placed: &[Value]) {
    for _ in 0..10 {
        let Some(order) = placed[dice.random_range(0..placed.len())].get("order") else { continue };
        let path = format!("/api/v1/orders/{}?user_id={}", text(order, "order_id"), text(order, "user_id"));
        let cancel = dice.random_bool(0.5);
        let body = json!({"price": (100 + dice.random_range(-15..=15)).to_string()});
        let answer = if cancel {
            desk.ask("DELETE", &path, None).await
        } else {
            desk.ask("PATCH", &path, Some(&body)).await
        };
        assert!([200, 409, 422].contains(&answer.status), "{path}: {:?}", answer.json());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_book_of_depth_is_the_server_s_at_each_step() {
    let desk = Desk::up(&[]);
    let mut ear = Ear::open(&desk, "/ws").await;
    let mut late = Ear::open(&desk, "/ws").await;
    ear.subscribe("depth", Some("BTC-USDT")).await;
    let trading = async {
        let mut dice = ChaCha8Rng::seed_from_u64(3);
        for _ in 0..BATCHES {
            let orders: Vec<_> = (0..BATCH).map(|_| flow(&mut dice)).collect();
            let placed = desk.batch(&orders).await;
            change(&desk, &mut dice, &placed).await;
        }
        late.subscribe("depth", Some("BTC/USDT")).await;
        desk.limit(&user(0), "BUY", END.2, END.1).await;
    };
    let ((), (mirror, steps)) = tokio::join!(trading, mirrored(&mut ear));
    let (second, _) = mirrored(&mut late).await;
    assert_eq!(mirror, second, "whoever joins late has the same book");
    assert!(steps > BATCHES * BATCH / 2, "{steps} steps");

    let shown = super::desk::until("the rows have the last order", async || {
        let shown = desk.get("/api/v1/markets/BTC-USDT/book?depth=1000").await;
        (shown["bids"].as_array()?.last()? == &json!([END.1, END.2])).then_some(shown)
    });
    let shown = shown.await;
    super::assert_says(&shown, &mirror.levels());
    assert_eq!(shown["checksum"], mirror.checksum());
    let printed: Value =
        serde_json::from_str(&desk.printed(&["book", "BTC/USDT", "--depth=1000", "--json"])).expect("JSON");
    super::assert_says(&printed, &mirror.levels());
    println!("{steps} steps");
}

/// Takes everything in up to the end of the flow; the book, and how many steps it took.
async fn mirrored(ear: &mut Ear) -> (Mirror, usize) {
    let (mut mirror, mut steps) = (Mirror::default(), 0);
    while mirror.bids.get(&END.0).is_none_or(|(_, quantity)| quantity != END.2) {
        for message in ear.take(1).await {
            mirror.take(&message);
            steps += 1;
        }
    }
    (mirror, steps)
}
