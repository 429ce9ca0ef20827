//! The server dies, or is told to go, while orders are being placed.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use fillstream_tests::{http::request, stream};
use futures_util::future::join_all;
use rustix::process::Signal;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

use super::{EXECUTE, GOOD};
use crate::site::Site;

const CLIENTS: usize = 20;
/// A client gives up after this.
const PATIENCE: Duration = Duration::from_secs(20);
/// Requests under way may take 5 s when the process goes down, and then are cut.
const GONE_WITHIN: Duration = Duration::from_secs(8);

/// Places the order of a key; asks again until it is told that it is placed.
async fn insist(address: &str, key: &str) -> String {
    let headers = [("Content-Type", "application/json"), ("Idempotency-Key", key)];
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = request(address, "POST", EXECUTE, &headers, GOOD.as_bytes()).await {
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            if answer.status == 201 {
                return text;
            }
            assert_eq!(answer.status, 503, "{key}: {text}");
        }
        assert!(Instant::now() < deadline, "{key} cannot be placed");
        sleep(Duration::from_millis(2)).await;
    }
}

/// Places one order after the other until told to stop; each key with its answer.
async fn place_on(address: String, client: usize, done: Arc<AtomicBool>) -> BTreeMap<String, String> {
    let mut answers = BTreeMap::new();
    while !done.load(Relaxed) {
        let key = format!("{client}-{}", answers.len());
        let answer = insist(&address, &key).await;
        answers.insert(key, answer);
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_placed_while_the_server_dies_are_placed_once() {
    let mut site = Site::up(&[]);
    let address = site.address().to_owned();
    let done = Arc::new(AtomicBool::new(false));
    let clients = 0..CLIENTS;
    let clients = clients.map(|client| tokio::spawn(place_on(address.clone(), client, Arc::clone(&done))));
    let clients: Vec<_> = clients.collect();
    for signal in [Signal::KILL, Signal::TERM, Signal::KILL, Signal::INT] {
        sleep(Duration::from_millis(300)).await;
        site.process.signal(signal);
        let status = site.process.wait(GONE_WITHIN).expect("it ends in time");
        if signal != Signal::KILL {
            assert_eq!(status.code(), Some(0), "{signal:?}: {}", site.process.said());
        }
        site.kill_and_restart();
    }
    sleep(Duration::from_millis(300)).await;
    done.store(true, Relaxed);
    let placed = join_all(clients).await.into_iter().map(|client| client.expect("a client ends"));
    let answers: BTreeMap<_, _> = placed.flatten().collect();
    assert!(answers.len() > 10 * CLIENTS, "only {} orders were placed", answers.len());
    for (key, answer) in &answers {
        assert_eq!(insist(&address, key).await, *answer, "{key}");
    }
    let stored = stream::fold(&stream::all(&site.log().await).await);
    assert_eq!(stored.len(), answers.len(), "one order for each key, and none besides");
}

#[tokio::test]
async fn half_a_request_does_not_keep_the_server() {
    let mut site = Site::serve("api,bridge", &[]);
    let mut open = Vec::new();
    for begun in [
        "".to_owned(),
        "POST /api/ord".to_owned(),
        format!("POST {EXECUTE} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"),
        format!(
            "POST {EXECUTE} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{{"
        ),
        "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
    ] {
        let mut connection = TcpStream::connect(site.address()).await.expect("the server listens");
        connection.write_all(begun.as_bytes()).await.expect("the server reads");
        open.push(connection);
    }
    // The last one is answered: all of them have been accepted.
    let answer = open.last_mut().expect("some").read_u8().await;
    assert_eq!(answer.ok(), Some(b'H'));
    site.process.signal(Signal::TERM);
    let status = site.process.wait(GONE_WITHIN).and_then(|status| status.code());
    assert_eq!(status, Some(0), "{}", site.process.said());
}
