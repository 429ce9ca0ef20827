//! A keep-alive HTTP client that costs little, and requests as they go over the wire.

use fillstream_tests::http;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    swap: Vec<u8>,
    answer: Vec<u8>,
}

/// A `GET`, for [`Client::ask`].
pub(crate) fn get(address: &str, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").into_bytes()
}

/// A `POST` of JSON, for [`Client::ask`].
pub(crate) fn post(address: &str, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// True when `/ready` says yes.
pub(crate) async fn is_ready(address: &str) -> bool {
    http::get(address, "/ready").await.status == 200
}

impl Client {
    pub(crate) async fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server takes connections");
        stream.set_nodelay(true).expect("TCP_NODELAY can be set");
        let body = r#"{"tokenIn":"SOL","tokenOut":"USDC","amount":1}"#;
        let swap = post(address, "/api/orders/execute", body);
        Self { stream, swap, answer: Vec::with_capacity(2048) }
    }

    /// Places a swap order; its id.
    pub(crate) async fn place(&mut self) -> String {
        let body = exchange(&mut self.stream, &self.swap, &mut self.answer, "201").await;
        quoted(body, "orderId").to_owned()
    }

    /// Sends a request as it stands; the answer's body, whose status must be this one.
    pub(crate) async fn ask(&mut self, request: &[u8], status: &str) -> &str {
        exchange(&mut self.stream, request, &mut self.answer, status).await
    }
}

/// The text behind the first `"name":"`.
pub(crate) fn quoted<'a>(json: &'a str, name: &str) -> &'a str {
    let value = json.split_once(&format!("\"{name}\":\"")).and_then(|(_, rest)| rest.split_once('"'));
    value.unwrap_or_else(|| panic!("there is no {name} in {json}")).0
}

async fn exchange<'a>(
    stream: &mut TcpStream,
    request: &[u8],
    answer: &'a mut Vec<u8>,
    status: &str,
) -> &'a str {
    stream.write_all(request).await.expect("the server reads");
    answer.clear();
    let mut end = None;
    while end.is_none_or(|(_, end)| answer.len() < end) {
        let read = stream.read_buf(answer).await.expect("the server answers");
        assert!(read > 0, "the server closed the connection");
        end = end.or_else(|| body_of(answer));
    }
    let text = std::str::from_utf8(answer).expect("answers are UTF-8");
    assert!(text.starts_with(&format!("HTTP/1.1 {status}")), "{text}");
    &text[end.map_or(0, |(start, _)| start)..]
}

/// Range of the body, once the head is there.
fn body_of(answer: &[u8]) -> Option<(usize, usize)> {
    let start = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&answer[..start]).to_ascii_lowercase();
    let length = head.split_once("content-length: ").expect("answers have a length").1;
    let length: usize = length.split_once('\r')?.0.parse().expect("a number");
    Some((start, start + length))
}
