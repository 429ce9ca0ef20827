//! Answers that are there before the client has said all.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::sleep};
use tokio_tungstenite::{
    client_async,
    tungstenite::{Message, protocol::frame::coding::CloseCode},
};

use super::{answer, sent, to_the_end};
use crate::site::Site;

const BODY: &str = r#"{"symbol":"BTC/USDT","side":"BUY","type":"LIMIT","quantity":"1","price":"100"}"#;

/// Refused before its body is looked at.
fn refused_head() -> String {
    format!(
        "POST /api/v1/orders HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        BODY.len()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_comes_behind_an_early_answer_costs_no_other_request() {
    let site = Site::serve("api", &[]);
    let mut stream = TcpStream::connect(site.address()).await.expect("it accepts");
    stream.set_nodelay(true).expect("a socket");
    for round in 0..50 {
        stream.write_all(refused_head().as_bytes()).await.expect("it reads");
        sleep(Duration::from_millis(2)).await;
        stream.write_all(BODY.as_bytes()).await.unwrap_or_else(|error| panic!("round {round}: {error}"));
        let early = answer(&mut stream).await.unwrap_or_else(|| panic!("round {round}: no answer"));
        assert!(early.starts_with("HTTP/1.1 401 "), "{early}");
        assert!(!early.to_ascii_lowercase().contains("connection: close"), "the body had come: {early}");
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("it reads");
        let next = answer(&mut stream).await.unwrap_or_else(|| panic!("round {round}: the next one is lost"));
        assert!(next.starts_with("HTTP/1.1 200 "), "{next}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_not_waited_for_and_the_client_is_told() {
    let site = Site::serve("api", &[]);
    let mut stream = sent(site.address(), refused_head().as_bytes()).await;
    let early = answer(&mut stream).await.expect("an answer without the body");
    assert!(early.starts_with("HTTP/1.1 401 "), "{early}");
    assert!(early.to_ascii_lowercase().contains("connection: close"), "{early}");
    // It may still write what it has begun; it is not cut off by a reset.
    stream.write_all(BODY.as_bytes()).await.expect("the body is taken");
    assert_eq!(to_the_end(&mut stream).await.as_deref(), Ok(""));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_all_before_it_reads_still_reads_the_close_code() {
    let site = Site::up(&[]);
    for _ in 0..5 {
        let stream = TcpStream::connect(site.address()).await.expect("it accepts");
        let (mut socket, _) = client_async("ws://localhost/ws/trades", stream).await.expect("it opens");
        socket.send(Message::Binary(vec![0; 2 << 20].into())).await.expect("all of it is taken");
        let close = loop {
            match socket.next().await {
                Some(Ok(Message::Close(Some(frame)))) => break frame,
                Some(Ok(_)) => {}
                other => panic!("{other:?} instead of a close"),
            }
        };
        assert_eq!(close.code, CloseCode::Size);
    }
}
