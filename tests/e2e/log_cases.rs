//! The live log over HTTP: what is stored, as it is stored, unbroken.

use std::time::Duration;

use fillstream_event_log::Record;
use fillstream_tests::{
    http::{Answer, get, place, request},
    socket::PATIENCE,
    stream,
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use crate::{
    auth_cases::{VERIFIED, good},
    site::Site,
};

const EVENTS: (&str, &str) = ("Accept", "text/event-stream");

/// A reader of the event stream that keeps what it was told. It speaks HTTP/1.0, so that a body is what comes until the
/// end.
struct Feed {
    stream: BufReader<TcpStream>,
    /// Messages, in the order in which they came.
    messages: Vec<Value>,
    /// Control events: their types and reasons.
    told: Vec<(String, String)>,
}

impl Feed {
    async fn open(site: &Site, query: &str, last_event_id: Option<u64>) -> Self {
        let mut stream =
            BufReader::new(TcpStream::connect(site.address()).await.expect("the server listens"));
        let id = last_event_id.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let request = format!("GET /api/log{query} HTTP/1.0\r\nAccept: text/event-stream\r\n{id}\r\n");
        stream.write_all(request.as_bytes()).await.expect("the server reads");
        let mut feed = Self { stream, messages: Vec::new(), told: Vec::new() };
        let status = feed.line().await.expect("an answer");
        assert!(status.contains(" 200 "), "{query}: {status}");
        while !feed.line().await.expect("a head").is_empty() {}
        feed
    }

    /// The next line; nothing at the end.
    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = timeout(PATIENCE, self.stream.read_line(&mut line)).await;
        let read = read.unwrap_or_else(|_| panic!("nothing came after {:?}", self.messages.last()));
        (read.ok()? > 0).then(|| line.trim_end().to_owned())
    }

    /// Takes one event in; false at the end.
    async fn next(&mut self) -> bool {
        let (mut kind, mut id) = (String::new(), None);
        while let Some(line) = self.line().await {
            if let Some(value) = line.strip_prefix("event: ") {
                value.clone_into(&mut kind);
            } else if let Some(value) = line.strip_prefix("id: ") {
                id = value.parse::<u64>().ok();
            } else if let Some(data) = line.strip_prefix("data: ") {
                let data: Value = serde_json::from_str(data).expect("an event is JSON");
                if kind == "message_stored" {
                    assert_eq!(data["seq"].as_u64(), id, "{data}");
                    self.messages.push(data);
                } else {
                    self.told.push((kind, data["reason"].as_str().unwrap_or_default().to_owned()));
                }
                return true;
            }
        }
        false
    }

    async fn until(&mut self, what: &str, is: impl Fn(&Self) -> bool) {
        while !is(self) {
            assert!(self.next().await, "the end came before {what}");
        }
    }

    async fn until_seq(&mut self, seq: u64) {
        let reached =
            |feed: &Self| feed.messages.last().is_some_and(|last| last["seq"].as_u64() >= Some(seq));
        self.until("the sequence", reached).await;
    }
}

fn seqs(messages: &[Value]) -> Vec<u64> {
    messages.iter().map(|message| message["seq"].as_u64().expect("a seq")).collect()
}

