//! The NATS protocol by hand: what a test sends is exactly what the server gets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// One connection with one inbox.
pub(crate) struct RawClient {
    stream: BufReader<TcpStream>,
}

impl RawClient {
    /// `url` as `nats://HOST:PORT`.
    pub(crate) fn connect(url: &str) -> Self {
        let stream = TcpStream::connect(url.strip_prefix("nats://").unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut client = Self { stream: BufReader::new(stream) };
        assert!(client.line().starts_with("INFO "));
        client.send("CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB _INBOX.raw 1\r\n");
        client
    }

    /// The answer to one request, an API call or a publish to a stream.
    pub(crate) fn request(&mut self, subject: &str, payload: &str) -> Value {
        self.send(&format!("PUB {subject} _INBOX.raw {}\r\n{payload}\r\n", payload.len()));
        loop {
            let line = self.line();
            if line.starts_with("PING") {
                self.send("PONG\r\n");
                continue;
            }
            let size =
                line.strip_prefix("MSG _INBOX.raw 1 ").unwrap_or_else(|| panic!("not an answer: {line}"));
            let mut body = vec![0; size.trim().parse::<usize>().unwrap() + 2];
            self.stream.read_exact(&mut body).unwrap();
            return serde_json::from_slice(&body).unwrap();
        }
    }

    fn send(&mut self, text: &str) {
        self.stream.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line
    }
}
