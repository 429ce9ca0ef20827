//! A running market, and those who trade on it over HTTP.

use std::{fmt::Display, time::Duration};

use fillstream_tests::{
    http::{Answer, request},
    socket::Client,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::text;
use crate::site::{Site, quiet, run};

pub(super) const ORDERS: &str = "/api/v1/orders";
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);

/// See the module's first line.
pub(super) struct Desk(pub(super) Site);

/// The `n`th user of a crowd.
pub(super) fn user(n: usize) -> String {
    Uuid::from_u64_pair(7, n.try_into().expect("a small number")).to_string()
}

/// A limit order of BTC/USDT, good till cancelled.
pub(super) fn limit(user: &str, side: &str, quantity: impl Display, price: impl Display) -> Value {
    let (quantity, price) = (quantity.to_string(), price.to_string());
    json!({"user_id": user, "symbol": "BTC/USDT", "side": side, "type": "LIMIT", "quantity": quantity, "price": price})
}

/// An order with more said about it.
pub(super) fn with(mut order: Value, more: &Value) -> Value {
    let fields = order.as_object_mut().expect("an order has fields");
    fields.extend(more.as_object().expect("fields").clone());
    order
}

/// Asks again and again until there is an answer.
pub(super) async fn until<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < deadline, "in vain: {what}");
        sleep(POLL).await;
    }
}

/// Asks the server at the address; nothing when it goes away meanwhile.
pub(super) async fn try_ask(address: &str, method: &str, path: &str, body: Option<&Value>) -> Option<Answer> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let headers: &[_] = if body.is_empty() { &[] } else { &[("Content-Type", "application/json")] };
    request(address, method, path, headers, body.as_bytes()).await
}

impl Desk {
    pub(super) fn up(more: &[&str]) -> Self {
        Self(Site::up(more))
    }

    /// Roles of one's own choice, over a nats-server that the test can take away.
    pub(super) fn serve(roles: &str) -> Self {
        Self(Site::serve(roles, &[]))
    }

    /// Waits until a market is defined, which a matcher does with the first ones.
    pub(super) async fn until_heard(&self, symbol: &str) -> Client {
        let path = format!("/ws/markets/{symbol}");
        until(&path, async || Client::open(self.address(), &path).await.ok()).await
    }

    pub(super) fn address(&self) -> &str {
        self.0.address()
    }

    pub(super) async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let answer = try_ask(self.address(), method, path, body).await;
        answer.unwrap_or_else(|| panic!("{method} {path}: no answer"))
    }

    pub(super) async fn post(&self, order: &Value) -> Answer {
        self.ask("POST", ORDERS, Some(order)).await
    }

    /// Places an order that is taken: the order as it is answered.
    pub(super) async fn place(&self, order: &Value) -> Value {
        let answer = self.post(order).await;
        assert_eq!(answer.status, 201, "{order}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// Places a limit order; its id.
    pub(super) async fn limit(
        &self,
        user: &str,
        side: &str,
        quantity: impl Display,
        price: impl Display,
    ) -> String {
        text(&self.place(&limit(user, side, quantity, price)).await, "order_id").to_owned()
    }

    /// Places up to 1,000 orders at once: what became of each.
    pub(super) async fn batch(&self, orders: &[Value]) -> Vec<Value> {
        let answer = self.ask("POST", "/api/v1/orders/batch", Some(&json!({"orders": orders}))).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        answer.json()["results"].as_array().expect("a batch has results").clone()
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, None).await;
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    pub(super) async fn order(&self, user: &str, order: &str) -> Value {
        self.get(&format!("{ORDERS}/{order}?user_id={user}")).await
    }

    /// Waits until an order has this status, as GET tells it.
    pub(super) async fn until_status(&self, user: &str, order: &str, status: &str) -> Value {
        let found = async || Some(self.order(user, order).await).filter(|order| order["status"] == status);
        until(&format!("order {order} is {status}"), found).await
    }

    /// A list of `orders` or `trades`, page by page to its end. `path` ends in a query.
    pub(super) async fn pages(&self, path: &str, list: &str) -> Vec<Value> {
        self.pages_while(path, list, async || {}).await
    }

    /// As [`pages`](Self::pages), while something else happens before each page.
    pub(super) async fn pages_while(&self, path: &str, list: &str, between: impl AsyncFn()) -> Vec<Value> {
        let (mut entries, mut cursor) = (Vec::new(), String::new());
        loop {
            between().await;
            let page = self.get(&format!("{path}{cursor}")).await;
            entries.extend(page[list].as_array().expect("a page has entries").iter().cloned());
            match page["cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return entries,
            }
        }
    }

    /// Runs a command on this market's data: standard output, standard error, exit code.
    pub(super) fn command(&self, arguments: &[&str]) -> (String, String, Option<i32>) {
        let data = format!("--data={}", self.0.scratch.path().display());
        let output = run(&mut quiet(&[arguments, &[data.as_str()]].concat()));
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (text(output.stdout), text(output.stderr), output.status.code())
    }

    /// As [`command`](Self::command), for one that succeeds: what it printed.
    pub(super) fn printed(&self, arguments: &[&str]) -> String {
        let (stdout, stderr, ended) = self.command(arguments);
        assert_eq!(ended, Some(0), "{arguments:?}: {stdout}{stderr}");
        stdout
    }

    /// `fillstream verify --json` finds nothing wrong; what it printed.
    pub(super) fn verify(&self) -> Value {
        let printed = self.printed(&["verify", "--json"]);
        serde_json::from_str(printed.lines().last().unwrap_or_default()).expect("the last line is JSON")
    }
}
