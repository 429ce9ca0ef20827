//! A client that trusts nothing: on each channel it holds every message against the one before it.

use std::{collections::HashMap, net::SocketAddr};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest, http::HeaderValue},
};

use crate::rig::PATIENCE;

pub(crate) type Place = (u64, u64);

/// Messages that came over the socket.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    Text(Value),
    Close(u16, String),
    /// The connection ended without a close.
    Cut,
}

/// An upgrade that was refused.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<TcpStream>,
    /// Everything that came.
    pub(crate) texts: Vec<String>,
    /// Place of each channel for this client.
    at: HashMap<String, Place>,
    /// The last token of each channel.
    pub(crate) tokens: HashMap<String, String>,
}

fn address(url: &str) -> SocketAddr {
    url.strip_prefix("ws://").unwrap().split('/').next().unwrap().parse().unwrap()
}

impl Client {
    pub(crate) async fn connect(url: &str) -> Self {
        Self::try_connect(url, &[]).await.unwrap_or_else(|refused| panic!("{url}: {refused:?}"))
    }

    pub(crate) async fn try_connect(url: &str, headers: &[(&'static str, &str)]) -> Result<Self, Refused> {
        let stream = TcpStream::connect(address(url)).await.unwrap();
        Self::over(stream, url, headers).await
    }

    /// A client whose kernel takes few bytes while it does not read.
    pub(crate) async fn connect_narrow(url: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16_384).unwrap();
        let stream = socket.connect(address(url)).await.unwrap();
        Self::over(stream, url, &[]).await.unwrap()
    }

    async fn over(stream: TcpStream, url: &str, headers: &[(&'static str, &str)]) -> Result<Self, Refused> {
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
        }
        match timeout(PATIENCE, client_async(request, stream)).await.expect("an answer to the upgrade") {
            Ok((socket, _)) => {
                Ok(Self { socket, texts: Vec::new(), at: HashMap::new(), tokens: HashMap::new() })
            }
            Err(Error::Http(response)) => {
                let status = response.status().as_u16();
                let body = serde_json::from_slice(response.body().as_deref().unwrap_or_default());
                Err(Refused { status, body: body.unwrap_or(Value::Null) })
            }
            Err(error) => panic!("{url}: {error}"),
        }
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// Asks for something and gives the answer, which may come behind other messages.
    pub(crate) async fn ask(&mut self, request: Value) -> Value {
        self.send(Message::text(request.to_string())).await;
        let kinds = ["subscribed", "unsubscribed", "error"];
        loop {
            let text = self.text().await;
            if kinds.iter().any(|kind| text["type"] == *kind) {
                return text;
            }
        }
    }

    pub(crate) async fn subscribe(&mut self, stream: &str, symbol: Option<&str>) -> Value {
        let answer = self.ask(json!({"action": "subscribe", "stream": stream, "symbol": symbol})).await;
        assert_eq!(answer["type"], "subscribed", "{answer}");
        answer
    }

    /// The next thing heard, in time.
    pub(crate) async fn next(&mut self) -> Heard {
        let socket = &mut self.socket;
        let heard = timeout(PATIENCE, async {
            loop {
                match socket.next().await {
                    Some(Ok(Message::Pong(_) | Message::Ping(_))) => {}
                    heard => return heard,
                }
            }
        });
        match heard.await.unwrap_or_else(|_| panic!("nothing came after {:?}", self.texts.last())) {
            Some(Ok(Message::Text(text))) => {
                self.texts.push(text.as_str().to_owned());
                let value: Value = serde_json::from_str(&text).unwrap();
                self.check(&value);
                Heard::Text(value)
            }
            Some(Ok(Message::Close(frame))) => frame.map_or(Heard::Close(1005, String::new()), |frame| {
                Heard::Close(frame.code.into(), frame.reason.as_str().to_owned())
            }),
            Some(Ok(other)) => panic!("{other:?}"),
            Some(Err(_)) | None => Heard::Cut,
        }
    }

    /// The next text.
    pub(crate) async fn text(&mut self) -> Value {
        match self.next().await {
            Heard::Text(value) => value,
            other => panic!("{other:?} instead of a text, after {:?}", self.texts.last()),
        }
    }

    /// The next so many texts.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<Value> {
        let mut taken = Vec::new();
        while taken.len() < count {
            taken.push(self.text().await);
        }
        taken
    }

    /// Texts up to and with the one of this type.
    pub(crate) async fn until_type(&mut self, kind: &str) -> Value {
        loop {
            let text = self.text().await;
            if text["type"] == kind {
                return text;
            }
        }
    }

    /// Everything up to the end; the close code and its reason.
    pub(crate) async fn until_close(&mut self) -> (u16, String) {
        loop {
            match self.next().await {
                Heard::Close(code, reason) => return (code, reason),
                Heard::Cut => panic!("cut without a close, after {:?}", self.texts.last()),
                Heard::Text(_) => {}
            }
        }
    }

    /// All messages of a type so far.
    pub(crate) fn all(&self, kind: &str) -> Vec<Value> {
        let texts = self.texts.iter().map(|text| serde_json::from_str::<Value>(text).unwrap());
        texts.filter(|text| text["type"] == kind).collect()
    }

    /// Positions of the messages of a type so far.
    pub(crate) fn places(&self, kind: &str) -> Vec<Place> {
        self.all(kind).iter().map(|text| place(text, "seq", "index").unwrap()).collect()
    }

    /// The chain: a live message names the position before it; only what tells how things stand begins it anew.
    fn check(&mut self, message: &Value) {
        let Some(channel) = channel(message) else { return };
        if let Some(token) = message["token"].as_str() {
            self.tokens.insert(channel.clone(), token.to_owned());
        }
        let Some(at) = place(message, "seq", "index") else { return };
        let known = self.at.get(&channel).copied();
        let kind = message["type"].as_str().unwrap();
        match (place(message, "prev_seq", "prev_index"), kind) {
            (Some(before), _) => {
                assert!(known.is_none_or(|known| known == before), "broken after {known:?}: {message}");
                assert!(at > before, "out of order: {message}");
            }
            (None, "reset" | "subscribed") => {}
            // Where the channel stands is not known yet: it stands before this.
            (None, "status") if known.is_none() => return,
            (None, _) if message["snapshot"] == true => {}
            (None, _) => assert!(known.is_none_or(|known| known == at), "not at {known:?}: {message}"),
        }
        self.at.insert(channel, at);
    }
}

/// The channel that a message belongs to. No test has trades of all markets and of one on the same socket.
fn channel(message: &Value) -> Option<String> {
    let symbol = message["symbol"].as_str().unwrap_or_default();
    match (message["type"].as_str().expect("every message has a type"), message["stream"].as_str()) {
        ("order_update", _) | (_, Some("orders")) => Some("orders".to_owned()),
        ("trade_executed", _) | (_, Some("trades")) => Some("trades".to_owned()),
        ("orderbook_update", _) | (_, Some("orderbook")) => Some(format!("orderbook {symbol}")),
        ("depth_snapshot" | "depth_update", _) | (_, Some("depth")) => Some(format!("depth {symbol}")),
        _ => None,
    }
}

pub(crate) fn place(message: &Value, seq: &str, index: &str) -> Option<Place> {
    Some((message[seq].as_u64()?, message[index].as_u64()?))
}
