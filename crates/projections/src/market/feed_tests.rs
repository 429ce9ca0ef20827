use fillstream_domain::book::InputResult::{Accepted, Ticked};
use fillstream_domain::{Position, Seq};
use serde_json::json;

use super::super::MarketBatch;
use super::super::fixture::{amount, at, commit, levels, outcome, parts, symbol};
use super::*;

fn position(seq: u64, index: u32) -> Position {
    Position::new(Seq::new(seq), index)
}

/// `best_bid best_ask seq.index[!]`
fn tops(messages: &BookMessages) -> Vec<String> {
    let price = |price: Option<Amount>| price.map_or_else(|| "-".to_owned(), |price| price.to_string());
    let each = messages.tops.iter().map(|message| {
        let Message { body, seq, index, last } = message;
        let last = if *last { "!" } else { "" };
        format!("{} {} {seq}.{index}{last}", price(body.best_bid), price(body.best_ask))
    });
    each.collect()
}

#[test]
fn the_top_is_told_when_it_changes_and_only_then() {
    let mut feed = BookFeed::new(symbol());
    let messages = feed.take(
        Seq::new(30),
        &commit(vec![
            outcome(17, Accepted, vec![], levels(&[("99", "1")], &[])),
            outcome(18, Accepted, vec![], levels(&[("98", "1")], &[])),
            outcome(19, Accepted, vec![], levels(&[("99", "2")], &[("101", "1"), ("102", "1")])),
            outcome(20, Ticked, vec![], Levels::default()),
            outcome(21, Accepted, vec![], levels(&[("99", "0"), ("98", "0")], &[])),
        ]),
    );
    assert_eq!(tops(&messages), ["99 - 30.0", "99 101 30.1", "- 101 30.2!"]);
    let depths: Vec<_> = messages.depths.iter().map(|depth| (depth.seq, depth.index, depth.last)).collect();
    assert_eq!(
        depths,
        [
            (Seq::new(30), 0, false),
            (Seq::new(30), 1, false),
            (Seq::new(30), 2, false),
            (Seq::new(30), 3, true)
        ]
    );
    assert_eq!((feed.top_position(), feed.depth_position()), (position(30, 2), position(30, 3)));
    let quiet = feed.take(Seq::new(31), &commit(vec![outcome(22, Ticked, vec![], Levels::default())]));
    assert_eq!((quiet, feed.depth_position()), (BookMessages::default(), position(30, 3)));
}

#[test]
fn an_input_in_parts_is_judged_when_it_ends() {
    let mut feed = BookFeed::new(symbol());
    feed.take(
        Seq::new(29),
        &commit(vec![outcome(16, Accepted, vec![], levels(&[], &[("101", "5"), ("102", "5")]))]),
    );
    let parts = parts(
        30,
        vec![
            vec![
                outcome(17, Accepted, vec![], levels(&[("99", "1")], &[])),
                outcome(18, Accepted, vec![], levels(&[], &[("101", "0")])),
            ],
            vec![outcome(18, Accepted, vec![], Levels::default())],
            vec![
                outcome(18, Accepted, vec![], levels(&[], &[("102", "3")])),
                outcome(19, Accepted, vec![], levels(&[("98", "1")], &[])),
            ],
        ],
    );
    let told: Vec<_> = parts.iter().map(|(seq, part)| feed.take(*seq, part)).collect();
    assert_eq!(told.iter().flat_map(tops).collect::<Vec<_>>(), ["99 101 30.0!", "99 102 32.0!"]);
    let asks: Vec<_> = told.iter().flat_map(|told| &told.depths).map(|depth| &depth.body.asks).collect();
    assert_eq!(asks, [&vec![], &levels(&[], &[("101", "0"), ("102", "3")]).asks, &vec![]]);

    let mut batch = MarketBatch::default();
    batch.commit(&parts);
    let market = batch.markets().next().unwrap();
    assert_eq!(
        (market.depth_seq, market.depth_index),
        (Some(Seq::new(32)), Some(1)),
        "the rows number alike"
    );
    assert_eq!(feed.depth_position(), position(32, 1));
}

#[test]
fn a_client_that_applies_the_updates_has_the_same_checksum() {
    let mut feed = BookFeed::new(symbol());
    let mut client = LevelBook::default();
    for seq in 1..200_u64 {
        let price = (90 + seq * 7 % 20).to_string();
        let change = levels(&[(&price, &(seq % 3).to_string())], &[]);
        for depth in feed.take(Seq::new(seq), &commit(vec![outcome(seq, Accepted, vec![], change)])).depths {
            client.apply(&Levels { bids: depth.body.bids, asks: depth.body.asks });
            assert_eq!(client.checksum(), depth.body.checksum, "after {seq}");
        }
    }
    assert_eq!(feed.depth().bids, client.bids().collect::<Vec<_>>());
}

#[test]
fn the_contract_s_fields() {
    let mut feed = BookFeed::new(symbol());
    let empty = json!({
        "type": "orderbook_update", "symbol": "BTC/USDT", "best_bid": null, "best_ask": null,
        "bid_quantity": null, "ask_quantity": null, "spread": null, "timestamp": "1970-01-01T00:00:00.000Z",
    });
    assert_eq!(json!(feed.top()), empty);
    let told = feed.take(
        Seq::new(30),
        &commit(vec![outcome(17, Accepted, vec![], levels(&[("99.5", "1")], &[("101", "2")]))]),
    );
    assert_eq!(
        json!(told.tops[0]),
        json!({
            "type": "orderbook_update", "symbol": "BTC/USDT", "best_bid": "99.5", "best_ask": "101",
            "bid_quantity": "1", "ask_quantity": "2", "spread": "1.5", "timestamp": at(17),
            "seq": 30, "index": 0, "last": true,
        })
    );
    let sides = json!({ "bids": [["99.5", "1"]], "asks": [["101", "2"]] });
    let checksum = crc32fast::hash(b"99.5:1|101:2");
    for (name, mut message) in
        [("depth_update", json!(told.depths[0].body)), ("depth_snapshot", json!(feed.depth()))]
    {
        assert_eq!((&message["bids"], &message["asks"]), (&sides["bids"], &sides["asks"]), "{name}");
        assert_eq!((&message["type"], &message["checksum"]), (&json!(name), &json!(checksum)));
        assert_eq!(message["timestamp"].take(), json!(at(17)));
    }
    assert_eq!(feed.book().top().bid, Some((amount("99.5"), amount("1"))));
}
