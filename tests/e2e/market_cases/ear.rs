//! A client of the market's sockets that trusts nothing: each message is held against the one before it on its channel.

use std::collections::BTreeMap;

use fillstream_tests::socket::{Client, Heard};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{desk::Desk, place, text};

/// Knowledge of one channel, over all connections.
#[derive(Debug, Default, Clone)]
pub(super) struct Line {
    /// Its messages, in order; no control messages.
    pub(super) heard: Vec<Value>,
    at: Option<(u64, u64)>,
    /// The last message was its event's last one, or nothing is known of it.
    ended: bool,
    pub(super) token: Option<String>,
}

impl Line {
    /// A channel on which nothing has happened yet.
    pub(super) fn fresh() -> Self {
        Self { at: Some((0, 0)), ended: true, ..Self::default() }
    }

    /// A channel of which this message was the last that was heard.
    pub(super) fn standing(at: &Value) -> Self {
        let token = Some(text(at, "token").to_owned());
        Self { at: Some(place(at)), ended: at["last"] == true, token, heard: vec![at.clone()] }
    }

    fn take(&mut self, message: &Value) {
        self.token = Some(text(message, "token").to_owned());
        let at = place(message);
        if message["prev_seq"].is_null() {
            assert!(message["snapshot"] == true || self.at.is_none(), "no chain: {message}");
        } else {
            let before = (message["prev_seq"].as_u64(), message["prev_index"].as_u64());
            let Some(known) = self.at else { panic!("nothing was said before {message}") };
            assert_eq!(before, (Some(known.0), Some(known.1)), "a gap before {message}");
            assert!(at > known, "not behind {known:?}: {message}");
            if at.0 == known.0 && !self.heard.is_empty() {
                assert_eq!(at.1, known.1 + 1, "{message}");
            } else if at.0 != known.0 {
                assert!(self.ended && at.1 == 0, "an event began or ended in between: {message}");
            }
        }
        (self.at, self.ended) = (Some(at), message["last"] == true || message["snapshot"] == true);
        self.heard.push(message.clone());
    }

    /// A control message says where the channel stands.
    fn stand(&mut self, message: &Value) {
        (self.at, self.ended) = (Some(place(message)), true);
        self.token = Some(text(message, "token").to_owned());
    }
}

/// See the module's first line.
pub(super) struct Ear {
    client: Client,
    /// By stream, books by stream and symbol.
    pub(super) lines: BTreeMap<String, Line>,
    /// Control messages and errors.
    pub(super) told: Vec<Value>,
}

impl Ear {
    /// A socket on a market in which nothing has happened on the channel yet.
    pub(super) async fn open(desk: &Desk, path: &str) -> Self {
        Self::resume(desk.address(), path, Line::fresh())
            .await
            .unwrap_or_else(|status| panic!("{path}: {status}"))
    }

    /// A socket of one stream that goes on where an earlier one stopped; the status code when it is refused.
    pub(super) async fn resume(address: &str, path: &str, line: Line) -> Result<Self, u16> {
        Ok(Self::over(Client::open(address, path).await?, path, line))
    }

    /// As [`resume`](Self::resume), for a client that is going to stop reading.
    pub(super) async fn narrow(address: &str, path: &str, line: Line) -> Result<Self, u16> {
        Ok(Self::over(Client::open_narrow(address, path).await?, path, line))
    }

    fn over(client: Client, path: &str, line: Line) -> Self {
        let stream =
            ["orders", "trades"].into_iter().find(|stream| path.starts_with(&format!("/ws/{stream}")));
        let lines = stream.map(|stream| (stream.to_owned(), line)).into_iter().collect();
        Self { client, lines, told: Vec::new() }
    }

    pub(super) async fn say(&mut self, message: Message) {
        self.client.say(message).await;
    }

    /// Asks for something: the answer, which may come behind messages of channels.
    pub(super) async fn ask(&mut self, request: &Value) -> Value {
        self.say(Message::text(request.to_string())).await;
        self.answer().await
    }

    pub(super) async fn answer(&mut self) -> Value {
        loop {
            let message = self.next().await;
            if ["subscribed", "unsubscribed", "error"].contains(&text(&message, "type")) {
                return message;
            }
        }
    }

    pub(super) async fn subscribe(&mut self, stream: &str, symbol: Option<&str>) {
        let answer = self.ask(&json!({"action": "subscribe", "stream": stream, "symbol": symbol})).await;
        assert_eq!(answer["type"], "subscribed", "{answer}");
    }

    /// The next thing heard, taken in.
    pub(super) async fn hear(&mut self) -> Heard {
        let heard = self.client.hear().await;
        if let Heard::Message(message) = &heard {
            self.take_in(message);
        }
        heard
    }

    fn take_in(&mut self, message: &Value) {
        let symbol = message["symbol"].as_str().unwrap_or_default();
        let line = match text(message, "type") {
            "order_update" => "orders".to_owned(),
            "trade_executed" => "trades".to_owned(),
            "orderbook_update" => format!("orderbook {symbol}"),
            "depth_snapshot" | "depth_update" => format!("depth {symbol}"),
            control => {
                if ["subscribed", "reset"].contains(&control) {
                    let stream = text(message, "stream");
                    let book = ["orderbook", "depth"].contains(&stream);
                    let line = if book { format!("{stream} {symbol}") } else { stream.to_owned() };
                    self.lines.entry(line).or_default().stand(message);
                }
                self.told.push(message.clone());
                return;
            }
        };
        self.lines.entry(line).or_default().take(message);
    }

    /// The next message of any kind.
    pub(super) async fn next(&mut self) -> Value {
        match self.hear().await {
            Heard::Message(message) => message,
            other => panic!("{other:?} instead of a message, after {:?}", self.told.last()),
        }
    }

    /// The next so many messages of channels; control messages are kept apart.
    pub(super) async fn take(&mut self, count: usize) -> Vec<Value> {
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            let message = self.next().await;
            if self.told.last() != Some(&message) {
                taken.push(message);
            }
        }
        taken
    }

    /// The line of a socket with one stream.
    pub(super) fn line(&self) -> &Line {
        self.lines.values().next().expect("a socket has a line")
    }
}
