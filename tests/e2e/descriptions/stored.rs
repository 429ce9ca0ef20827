//! Records of the stream, against /schemas and the AsyncAPI document.

use std::collections::{BTreeMap, BTreeSet};

use fillstream_tests::{
    http::{get, place, post},
    socket::{Client, Heard},
    stream,
};
use serde_json::{Value, json};

use super::contract::{Contract, renamed};
use crate::site::Site;

const USER: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d01";

/// Orders of both kinds, and what they may come to.
async fn trade(site: &Site) {
    for pair in [("SOL", "USDC"), ("DUST", "USDC")] {
        let order = place(site.address(), pair.0, pair.1).await;
        let socket = Client::progress(site.address(), &order, "").await.expect("a socket");
        let (_, end) = { socket }.to_the_end().await;
        assert!(matches!(end, Heard::Closed(1000, _)), "{end:?}");
    }
    for (side, price) in [("SELL", "101"), ("BUY", "101")] {
        let order = json!({
            "user_id": USER, "symbol": "BTC/USDT", "side": side, "type": "LIMIT", "quantity": "0.5", "price": price,
        });
        let answer = post(site.address(), "/api/v1/orders", &[], &order.to_string()).await;
        assert_eq!(answer.status, 201);
    }
}

#[tokio::test]
async fn every_stored_message_satisfies_its_schema() {
    let site = Site::up(&[]);
    trade(&site).await;
    let contract = Contract::open(site.address()).await;
    let schemas = schemas(&site).await;
    let mut seen = BTreeSet::new();
    for record in stream::all(&site.log().await).await {
        let payload: Value = serde_json::from_slice(&record.payload).expect("JSON");
        let key = (payload["type"].to_string(), payload["version"].to_string());
        let schema = schemas.get(&key).unwrap_or_else(|| panic!("/schemas lacks {key:?}"));
        let validator = jsonschema::validator_for(schema).expect("a schema that can be used");
        assert!(validator.is_valid(&payload), "{payload:#}");
        let channel = contract.channel_of_subject(&record.subject);
        let channel = channel.unwrap_or_else(|| panic!("{} is not described", record.subject));
        let name = contract.judge_message(channel, &payload).unwrap_or_else(|wrong| panic!("{wrong}"));
        for field in schema["required"].as_array().expect("required fields") {
            let broken = renamed(&payload, field.as_str().expect("a name"));
            assert!(!validator.is_valid(&broken), "{broken:#} passes");
            assert!(contract.judge_message(channel, &broken).is_err(), "{broken:#} passes");
        }
        seen.insert(name);
    }
    for name in
        ["swap.placed.v1", "swap.confirmed.v1", "swap.failed.v1", "book.placed.v1", "market.commit.v2"]
    {
        assert!(seen.contains(name), "{name} did not come to pass: {seen:?}");
    }
}

/// All schemas by type and version.
async fn schemas(site: &Site) -> BTreeMap<(String, String), Value> {
    let listed = get(site.address(), "/schemas").await.json();
    let mut schemas = BTreeMap::new();
    for entry in listed["schemas"].as_array().expect("a list") {
        let answer = get(site.address(), entry["schema"].as_str().expect("an address")).await;
        assert_eq!(answer.header("content-type"), Some("application/schema+json"));
        schemas.insert((entry["type"].to_string(), entry["version"].to_string()), answer.json());
    }
    schemas
}

#[tokio::test]
async fn the_schemas_are_those_of_the_repository() {
    let site = Site::up(&[]);
    let listed = get(site.address(), "/schemas").await.json();
    for entry in listed["schemas"].as_array().expect("a list") {
        let address = entry["schema"].as_str().expect("an address");
        let file = format!("{}/..{address}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(get(site.address(), address).await.body, text, "{address}");
        let bare = address.trim_end_matches(".json");
        assert_eq!(get(site.address(), bare).await.body, text, "{bare}");
    }
    assert_eq!(get(site.address(), "/schemas/swap.placed.v9").await.status, 404);
}
