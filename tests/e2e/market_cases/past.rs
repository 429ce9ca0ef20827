//! Books as they were, against a fold of the commits that knows nothing but their JSON.

use std::collections::BTreeMap;

use fillstream_domain::subject::market_commits;
use fillstream_event_log::Record;
use fillstream_tests::stream;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::{amount, assert_says, desk::Desk};

const PATH: &str = "/api/v1/markets/BTC-USDT/book?depth=1000";

/// Levels of one side by price, as they were written.
type Side = BTreeMap<u128, Value>;

/// The book after every commit that has ended at or before the sequence; and which commit that is.
fn fold(commits: &[(u64, Value)], at: u64) -> (u64, Value) {
    let (mut seq, mut bids, mut asks) = (0, Side::new(), Side::new());
    let mut held = Vec::new();
    for (part_seq, part) in commits.iter().take_while(|(seq, _)| *seq <= at) {
        if part["part"] == 1 {
            held.clear();
        }
        held.push(part);
        if part["last"] != true {
            continue;
        }
        seq = *part_seq;
        for outcome in held.drain(..).flat_map(|part| part["outcomes"].as_array().into_iter().flatten()) {
            take(&mut bids, &outcome["levels"]["bids"]);
            take(&mut asks, &outcome["levels"]["asks"]);
        }
    }
    let [bids, asks] = [bids.into_values().rev().collect::<Vec<_>>(), asks.into_values().collect()];
    (seq, json!({"bids": bids, "asks": asks}))
}

fn take(side: &mut Side, levels: &Value) {
    for level in levels.as_array().into_iter().flatten() {
        if level[1] == "0" {
            side.remove(&amount(&level[0]));
        } else {
            side.insert(amount(&level[0]), level.clone());
        }
    }
}

fn commits(records: &[Record]) -> Vec<(u64, Value)> {
    let subject = market_commits(&"BTC/USDT".parse().expect("a symbol"));
    let of_market = records.iter().filter(|record| record.subject == subject);
    of_market
        .map(|record| (record.seq.get(), serde_json::from_slice(&record.payload).expect("JSON")))
        .collect()
}

/// Looks back at the beginning, at and around commits of several parts, and at so many random moments.
pub(super) async fn equals_a_fold(desk: &Desk, random: usize) {
    let records = stream::all(&desk.0.log().await).await;
    let (commits, last) = (commits(&records), records.last().expect("something is stored").seq.get());
    let mut dice = ChaCha8Rng::seed_from_u64(11);
    let torn = commits.iter().filter(|(_, part)| part["last"] != true).map(|(seq, _)| *seq);
    let mut moments: Vec<_> = torn.flat_map(|seq| [seq - 1, seq, seq + 1]).take(12).collect();
    moments.extend([0, 1, last]);
    moments.extend((0..random).map(|_| dice.random_range(0..=last)));
    for at in moments {
        let (seq, levels) = fold(&commits, at);
        let shown = desk.get(&format!("{PATH}&at={at}")).await;
        assert_eq!(shown["seq"], seq, "at {at}");
        assert_says(&shown, &levels);
    }
    let at = dice.random_range(last / 2..=last);
    let printed = desk.printed(&["book", "BTC-USDT", "--json", "--depth=1000", &format!("--at={at}")]);
    assert_says(&serde_json::from_str(&printed).expect("JSON"), &fold(&commits, at).1);
    let ahead = desk.ask("GET", &format!("{PATH}&at={}", last + 1_000), None).await;
    assert_eq!((ahead.status, ahead.json()["code"].as_str()), (409, Some("ahead_of_stream")));
    assert!(ahead.json()["detail"].as_str().is_some_and(|detail| detail.contains(&last.to_string())));
    for bad in ["-1", "x", "1.5", ""] {
        assert_eq!(desk.ask("GET", &format!("{PATH}&at={bad}"), None).await.status, 400, "at={bad}");
    }
}
