//! Requests over NATS and their replies, held to the AsyncAPI document.

use fillstream_tests::nats::Client;
use serde_json::{Value, json};

use super::contract::{Contract, each_renamed, judge};
use crate::site::Site;

const ANN: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d01";

/// What a request is, or a reply: the payload of the message with this name.
fn judge_payload(contract: &Contract, name: &str, value: &Value) -> Result<(), String> {
    let payload = &contract.asyncapi["components"]["messages"][name]["payload"];
    if payload.is_null() {
        Err(format!("{name} is not described"))
    } else {
        judge(&contract.asyncapi, payload, value)
    }
}

#[tokio::test]
async fn requests_over_nats_and_their_replies() {
    let site = Site::up(&[]);
    let contract = Contract::of(site.address()).await;
    let mut nats = Client::connect(&site.process.nats_url().expect("the address is printed")).await;
    let mut ask = async |subject: &str, request: &Value, status: &str| {
        if status < "400" {
            judge_payload(&contract, &format!("{subject}.request"), request)
                .unwrap_or_else(|wrong| panic!("{wrong}"));
        }
        let reply = nats.request(subject, &[], &request.to_string()).await.expect("a reply");
        assert_eq!(reply.header("Http-Status"), Some(status), "{subject} {request}: {}", reply.json());
        let name = format!("{subject}.{}", if status < "400" { status } else { "problem" });
        judge_payload(&contract, &name, &reply.json()).unwrap_or_else(|wrong| panic!("{wrong}"));
        for broken in each_renamed(&reply.json()) {
            assert!(judge_payload(&contract, &name, &broken).is_err(), "{name}: {broken:#} passes");
        }
        reply.json()
    };
    let swap = json!({ "tokenIn": "SOL", "tokenOut": "USDC", "amount": 10 });
    let placed = ask("fillstream.orders.execute", &swap, "201").await;
    ask("fillstream.orders.get", &json!({ "orderId": placed["orderId"] }), "200").await;
    ask("fillstream.orders.execute", &json!({}), "422").await;
    let order = json!({
        "user_id": ANN, "symbol": "BTC/USDT", "side": "BUY", "type": "LIMIT", "quantity": "1", "price": "100",
    });
    let placed = ask("fillstream.book.place", &order, "201").await;
    let id = &placed["order_id"];
    ask("fillstream.book.batch", &json!({ "orders": [order] }), "200").await;
    ask("fillstream.book.get", &json!({ "order_id": id, "user_id": ANN }), "200").await;
    ask("fillstream.book.list", &json!({ "user_id": ANN, "limit": 1 }), "200").await;
    ask("fillstream.book.amend", &json!({ "order_id": id, "user_id": ANN, "quantity": "2" }), "200").await;
    ask("fillstream.book.cancel", &json!({ "order_id": id, "user_id": ANN }), "200").await;
    ask("fillstream.book.cancel", &json!({ "order_id": id, "user_id": ANN }), "409").await;
    ask("fillstream.markets.list", &json!({}), "200").await;
    for (subject, more) in
        [("show", json!({})), ("book", json!({ "depth": 5 })), ("trades", json!({ "limit": 5 }))]
    {
        let mut request = json!({ "symbol": "BTC-USDT" });
        request.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        ask(&format!("fillstream.markets.{subject}"), &request, "200").await;
    }
    let described = contract.asyncapi["channels"].as_object().expect("channels");
    let requests =
        described.keys().filter(|name| name.starts_with("fillstream.") && !name.ends_with(".replies"));
    assert_eq!(requests.count(), 12, "another subject has come: ask for it here");
}
