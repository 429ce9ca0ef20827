//! The files in `nats/` are what the server takes, unchanged.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "tests: their names say what they show, a panic is a failure"
)]

mod raw_client;
mod scratch;

use raw_client::RawClient;
use scratch::{Scratch, start};
use serde_json::{Value, json};

const ORDERS: &str = include_str!("../../../nats/streams/orders.json");
const EXECUTOR: &str = include_str!("../../../nats/consumers/executor.json");
const CREATE_EXECUTOR: &str = "$JS.API.CONSUMER.CREATE.ORDERS.executor.orders.swap.*.placed";

fn refused(answer: &Value) -> Option<&Value> {
    answer.get("error")
}

/// Every setting that the file names is in force, with the value that the file gives it.
fn in_force(file: &str, config: &Value) {
    for (name, value) in serde_json::from_str::<Value>(file).unwrap().as_object().unwrap() {
        // What the server leaves out of its answer is off.
        let off = if value.is_boolean() { json!(false) } else { json!(0) };
        assert_eq!(config.get(name).unwrap_or(&off), value, "{name}");
    }
}

fn create_executor() -> String {
    format!(r#"{{"stream_name":"ORDERS","action":"create","config":{EXECUTOR}}}"#)
}

#[test]
fn the_server_takes_the_stream_and_its_consumer_as_they_are() {
    let scratch = Scratch::new();
    let server = start(scratch.path());
    let mut client = RawClient::connect(&server.url());

    assert_eq!(refused(&client.request("$JS.API.STREAM.CREATE.ORDERS", ORDERS)), None);
    in_force(ORDERS, &client.request("$JS.API.STREAM.INFO.ORDERS", "")["config"]);

    assert_eq!(refused(&client.request(CREATE_EXECUTOR, &create_executor())), None);
    in_force(EXECUTOR, &client.request("$JS.API.CONSUMER.INFO.ORDERS.executor", "")["config"]);

    // A second process that starts sends the same again.
    assert_eq!(refused(&client.request("$JS.API.STREAM.CREATE.ORDERS", ORDERS)), None);
    assert_eq!(refused(&client.request(CREATE_EXECUTOR, &create_executor())), None);
}

#[test]
fn the_stream_keeps_what_it_has_and_takes_nothing_that_is_not_its_own() {
    let scratch = Scratch::new();
    let server = start(scratch.path());
    let mut client = RawClient::connect(&server.url());
    client.request("$JS.API.STREAM.CREATE.ORDERS", ORDERS);
    client.request(CREATE_EXECUTOR, &create_executor());

    let mut stored = 0;
    for subject in ["orders.swap.1.placed", "orders.swap.1.progress", "markets.BTC-USDT", "parked.executor.7"]
    {
        stored += 1;
        assert_eq!(client.request(subject, "{}")["seq"], json!(stored), "{subject}");
    }
    // Purges are the server's users' matter: see nats/users.conf.
    let deleted = client.request("$JS.API.STREAM.MSG.DELETE.ORDERS", r#"{"seq":1}"#);
    assert!(refused(&deleted).is_some(), "{deleted}");
    assert_eq!(client.request("$JS.API.STREAM.INFO.ORDERS", "")["state"]["messages"], json!(stored));

    // Of all these, one is the executor's.
    let executor = client.request("$JS.API.CONSUMER.INFO.ORDERS.executor", "");
    assert_eq!(executor["num_pending"], json!(1), "{executor}");
}
