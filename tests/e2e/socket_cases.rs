//! Sockets on one order as an unfriendly client meets them.

mod clients;
mod endings;
mod events;
mod messages;
mod resume;

use fillstream_tests::{
    http::get,
    socket::{Chain, Client, Heard},
};
use serde_json::Value;

use crate::site::Site;

/// The two families of an order's sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    A,
    B,
}

const BOTH: [Family; 2] = [Family::A, Family::B];

impl Family {
    fn path(self, order: &str, after: Option<&str>) -> String {
        match (self, after) {
            (Self::A, None) => format!("/api/orders/status/{order}"),
            (Self::A, Some(after)) => format!("/api/orders/status/{order}?after={after}"),
            (Self::B, None) => format!("/api/orders/execute?orderId={order}"),
            (Self::B, Some(after)) => format!("/api/orders/execute?orderId={order}&after={after}"),
        }
    }

    async fn open(self, site: &Site, order: &str, after: Option<&str>) -> Client {
        let opened = Client::open(site.address(), &self.path(order, after)).await;
        opened.unwrap_or_else(|status| panic!("{self:?} of {order} after {after:?}: {status}"))
    }

    /// All messages of a new connection, to the close 1000 that an ended order brings.
    async fn all(self, site: &Site, order: &str, after: Option<&str>) -> Vec<Value> {
        let (messages, end) = self.open(site, order, after).await.to_the_end().await;
        assert!(matches!(end, Heard::Closed(1000, _)), "{self:?}: {end:?} after {messages:#?}");
        messages
    }

    /// What the stream holds for this channel, as HTTP tells it: `(seq, index, type or status)`.
    async fn held(self, site: &Site, order: &str) -> Vec<(u64, u64, String)> {
        let (path, kind) = match self {
            Self::A => (format!("/api/orders/{order}/logs"), "type"),
            Self::B => (format!("/api/orders/{order}"), "status"),
        };
        let answer = get(site.address(), &path).await.json();
        let logs = answer["logs"].as_array().unwrap_or_else(|| panic!("{path}: {answer}"));
        let number = |log: &Value, name: &str| log[name].as_u64().unwrap_or_default();
        let entry = |log: &Value| {
            let index = if self == Self::A { number(log, "index") } else { 0 };
            (number(log, "seq"), index, log[kind].as_str().unwrap_or_default().to_owned())
        };
        logs.iter().map(entry).collect()
    }
}

/// The messages as one proof: nothing missing, nothing twice.
fn chain<'a>(messages: impl IntoIterator<Item = &'a Value>) -> Chain {
    let mut chain = Chain::default();
    messages.into_iter().for_each(|message| chain.take(message));
    assert_eq!(chain.faults, Vec::<String>::new());
    chain
}

fn kinds(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["type"].as_str().unwrap_or_default()).collect()
}
