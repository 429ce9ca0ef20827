//! Spans at a collector: one trace from the client's request to the execution.

use std::{sync::Arc, time::Duration};

use fillstream_event_log::Record;
use fillstream_tests::stream;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};

use super::{EXECUTE, ORDERS, PATIENCE, POLL, SWAP, limit, rest, send, until};
use crate::site::Site;

/// A collector; its address, and the spans that it was sent.
async fn collector() -> (String, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    let spans = Arc::<Mutex<Vec<Value>>>::default();
    let taken = Arc::clone(&spans);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(take(stream, Arc::clone(&taken)));
        }
    });
    (address, spans)
}

async fn take(stream: TcpStream, spans: Arc<Mutex<Vec<Value>>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut length, mut line) = (0, String::new());
        while let Ok(1..) = stream.read_line(&mut line).await {
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a number");
            }
            line.clear();
        }
        if length == 0 {
            return;
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.expect("a body");
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        for resource in body["resourceSpans"].as_array().expect("resources") {
            for scope in resource["scopeSpans"].as_array().expect("scopes") {
                spans.lock().extend(scope["spans"].as_array().expect("spans").iter().cloned());
            }
        }
        let answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
        stream.get_mut().write_all(answer).await.expect("it hears");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_gets_one_trace_from_the_request_to_the_execution() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const CALLER: &str = "b7ad6b7169203331";
    let (address, spans) = collector().await;
    let mut site = Site::up(&[&format!("--otlp={address}")]);
    let traceparent = format!("00-{TRACE}-{CALLER}-01");
    let placed = send(&site, "POST", EXECUTE, &[("traceparent", &traceparent)], SWAP).await.json();
    let order = placed["orderId"].as_str().expect("it is taken").to_owned();
    until(&site, &format!("/api/orders/{order}"), "confirmed", |order| order.json()["status"] == "confirmed")
        .await;
    let placed = send(&site, "POST", ORDERS, &[("traceparent", &traceparent)], &limit(100).to_string()).await;
    assert_eq!(placed.status, 201);
    let log = site.log().await;
    let deadline = Instant::now() + PATIENCE;
    let is_commit = |record: &Record| {
        record.subject == "markets.BTC-USDT"
            && record.traceparent.is_some_and(|trace| trace.to_string() == traceparent)
    };
    while !stream::all(&log).await.iter().any(is_commit) {
        assert!(Instant::now() < deadline, "no commit belongs to the trace\n{}", site.process.said());
        sleep(POLL).await;
    }
    rest(&site, 101).await;
    // What waits is sent at the end.
    assert_eq!(site.process.terminate(), Some(0), "{}", site.process.said());
    let spans = spans.lock().clone();
    let of_trace: Vec<_> = spans.iter().filter(|span| span["traceId"] == TRACE).collect();
    let parent_of = |name: &str, parent: &str| {
        let mut found = of_trace.iter().filter(|span| span["name"] == name && span["parentSpanId"] == parent);
        found.next().unwrap_or_else(|| panic!("no span {name} under {parent}: {of_trace:?}"))["spanId"]
            .as_str()
            .expect("an id")
            .to_owned()
    };
    let request = parent_of("request", CALLER);
    parent_of("order", &request);
    let executed = parent_of("order", CALLER);
    let executed = of_trace.iter().find(|span| span["spanId"] == *executed).expect("it is there");
    assert!(executed["attributes"].to_string().contains(&order), "{executed}");
    // Who begins a trace is its root.
    let root = spans
        .iter()
        .find(|span| span["name"] == "request" && span["parentSpanId"].as_str().is_none_or(str::is_empty));
    assert!(root.is_some(), "{spans:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_costs_spans_and_nothing_else() {
    let mut site = Site::up(&[&format!("--otlp=http://127.0.0.1:{}", fillstream_tests::free_port())]);
    rest(&site, 100).await;
    let ended = tokio::task::spawn_blocking(move || (site.process.terminate(), site.process.said()));
    let ended = tokio::time::timeout(Duration::from_secs(30), ended).await.expect("it ends");
    let (code, said) = ended.expect("it ends");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("otlp: spans not taken by the collector"), "{said}");
}
