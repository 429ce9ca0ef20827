//! A client of event streams that reads line by line. It speaks HTTP/1.0, so that a body is what comes until the end.

use std::net::SocketAddr;

use fillstream_domain::OrderId;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpSocket,
    time::timeout,
};

use crate::{client::Refused, rig::PATIENCE};

/// Messages that came over an event stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Told {
    /// An event's data.
    Event(String),
    Comment,
    /// The stream is over.
    End,
}

pub(crate) struct EventClient {
    stream: BufReader<tokio::net::TcpStream>,
    /// The answer's head, in lower case.
    pub(crate) head: String,
    /// Data of the events, as they came.
    pub(crate) texts: Vec<String>,
    /// The `id` of the last event: what a browser resumes with.
    pub(crate) last_id: String,
}

impl EventClient {
    pub(crate) async fn connect(
        address: SocketAddr,
        order: OrderId,
        query: &str,
        headers: &[(&str, &str)],
    ) -> Self {
        let path = format!("/api/orders/{order}/events{query}");
        let client = Self::try_connect(address, &path, headers, None).await;
        client.unwrap_or_else(|refused| panic!("{path}: {refused:?}"))
    }

    /// `receive_buffer`: bytes that the client's kernel takes while it does not read.
    pub(crate) async fn try_connect(
        address: SocketAddr,
        path: &str,
        headers: &[(&str, &str)],
        receive_buffer: Option<u32>,
    ) -> Result<Self, Refused> {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        let mut stream = BufReader::new(socket.connect(address).await.unwrap());
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!("GET {path} HTTP/1.0\r\nAccept: text/event-stream\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = timeout(PATIENCE, stream.read_line(&mut head)).await.expect("an answer").unwrap();
            assert!(read > 0, "cut within the head: {head:?}");
        }
        let head = head.to_ascii_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        if status != 200 {
            let mut body = Vec::new();
            stream.read_to_end(&mut body).await.unwrap();
            return Err(Refused { status, body: serde_json::from_slice(&body).unwrap_or(Value::Null) });
        }
        Ok(Self { stream, head, texts: Vec::new(), last_id: String::new() })
    }

    /// The next thing told, in time. An event's type is the text's, and its id is the text's token.
    pub(crate) async fn next(&mut self) -> Told {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            let read = timeout(PATIENCE, self.stream.read_line(&mut line)).await;
            let read = read.unwrap_or_else(|_| panic!("nothing came after {:?}", self.texts.last()));
            if read.unwrap() == 0 {
                assert!(lines.is_empty(), "cut within an event: {lines:?}");
                return Told::End;
            }
            match line.trim_end_matches('\n') {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let fields: Vec<_> = lines.iter().map(|line| line.split_once(':').unwrap()).collect();
        match fields.as_slice() {
            [("", _)] => Told::Comment,
            [("event", kind), ("id", id), ("data", data)] => {
                let message: Value = serde_json::from_str(data).unwrap();
                assert_eq!(message["type"], kind.trim());
                assert!(message.get("token").is_none_or(|token| token == id.trim()), "{id}: {data}");
                id.trim().clone_into(&mut self.last_id);
                self.texts.push(data.trim().to_owned());
                Told::Event(data.trim().to_owned())
            }
            _ => panic!("no event: {lines:?}"),
        }
    }

    /// Texts up to and with the one of this type.
    pub(crate) async fn until_type(&mut self, kind: &str) {
        let kind = format!(r#"{{"type":"{kind}""#);
        while !self.texts.last().is_some_and(|text| text.starts_with(&kind)) {
            assert_ne!(self.next().await, Told::End, "before {kind}, after {:?}", self.texts.last());
        }
    }

    /// Everything up to the end.
    pub(crate) async fn until_end(&mut self) {
        while self.next().await != Told::End {}
    }
}
