//! A socket that only listens, and costs next to nothing.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// An open socket.
pub(crate) struct Ear {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Ear {
    pub(crate) async fn open(address: &str, path: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.expect("the bridge takes connections");
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("the bridge reads");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("the bridge answers"));
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        Self { stream, bytes: Vec::new() }
    }

    /// Waits until something comes, and hands over each text that is complete. False when the socket is closed.
    pub(crate) async fn hear(&mut self, each: impl FnMut(&str)) -> bool {
        match self.stream.read_buf(&mut self.bytes).await {
            Ok(0) | Err(_) => return false,
            Ok(_) => {}
        }
        let used = texts(&self.bytes, each);
        self.bytes.drain(..used);
        true
    }
}

/// Hands over the complete, unmasked text frames at the front (RFC 6455 section 5.2); the bytes that all complete
/// frames take.
fn texts(bytes: &[u8], mut each: impl FnMut(&str)) -> usize {
    let mut at = 0;
    while let Some([first, second]) = bytes.get(at..at + 2) {
        let (header, length) = match second {
            126 => match bytes.get(at + 2..at + 4) {
                Some(length) => (4, usize::from(length[0]) << 8 | usize::from(length[1])),
                None => break,
            },
            127 => match bytes.get(at + 2..at + 10).and_then(|length| length.try_into().ok()) {
                Some(length) => (10, usize::try_from(u64::from_be_bytes(length)).unwrap_or(usize::MAX)),
                None => break,
            },
            short => (2, usize::from(*short)),
        };
        let Some(payload) = bytes.get(at + header..at + header + length) else { break };
        if first & 0x0f == 1 {
            each(std::str::from_utf8(payload).expect("texts are UTF-8"));
        }
        at += header + length;
    }
    at
}
