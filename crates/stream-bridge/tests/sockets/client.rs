//! A client that trusts nothing: it holds every message against the one before it.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest, http::HeaderValue},
};

use crate::{life::Place, rig::PATIENCE};

/// Messages that came over the socket.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    Text(Value),
    Ping,
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
    /// Texts as they came.
    pub(crate) texts: Vec<String>,
    /// Positions that were shown, in order, backfill first.
    pub(crate) shown: Vec<Place>,
    /// Place of the channel for this client.
    at: Option<Place>,
    /// The last token that came with anything.
    pub(crate) token: String,
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
        socket.set_recv_buffer_size(4096).unwrap();
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
                Ok(Self { socket, texts: Vec::new(), shown: Vec::new(), at: None, token: String::new() })
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

    /// The next thing heard, in time.
    pub(crate) async fn next(&mut self) -> Heard {
        let socket = &mut self.socket;
        let heard = timeout(PATIENCE, async {
            loop {
                match socket.next().await {
                    Some(Ok(Message::Pong(_))) => {}
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
            Some(Ok(Message::Ping(_))) => Heard::Ping,
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

    /// Texts up to and with the one of this type.
    pub(crate) async fn until_type(&mut self, kind: &str) -> Value {
        loop {
            let text = self.text().await;
            if text["type"] == kind {
                return text;
            }
        }
    }

    /// Texts until this place was shown.
    pub(crate) async fn until_shown(&mut self, place: Place) {
        while self.shown.last() != Some(&place) {
            self.text().await;
        }
    }

    /// Everything up to the end; the close code and its reason.
    pub(crate) async fn until_close(&mut self) -> (u16, String) {
        loop {
            match self.next().await {
                Heard::Close(code, reason) => return (code, reason),
                Heard::Cut => panic!("cut without a close, after {:?}", self.texts.last()),
                Heard::Text(_) | Heard::Ping => {}
            }
        }
    }

    /// Types of the texts so far.
    pub(crate) fn types(&self) -> Vec<String> {
        let kind =
            |text: &String| serde_json::from_str::<Value>(text).unwrap()["type"].as_str().unwrap().to_owned();
        self.texts.iter().map(kind).collect()
    }

    /// The chain: a live message names the position before it, a backfill stands at its last entry.
    fn check(&mut self, message: &Value) {
        if let Some(token) = message["token"].as_str() {
            self.token = token.to_owned();
        }
        let place = |seq: &str, index: &str| -> Option<Place> {
            Some((message[seq].as_u64()?, u32::try_from(message[index].as_u64()?).unwrap()))
        };
        let kind = message["type"].as_str().expect("every message has a type");
        match (kind, place("seq", "index"), place("prev_seq", "prev_index")) {
            ("backfill", Some(at), None) => {
                for entry in message["logs"].as_array().unwrap() {
                    let entry = (entry["seq"].as_u64().unwrap(), entry["index"].as_u64().unwrap());
                    self.shown.push((entry.0, u32::try_from(entry.1).unwrap()));
                    assert!(self.shown.last() <= Some(&at), "an entry behind the backfill: {message}");
                }
                self.at = Some(at);
            }
            ("reset", Some(at), None) => {
                self.shown.clear();
                self.at = Some(at);
            }
            (_, Some(at), Some(_)) if message["replayed"] == true => {
                assert_eq!(Some(at), self.at, "{message}")
            }
            (_, Some(at), Some(before)) => {
                assert_eq!(Some(before), self.at, "the chain is broken at {message}");
                assert!(at > before, "out of order: {message}");
                self.shown.push(at);
                self.at = Some(at);
            }
            // A message about the connection, at the position of the last one sent.
            (_, Some(at), None) if self.at.is_some() => assert_eq!(Some(at), self.at, "{message}"),
            (_, _, _) => {}
        }
    }
}