/// What is shown is what an auditor reads from the stream.
fn assert_shown(messages: &[Value], stored: &[&Record]) {
    assert_eq!(seqs(messages), stored.iter().map(|record| record.seq.get()).collect::<Vec<_>>());
    for (message, record) in messages.iter().zip(stored) {
        let payload: Value = serde_json::from_slice(&record.payload).unwrap_or_default();
        assert_eq!((&message["subject"], &message["payload"]), (&record.subject.clone().into(), &payload));
        let id = record.event_id.map(|id| id.to_string());
        assert_eq!(message["headers"]["ce-id"].as_str().map(str::to_owned), id, "{message}");
        assert!(message["stored_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{message}");
    }
}

async fn until_confirmed(site: &Site, order: &str) {
    let (path, deadline) = (format!("/api/orders/{order}"), Instant::now() + PATIENCE);
    while get(site.address(), &path).await.json()["status"] != "confirmed" {
        assert!(Instant::now() < deadline, "{order} is not confirmed");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_log_shows_what_is_stored_and_goes_on_where_a_client_was() {
    let site = Site::up(&[]);
    let mut live = Feed::open(&site, "", None).await;
    let mut placed = Feed::open(&site, "?subject=orders.swap.*.placed", None).await;
    for _ in 0..3 {
        let order = place(site.address(), "SOL", "USDC").await;
        until_confirmed(&site, &order).await;
    }
    let stored = stream::all(&site.log().await).await;
    let last = stored.last().expect("events").seq;
    live.until_seq(last.get()).await;
    let all: Vec<_> = stored.iter().collect();
    assert_shown(&live.messages, &all);
    let only = |pattern: fn(&str) -> bool| -> Vec<_> {
        stored.iter().filter(|record| pattern(&record.subject)).collect()
    };
    let of_placed = only(|subject| subject.ends_with(".placed"));
    placed.until_seq(of_placed.last().expect("orders").seq.get()).await;
    assert_shown(&placed.messages, &of_placed);
    for (query, id, expected) in [
        ("?after=0".to_owned(), None, all.clone()),
        (format!("?after={}", last.get() - 1), Some(4), all[4..].to_vec()),
        ("?after=0&subject=markets.%3E".to_owned(), None, only(|subject| subject.starts_with("markets."))),
    ] {
        let mut again = Feed::open(&site, &query, id).await;
        again.until_seq(expected.last().expect("something").seq.get()).await;
        assert_shown(&again.messages, &expected);
    }
    assert_eq!((&live.told, &placed.told), (&vec![], &vec![]));
}

#[tokio::test]
async fn a_restart_of_nats_is_told_and_breaks_nothing() {
    let site = Site::serve("api,bridge", &[]);
    let nats = site.nats.as_ref().expect("a nats-server of our own");
    place(site.address(), "SOL", "USDC").await;
    let mut live = Feed::open(&site, "", None).await;
    live.until_seq(1).await;
    nats.kill_and_hold();
    let told =
        |reason: &'static str| move |feed: &Feed| feed.told.last().is_some_and(|(_, told)| told == reason);
    live.until("the outage", told("stream_unreachable")).await;
    nats.resume().expect("nats-server comes back");
    live.until("its end", told("stream_reachable")).await;
    for _ in 0..3 {
        place(site.address(), "SOL", "USDC").await;
    }
    live.until_seq(4).await;
    assert_eq!(seqs(&live.messages), [1, 2, 3, 4]);
    assert!(live.told.iter().all(|(kind, _)| kind == "status"), "{:?}", live.told);
}

#[tokio::test]
async fn the_end_of_the_process_is_told() {
    let mut site = Site::serve("api,bridge", &[]);
    place(site.address(), "SOL", "USDC").await;
    let mut live = Feed::open(&site, "", None).await;
    live.until_seq(1).await;
    let ended = tokio::task::spawn_blocking(move || (site.process.terminate(), site));
    live.until("the shutdown", |feed| feed.told.last().is_some_and(|(kind, _)| kind == "shutdown")).await;
    assert!(!live.next().await, "something follows the shutdown");
    assert_eq!(ended.await.expect("it ends").0, Some(0));
}

#[tokio::test]
async fn pages_and_refusals() {
    let site = Site::serve("api,bridge", &[]);
    for _ in 0..5 {
        place(site.address(), "SOL", "USDC").await;
    }
    for (query, expected, next, more) in [
        ("", vec![1, 2, 3, 4, 5], "5", false),
        ("?limit=2", vec![4, 5], "5", false),
        ("?after=0&limit=2", vec![1, 2], "2", true),
        ("?after=4", vec![5], "5", false),
        ("?after=5", vec![], "5", false),
        ("?subject=markets.%3E", vec![], "0", false),
    ] {
        let page = get(site.address(), &format!("/api/log{query}")).await.json();
        let messages = page["messages"].as_array().unwrap_or_else(|| panic!("{query}: {page}"));
        assert_eq!(seqs(messages), expected, "{query}");
        assert_eq!((&page["next"], &page["more"]), (&next.into(), &more.into()), "{query}");
    }
    for (query, pointer) in [
        ("?subject=orders.", "query:subject"),
        ("?subject=a%20b", "query:subject"),
        ("?after=x", "query:after"),
        ("?limit=0", "query:limit"),
    ] {
        for headers in [&[][..], &[EVENTS]] {
            let path = format!("/api/log{query}");
            let refused = request(site.address(), "GET", &path, headers, b"").await.expect("an answer");
            let problem = refused.json();
            assert_eq!(
                (refused.status, &problem["errors"][0]["pointer"]),
                (400, &pointer.into()),
                "{problem}"
            );
        }
    }
}

#[tokio::test]
async fn with_authentication_nobody_sees_everybody_s_orders() {
    let site = Site::serve("api,bridge", &VERIFIED);
    let ann = good("0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d01");
    let ask = async |headers: &[(&str, &str)]| -> Answer {
        request(site.address(), "GET", "/api/log", headers, b"").await.expect("an answer")
    };
    for headers in [&[][..], &[EVENTS], &[("Authorization", &*ann)], &[EVENTS, ("Authorization", &*ann)]] {
        let refused = ask(headers).await;
        assert_eq!((refused.status, &refused.json()["code"]), (403, &"log_is_for_operators".into()));
    }
    assert_eq!(ask(&[("Authorization", "Bearer x")]).await.status, 401);
}
