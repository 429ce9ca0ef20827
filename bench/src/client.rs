//! A keep-alive HTTP client that costs little, and order bodies.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server takes connections");
        stream.set_nodelay(true).expect("TCP_NODELAY can be set");
        let body = r#"{"tokenIn":"SOL","tokenOut":"USDC","amount":1}"#;
        let request = format!(
            "POST /api/orders/execute HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Self { stream, request: request.into_bytes(), answer: Vec::with_capacity(2048) }
    }

    /// Places an order; its id.
    pub(crate) async fn place(&mut self) -> String {
        self.stream.write_all(&self.request).await.expect("the server reads");
        self.answer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.answer).await.expect("the server answers");
            assert!(read > 0, "the server closed the connection");
            let text = String::from_utf8_lossy(&self.answer);
            if let Some((head, body)) = text.split_once("\r\n\r\n")
                && body.ends_with('}')
            {
                assert!(head.starts_with("HTTP/1.1 201"), "{text}");
                let (_, id) = body.split_once(r#""orderId":""#).expect("a 201 has an orderId");
                return id[..36].to_owned();
            }
        }
    }
}
