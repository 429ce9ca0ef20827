//! Sessions as people have them, recorded and held to the documents: each answer, each message.

use std::collections::BTreeSet;

use fillstream_tests::{
    http::{Answer, request},
    socket::{Client, Heard},
};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::contract::{Contract, each_renamed, judge};
use crate::site::Site;

const ANN: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d01";
const BOB: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d02";
const NOBODY: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5dff";

/// A running server and what was recorded of it.
struct Session {
    site: Site,
    contract: Contract,
    /// Messages that were judged, by the names that the document gives them.
    heard: BTreeSet<String>,
}

impl Session {
    async fn begin() -> Self {
        let site = Site::up(&["--quote-delay=150ms"]);
        let contract = Contract::of(site.address()).await;
        Self { site, contract, heard: BTreeSet::new() }
    }

    /// Asks, and holds the answer to its description, which a renamed field does not satisfy.
    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let answer = request(self.site.address(), method, path, headers, body.as_bytes()).await;
        let answer = answer.unwrap_or_else(|| panic!("{method} {path}: no answer"));
        self.contract.judge_answer(method, path, &answer).unwrap_or_else(|wrong| panic!("{wrong}"));
        let described = !path.ends_with("api.json") && !path.starts_with("/schemas/");
        for broken in each_renamed(&answer.json()).into_iter().filter(|_| described) {
            let body = broken.to_string().into_bytes();
            let passes = self.contract.judge_answer(method, path, &Answer { body, ..answer.clone() });
            assert!(passes.is_err(), "{method} {path}: {broken:#} passes");
        }
        answer
    }

    /// As [`ask`](Self::ask), with JSON; the status must be this one.
    async fn expect(&self, status: u16, method: &str, path: &str, body: &Value) -> Value {
        let (headers, body) = match body {
            Value::Null => (&[][..], String::new()),
            body => (&[("Content-Type", "application/json")][..], body.to_string()),
        };
        let answer = self.ask(method, path, headers, &body).await;
        assert_eq!(
            answer.status,
            status,
            "{method} {path} {body}: {}",
            String::from_utf8_lossy(&answer.body)
        );
        answer.json()
    }

    async fn get(&self, status: u16, path: &str) -> Value {
        self.expect(status, "GET", path, &Value::Null).await
    }

    /// Holds a message to its description.
    fn take(&mut self, channel: &str, message: &Value) {
        let name = self.contract.judge_message(channel, message).unwrap_or_else(|wrong| panic!("{wrong}"));
        for broken in each_renamed(message) {
            assert!(self.contract.judge_message(channel, &broken).is_err(), "{broken:#} passes");
        }
        self.heard.insert(name);
    }

    async fn open(&self, path: &str) -> Client {
        let opened = Client::open(self.site.address(), path).await;
        opened.unwrap_or_else(|status| panic!("{path}: {status}"))
    }

    /// Takes messages until one of this type has come; that one.
    async fn until(&mut self, socket: &mut Client, channel: &str, kind: &str) -> Value {
        loop {
            let message = socket.message().await;
            self.take(channel, &message);
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// Takes all messages up to the close.
    async fn hear_out(&mut self, socket: Client, channel: &str) {
        let (messages, end) = { socket }.to_the_end().await;
        messages.iter().for_each(|message| self.take(channel, message));
        let Heard::Closed(code, _) = end else { panic!("{channel} ends with {end:?}") };
        let codes = &self.contract.asyncapi["channels"][channel]["x-close-codes"];
        let told = codes.as_array().is_some_and(|codes| codes.iter().any(|told| told["code"] == code));
        assert!(told, "{channel} closes with {code}");
    }

    /// Reads an event stream to its end: the messages of the socket.
    async fn take_events(&mut self, path: &str) {
        let answer = self.ask("GET", path, &[("Accept", "text/event-stream")], "").await;
        let text = String::from_utf8(answer.body).expect("text");
        let messages: Vec<Value> = text
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .map(|data| serde_json::from_str(data).expect("JSON"))
            .collect();
        assert!(messages.len() >= 4, "{text}");
        messages.iter().for_each(|message| self.take("progress", message));
    }

    async fn say(&self, socket: &mut Client, request: &Value) {
        let heard = &self.contract.asyncapi["components"]["messages"]["many.request"]["payload"];
        judge(&self.contract.asyncapi, heard, request).unwrap_or_else(|wrong| panic!("{wrong}"));
        socket.say(Message::text(request.to_string())).await;
    }

    fn assert_heard(&self, names: &[&str]) {
        for name in names {
            assert!(self.heard.contains(*name), "{name} did not come: {:?}", self.heard);
        }
    }
}

fn swap(token_in: &str, token_out: &str) -> Value {
    json!({ "tokenIn": token_in, "tokenOut": token_out, "amount": "10", "slippage": 0.5 })
}

fn limit(user: &str, side: &str, quantity: &str, price: &str, more: &Value) -> Value {
    let mut order = json!({
        "user_id": user, "symbol": "BTC/USDT", "side": side, "type": "LIMIT", "quantity": quantity, "price": price,
    });
    let fields = order.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("fields").clone());
    order
}

