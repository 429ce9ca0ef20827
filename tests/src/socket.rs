//! A WebSocket client that keeps what it received and checks the chain.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, client_async, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use crate::raw::narrow;

/// Longest wait for a message that must come.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Messages that came over a socket.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// A text with JSON.
    Message(Value),
    /// The server's close.
    Closed(u16, String),
    /// The connection broke.
    Broken,
    /// Nothing within the patience.
    Silence,
}

/// A socket on an order.
#[derive(Debug)]
pub struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    /// Opens a socket; the status code when the upgrade is refused, 0 when there is no server.
    ///
    /// # Errors
    /// See above.
    pub async fn open(address: &str, path: &str) -> Result<Self, u16> {
        Self::open_with(address, path, &[]).await
    }

    /// As [`open`](Self::open), with more headers.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    ///
    /// # Panics
    /// When these are no address and headers.
    pub async fn open_with(address: &str, path: &str, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let mut request = format!("ws://{address}{path}").into_client_request().expect("an address");
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().expect("a header's value"));
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(_) => Err(0),
        }
    }

    /// As [`open`](Self::open), for a client that is going to stop reading: the kernels between hold little for it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    ///
    /// # Panics
    /// When this is no address.
    pub async fn open_narrow(address: &str, path: &str) -> Result<Self, u16> {
        let request = format!("ws://{address}{path}").into_client_request().expect("an address");
        let stream = narrow(address).await.map_err(|_| 0_u16)?;
        match client_async(request, MaybeTlsStream::Plain(stream)).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(_) => Err(0),
        }
    }

    /// Family A's socket of an order.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn progress(address: &str, order: &str, query: &str) -> Result<Self, u16> {
        Self::open(address, &format!("/api/orders/status/{order}{query}")).await
    }

    /// The next thing heard; pings and pongs are passed over.
    pub async fn hear(&mut self) -> Heard {
        self.hear_within(PATIENCE).await
    }

    /// As [`hear`](Self::hear), with another patience.
    pub async fn hear_within(&mut self, patience: Duration) -> Heard {
        let until = Instant::now() + patience;
        loop {
            match timeout_at(until, self.0.next()).await {
                Err(_) => return Heard::Silence,
                Ok(Some(Ok(Message::Text(text)))) => {
                    return Heard::Message(serde_json::from_str(&text).unwrap_or(Value::Null));
                }
                Ok(Some(Ok(Message::Close(Some(frame))))) => {
                    return Heard::Closed(frame.code.into(), frame.reason.to_string());
                }
                Ok(Some(Ok(
                    Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_),
                ))) => {}
                Ok(Some(Ok(Message::Close(None)) | Err(_)) | None) => return Heard::Broken,
            }
        }
    }

    /// The next message.
    ///
    /// # Panics
    /// When anything else comes, or nothing.
    pub async fn message(&mut self) -> Value {
        match self.hear().await {
            Heard::Message(message) => message,
            other @ (Heard::Closed(..) | Heard::Broken | Heard::Silence) => {
                panic!("{other:?} instead of a message")
            }
        }
    }

    /// Everything up to the close (or break), messages only, and how it ended.
    pub async fn to_the_end(&mut self) -> (Vec<Value>, Heard) {
        let mut messages = Vec::new();
        loop {
            match self.hear().await {
                Heard::Message(message) => messages.push(message),
                end @ (Heard::Closed(..) | Heard::Broken | Heard::Silence) => return (messages, end),
            }
        }
    }

    /// Says something.
    ///
    /// # Panics
    /// When the socket is gone.
    pub async fn say(&mut self, message: Message) {
        self.0.send(message).await.expect("the socket takes a message");
    }
}

/// Knowledge of a client about one order's channel, over all its connections: proves that nothing is missing or double.
#[derive(Debug, Default, Clone)]
pub struct Chain {
    /// Entries of backfills and live messages, `(seq, index, type or status)`.
    pub entries: Vec<(u64, u64, String)>,
    /// The last position.
    pub position: (u64, u64),
    /// The token to resume with.
    pub token: Option<String>,
    /// Faults that were found.
    pub faults: Vec<String>,
}

impl Chain {
    /// Takes a message in.
    pub fn take(&mut self, message: &Value) {
        let kind = message["type"].as_str().unwrap_or_default().to_owned();
        let at = (message["seq"].as_u64().unwrap_or_default(), message["index"].as_u64().unwrap_or_default());
        if let Some(token) = message["token"].as_str() {
            self.token = Some(token.to_owned());
        }
        match kind.as_str() {
            "connection" | "subscribed" | "error" | "fell_behind" | "caught_up" | "status" | "shutdown" => {}
            "reset" => *self = Self { faults: std::mem::take(&mut self.faults), ..Self::default() },
            "backfill" => {
                for entry in message["logs"].as_array().into_iter().flatten() {
                    let at = (
                        entry["seq"].as_u64().unwrap_or_default(),
                        entry["index"].as_u64().unwrap_or_default(),
                    );
                    let kind = entry["type"].as_str().or(entry["status"].as_str()).unwrap_or_default();
                    self.push(at, kind);
                }
                if at != self.position {
                    self.faults.push(format!("the backfill ends at {:?}, but says {at:?}", self.position));
                }
            }
            _ if message["replayed"] == true => {
                if at != self.position {
                    self.faults.push(format!("replayed {at:?} is not the last entry {:?}", self.position));
                }
            }
            _ => {
                let previous = (
                    message["prev_seq"].as_u64().unwrap_or(u64::MAX),
                    message["prev_index"].as_u64().unwrap_or(u64::MAX),
                );
                if previous != self.position {
                    self.faults
                        .push(format!("{at:?} follows {previous:?}, but the last was {:?}", self.position));
                }
                let kind = if kind == "status_update" {
                    message["status"].as_str().unwrap_or_default()
                } else {
                    &kind
                };
                self.push(at, kind);
            }
        }
    }

    fn push(&mut self, at: (u64, u64), kind: &str) {
        if at <= self.position {
            self.faults.push(format!("{at:?} comes after {:?}", self.position));
        }
        self.position = at;
        self.entries.push((at.0, at.1, kind.to_owned()));
    }

    /// The types, in order.
    #[must_use]
    pub fn kinds(&self) -> Vec<&str> {
        self.entries.iter().map(|(_, _, kind)| kind.as_str()).collect()
    }
}
