//! The doors: who holds one open, who pushes through, who comes under a false name.

mod bodies;
mod closed;
mod crowds;
mod halves;
mod names;

use std::time::Duration;

use fillstream_tests::http::Answer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Longest wait for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection on which these bytes were sent.
async fn sent(address: &str, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("the server accepts");
    stream.write_all(bytes).await.expect("it takes what is sent");
    stream
}

/// Everything up to the end of the connection; what came when it was reset instead.
async fn to_the_end(stream: &mut TcpStream) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the server ends it in time");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    read.map(|_| text.clone()).map_err(|error| format!("{error}: {text}"))
}

/// One answer off a connection that stays.
async fn answer(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let read = async {
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.to_ascii_lowercase();
                let length = length
                    .split_once("content-length: ")
                    .and_then(|(_, rest)| rest.lines().next()?.parse().ok());
                if body.len() >= length.unwrap_or(0) {
                    return Some(text);
                }
            }
            let mut chunk = [0; 4096];
            let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
            bytes.extend(&chunk[..read]);
        }
    };
    timeout(PATIENCE, read).await.expect("the server answers in time")
}

/// The stable code of a problem.
fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}