fn id<'a>(order: &'a Value, name: &str) -> &'a str {
    order[name].as_str().unwrap_or_else(|| panic!("{name} of {order:#}"))
}

#[tokio::test]
async fn a_swap_its_failures_and_its_retries() {
    let mut session = Session::begin().await;
    for (token_in, token_out) in [("SOL", "USDC"), ("DUST", "USDC"), ("RUSH", "USDC")] {
        let placed = session.expect(201, "POST", "/api/orders/execute", &swap(token_in, token_out)).await;
        let order = id(&placed, "orderId").to_owned();
        let mut progress = session.open(&format!("/api/orders/status/{order}")).await;
        let status = session.open(&format!("/api/orders/execute?orderId={order}")).await;
        progress.say(Message::text("hello")).await;
        session.until(&mut progress, "progress", "error").await;
        session.hear_out(progress, "progress").await;
        session.hear_out(status, "status").await;
        let ended = session.get(200, &format!("/api/orders/{order}")).await;
        assert_eq!(ended["status"] == "confirmed", token_in == "SOL", "{ended:#}");
        session.get(200, &format!("/api/orders/status/{order}")).await;
        session.get(200, &format!("/api/orders/{order}/logs?limit=2")).await;
        session.get(200, &format!("/api/orders/{order}/events")).await;
        session.take_events(&format!("/api/orders/{order}/events")).await;
        // A token of the other family's channel.
        let foreign = session.open(&format!("/api/orders/status/{order}")).await.to_the_end().await.0;
        let token = foreign.last().map(|message| id(message, "token").to_owned()).expect("a message");
        let reset = session.open(&format!("/api/orders/execute?orderId={order}&after={token}")).await;
        session.hear_out(reset, "status").await;
    }
    let steps = ["connection", "subscribed", "backfill", "routing", "building", "submitted", "retrying"];
    let steps: Vec<_> = steps
        .iter()
        .chain(&["confirmed", "failed", "error"])
        .map(|step| format!("progress.{step}"))
        .collect();
    session.assert_heard(&steps.iter().map(String::as_str).collect::<Vec<_>>());
    session.assert_heard(&["status.backfill", "status.status_update", "status.reset"]);
}

