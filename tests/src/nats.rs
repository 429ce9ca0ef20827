//! A client that knows the NATS protocol and nothing else.

use std::time::Duration;

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};

/// Longest wait for a reply: the longest that a server takes for an answer, and a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// A reply, or another message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status of the protocol itself: 503 when nobody listens on the subject.
    pub status: Option<u16>,
    /// The headers, as they were written.
    pub headers: Vec<(String, String)>,
    /// The payload.
    pub payload: Vec<u8>,
    /// Where the sender wants an answer, such as a consumer its acknowledgement.
    pub reply_to: Option<String>,
}

impl Reply {
    /// The first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The payload as JSON; null when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.payload).unwrap_or(Value::Null)
    }
}

/// A connection. Requests go over it one after the other.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
    inbox: String,
    asked: u64,
}

/// Greeting of the server at `host:port`.
///
/// # Panics
/// When there is none.
pub async fn greeting(address: &str) -> Value {
    let stream = TcpStream::connect(address).await.expect("a nats-server listens");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await.expect("it greets");
    serde_json::from_str(line.trim_start_matches("INFO ")).expect("the greeting is JSON")
}

impl Client {
    /// Connects to `nats://host:port`, or `nats://user:password@host:port`.
    ///
    /// # Panics
    /// When there is no server.
    pub async fn connect(url: &str) -> Self {
        Self::connect_with_inbox(url, "_INBOX").await
    }

    /// The same, with replies to subjects that begin with another word than `_INBOX`.
    ///
    /// # Panics
    /// When there is no server.
    pub async fn connect_with_inbox(url: &str, prefix: &str) -> Self {
        let address = url.trim_start_matches("nats://");
        let (user, address) = address.split_once('@').unwrap_or(("", address));
        let (user, password) = user.split_once(':').unwrap_or_default();
        let stream = TcpStream::connect(address).await.expect("a nats-server listens");
        let inbox = format!("{prefix}.{}", uuid::Uuid::now_v7().simple());
        let mut client = Self { stream: BufReader::new(stream), inbox, asked: 0 };
        let hello = format!(
            "CONNECT {{\"verbose\":false,\"headers\":true,\"no_responders\":true,\"user\":\"{user}\",\"pass\":\"{password}\"}}\r\n\
             SUB {}.* 1\r\n",
            client.inbox
        );
        client.stream.write_all(hello.as_bytes()).await.expect("it reads");
        client
    }

    /// One request, its reply. Nothing when the connection breaks or nobody replies in time.
    pub async fn request(&mut self, subject: &str, headers: &[(&str, &str)], payload: &str) -> Option<Reply> {
        let reply_to = self.send(subject, headers, payload).await?;
        let reply = async {
            loop {
                let (subject, reply) = self.receive().await?;
                // A late reply to an earlier request is nobody's any more.
                if subject == reply_to {
                    return Some(reply);
                }
            }
        };
        timeout(PATIENCE, reply).await.ok()?
    }

    /// One request, and all replies that come until there are `count` of them.
    ///
    /// # Panics
    /// When there are fewer in time.
    pub async fn gather(&mut self, subject: &str, count: usize) -> Vec<Value> {
        let until = Instant::now() + PATIENCE;
        self.send(subject, &[], "").await.expect("it reads");
        let mut replies = Vec::new();
        while replies.len() < count {
            let received = timeout_at(until, self.receive()).await;
            let received = received.unwrap_or_else(|_| panic!("{subject}: {} replies", replies.len()));
            replies.push(received.expect("the connection holds").1.json());
        }
        replies
    }

    /// Sends a request; where the reply goes to.
    pub async fn send(&mut self, subject: &str, headers: &[(&str, &str)], payload: &str) -> Option<String> {
        self.asked += 1;
        let reply_to = format!("{}.{}", self.inbox, self.asked);
        let mut head = "NATS/1.0\r\n".to_owned();
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let (of_head, of_all) = (head.len(), head.len() + payload.len());
        let message = format!("HPUB {subject} {reply_to} {of_head} {of_all}\r\n{head}{payload}\r\n");
        self.stream.write_all(message.as_bytes()).await.ok()?;
        Some(reply_to)
    }

    /// Sends a request whose reply is to go anywhere.
    ///
    /// # Panics
    /// When the connection breaks.
    pub async fn send_to(&mut self, subject: &str, reply_to: &str, payload: &str) {
        let message = format!("PUB {subject} {reply_to} {}\r\n{payload}\r\n", payload.len());
        self.stream.write_all(message.as_bytes()).await.expect("it reads");
    }

    /// The next message, with its subject. Nothing when the connection breaks.
    pub async fn receive(&mut self) -> Option<(String, Reply)> {
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let words: Vec<_> = line.split_whitespace().collect();
            let sizes: Vec<usize> = words.iter().rev().map_while(|word| word.parse().ok()).collect();
            match (words.first().copied(), sizes.as_slice()) {
                (Some("PING"), _) => self.stream.write_all(b"PONG\r\n").await.ok()?,
                (Some("MSG"), [all, ..]) => {
                    let reply_to = words.get(3).filter(|_| words.len() > 4).map(ToString::to_string);
                    return Some((words[1].to_owned(), Reply { reply_to, ..self.body(0, *all).await? }));
                }
                (Some("HMSG"), [all, head, ..]) => {
                    let reply_to = words.get(3).filter(|_| words.len() > 5).map(ToString::to_string);
                    return Some((words[1].to_owned(), Reply { reply_to, ..self.body(*head, *all).await? }));
                }
                // What was asked for is not allowed: as the protocol's own 403.
                (Some("-ERR"), _) if line.contains("Permissions Violation") => {
                    let reply = Reply {
                        status: Some(403),
                        headers: Vec::new(),
                        payload: line.as_bytes().to_vec(),
                        reply_to: None,
                    };
                    return Some((format!("{}.{}", self.inbox, self.asked), reply));
                }
                (Some("-ERR"), _) => panic!("the server says {line}"),
                _ => {}
            }
        }
    }

    async fn body(&mut self, head: usize, all: usize) -> Option<Reply> {
        let mut bytes = vec![0; all + 2];
        self.stream.read_exact(&mut bytes).await.ok()?;
        let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
        let mut lines = text.lines();
        let status = lines.next().and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        Some(Reply { status, headers, payload: bytes[head..all].to_vec(), reply_to: None })
    }
}