#[tokio::test]
async fn what_a_swap_is_refused_for() {
    let session = Session::begin().await;
    const EXECUTE: &str = "/api/orders/execute";
    let json = ("Content-Type", "application/json");
    let key = ("Idempotency-Key", "k-1");
    let good = swap("SOL", "USDC").to_string();
    for (status, headers, body) in [
        (201, vec![json, key], good.as_str()),
        (201, vec![json, key], &good),
        (422, vec![json, key], r#"{"tokenIn":"SOL","tokenOut":"USDC","amount":11}"#),
        (422, vec![json], r#"{"tokenIn":"SOL","tokenOut":"SOL","amount":-1,"slippage":51}"#),
        (400, vec![json], "{"),
        (400, vec![json, ("X-User-Id", "ann")], &good),
        (415, vec![("Content-Type", "text/plain")], &good),
        (413, vec![json], &" ".repeat(70_000)),
        (401, vec![json, ("Authorization", "Bearer x")], &good),
    ] {
        let answer = session.ask("POST", EXECUTE, &headers, body).await;
        assert_eq!(answer.status, status, "{body}");
    }
    for (status, path) in [
        (426, format!("{EXECUTE}?orderId={NOBODY}")),
        (404, format!("/api/orders/{NOBODY}")),
        (404, format!("/api/orders/{NOBODY}/logs")),
        (404, format!("/api/orders/{NOBODY}/events")),
        (404, format!("/api/orders/status/{NOBODY}")),
        (400, "/api/orders/7".to_owned()),
        (400, "/api/orders/".to_owned()),
        (400, "/api/orders/status/".to_owned()),
    ] {
        session.get(status, &path).await;
    }
    let upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade")];
    let answer = session.ask("GET", &format!("/api/orders/status/{NOBODY}"), &upgrade, "").await;
    assert_eq!(answer.status, 400, "a handshake without a key");
}

#[tokio::test]
async fn book_orders_and_all_that_becomes_of_them() {
    const ORDERS: &str = "/api/v1/orders";
    let session = Session::begin().await;
    let place = async |status, order: Value| session.expect(status, "POST", ORDERS, &order).await;
    let of = |user: &str, order: &Value| format!("{ORDERS}/{}?user_id={user}", id(order, "order_id"));
    let none = json!({});
    let resting = place(201, limit(ANN, "SELL", "1", "101", &none)).await;
    place(201, limit(BOB, "BUY", "0.4", "101", &json!({ "time_in_force": "IOC" }))).await;
    place(201, limit(BOB, "BUY", "9", "101", &json!({ "time_in_force": "FOK" }))).await;
    let later =
        json!({ "time_in_force": "GTD", "expires_at": "2099-01-01T00:00:00Z", "client_order_id": "b-1" });
    place(201, limit(BOB, "BUY", "1", "90", &later)).await;
    place(201, limit(BOB, "BUY", "1", "90", &later)).await;
    place(422, limit(BOB, "BUY", "2", "90", &later)).await;
    place(201, limit(BOB, "BUY", "1", "102", &json!({ "post_only": true }))).await;
    place(
        201,
        json!({ "user_id": BOB, "symbol": "BTC/USDT", "side": "BUY", "type": "MARKET", "quantity": "0.1" }),
    )
    .await;
    place(422, limit(ANN, "SELL", "0", "0.001", &json!({ "colour": "red" }))).await;
    place(400, json!({ "symbol": "BTC/USDT" })).await;
    let batch =
        json!({ "orders": [limit(ANN, "SELL", "1", "110", &none), limit(ANN, "SELL", "0", "110", &none)] });
    session.expect(200, "POST", "/api/v1/orders/batch", &batch).await;
    session.expect(422, "POST", "/api/v1/orders/batch", &json!({ "orders": 1, "user_id": ANN })).await;
    session.expect(200, "PATCH", &of(ANN, &resting), &json!({ "quantity": "0.9" })).await;
    session.expect(409, "PATCH", &of(ANN, &resting), &json!({ "quantity": 0.1 })).await;
    session.expect(422, "PATCH", &of(ANN, &resting), &json!({ "price": "0.001" })).await;
    session.expect(200, "DELETE", &of(ANN, &resting), &Value::Null).await;
    session.expect(409, "DELETE", &of(ANN, &resting), &Value::Null).await;
    session.expect(404, "DELETE", &of(BOB, &resting), &json!({})).await;
    for (status, path) in [
        (200, of(ANN, &resting)),
        (404, of(BOB, &resting)),
        (400, ORDERS.to_owned()),
        (400, format!("{ORDERS}/")),
        (200, format!("{ORDERS}?user_id={ANN}&limit=1")),
        (200, format!("{ORDERS}?user_id={ANN}&symbol=BTC-USDT&status=CANCELLED")),
        (400, format!("{ORDERS}?user_id={ANN}&status=LOST")),
        (200, "/api/v1/markets".to_owned()),
        (400, "/api/v1/markets/".to_owned()),
        (200, "/api/v1/markets/BTC-USDT".to_owned()),
        (404, "/api/v1/markets/NO-MARKET".to_owned()),
        (200, "/api/v1/markets/BTC-USDT/book?depth=5".to_owned()),
        (200, "/api/v1/markets/BTC-USDT/book?at=4".to_owned()),
        (409, "/api/v1/markets/BTC-USDT/book?at=9999999".to_owned()),
        (200, "/api/v1/markets/BTC-USDT/trades?limit=1".to_owned()),
        (400, "/api/v1/markets/BTC-USDT/trades?cursor=none".to_owned()),
    ] {
        session.get(status, &path).await;
    }
}

#[tokio::test]
async fn the_sockets_of_a_market() {
    let mut session = Session::begin().await;
    let mut market = session.open("/ws/markets/BTC-USDT").await;
    let mut orders = session.open(&format!("/ws/orders?user_id={ANN}")).await;
    let mut trades = session.open("/ws/trades").await;
    let mut many = session.open(&format!("/ws?user_id={ANN}")).await;
    for stream in ["orders", "trades", "orderbook", "depth"] {
        let request = json!({ "action": "subscribe", "stream": stream, "symbol": "BTC/USDT" });
        session.say(&mut many, &request).await;
        session.until(&mut many, "many", "subscribed").await;
    }
    let none = json!({});
    for order in [
        limit(ANN, "SELL", "1", "101", &none),
        limit(BOB, "BUY", "0.4", "101", &none),
        limit(ANN, "BUY", "5", "200", &json!({ "time_in_force": "FOK" })),
        limit(ANN, "BUY", "1", "200", &json!({ "post_only": true })),
    ] {
        session.expect(201, "POST", "/api/v1/orders", &order).await;
    }
    session.until(&mut market, "market", "orderbook_update").await;
    session.until(&mut market, "market", "orderbook_update").await;
    let first = session.until(&mut orders, "orders", "order_update").await;
    let actions = ["partially_filled", "cancelled", "rejected"];
    for action in actions {
        while session.until(&mut orders, "orders", "order_update").await["action"] != action {}
    }
    session.until(&mut trades, "trades", "trade_executed").await;
    session.until(&mut many, "many", "depth_update").await;
    many.say(Message::text("{")).await;
    session.until(&mut many, "many", "error").await;
    session
        .say(&mut many, &json!({ "action": "unsubscribe", "stream": "depth", "symbol": "BTC/USDT" }))
        .await;
    session.until(&mut many, "many", "unsubscribed").await;
    // A token of another channel.
    let foreign = session.open(&format!("/ws/trades?after={}", id(&first, "token"))).await;
    let mut foreign = foreign;
    session.until(&mut foreign, "trades", "reset").await;
    session.site.process.terminate();
    for (socket, channel) in
        [(market, "market"), (orders, "orders"), (trades, "trades"), (many, "many"), (foreign, "trades")]
    {
        session.hear_out(socket, channel).await;
    }
    session.assert_heard(&["market.orderbook_snapshot", "market.orderbook_update", "market.shutdown"]);
    session.assert_heard(&[
        "orders.order_update",
        "orders.shutdown",
        "trades.trade_executed",
        "trades.reset",
    ]);
    session.assert_heard(&[
        "many.subscribed",
        "many.order_update",
        "many.trade_executed",
        "many.orderbook_update",
    ]);
    session.assert_heard(&["many.depth_snapshot", "many.depth_update", "many.error", "many.shutdown"]);
}

#[tokio::test]
async fn what_operators_and_programmers_read() {
    let session = Session::begin().await;
    for path in ["/health", "/ready", "/metrics", "/openapi.json", "/asyncapi.json", "/schemas", "/docs", "/"]
    {
        session.get(200, path).await;
    }
    session.get(200, "/api/log?subject=markets.*&limit=2").await;
    session.get(400, "/api/log?subject=.").await;
    session.get(200, "/assets/app.js").await;
    session.get(200, "/schemas/swap.placed.v1").await;
    session.get(404, "/schemas/none").await;
    session.expect(201, "POST", &format!("/api/ws-ticket?user_id={ANN}"), &Value::Null).await;
    session.expect(400, "POST", "/api/ws-ticket", &Value::Null).await;
    for (status, path) in [
        (426, "/ws"),
        (426, "/ws/orders"),
        (426, "/ws/trades"),
        (426, "/ws/markets/BTC-USDT"),
        (426, "/ws/markets/"),
        (426, "/ws/markets"),
    ] {
        session.get(status, path).await;
    }
    let upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade")];
    for path in ["/ws/orders", "/ws/markets/"] {
        assert_eq!(session.ask("GET", path, &upgrade, "").await.status, 400, "{path}");
    }
}
