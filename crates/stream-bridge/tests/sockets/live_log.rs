//! The live log, as those who look into the stream see it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use fillstream_http_edge::Askers;
use fillstream_stream_bridge::{Settings, log_router};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    life::{FAILED_ATTEMPT, GOOD, order},
    rig::{PATIENCE, Rig, listen, now, origins, settings, until},
    rough_log::Weather,
};

/// Bytes that the kernels take for a client that does not read.
const NARROW: u32 = 4096;

/// A log that is served; gone when this is dropped.
struct Served {
    rig: Rig,
    address: SocketAddr,
    _serving: JoinSet<()>,
}

impl Served {
    async fn start(settings: Settings, send_buffer: Option<u32>) -> Self {
        let rig = Rig::start(settings).await;
        let listener = listen(send_buffer);
        let address = listener.local_addr().unwrap();
        let messages = Arc::new(rig.log.clone());
        let router = log_router(Arc::clone(&rig.hub), messages, Arc::new(Askers::open(now)), origins());
        let router = router.into_router();
        let mut serving = JoinSet::new();
        serving.spawn(async move { drop(axum::serve(listener, router).await) });
        Self { rig, address, _serving: serving }
    }

    /// Appends steps of an order that fails again and again.
    async fn fail(&self, times: usize) -> u64 {
        let mut last = 0;
        for _ in 0..times {
            last = self.rig.append(order(1), &FAILED_ATTEMPT).await;
        }
        last
    }

    async fn page(&self, query: &str) -> (u16, Value) {
        let mut reader = Reader::ask(self.address, query, "", None).await;
        let mut body = Vec::new();
        reader.stream.read_to_end(&mut body).await.unwrap();
        (reader.status, serde_json::from_slice(&body).unwrap())
    }
}

/// A client that reads line by line. It speaks HTTP/1.0, so that a body is what comes until the end.
struct Reader {
    stream: BufReader<TcpStream>,
    status: u16,
    /// Sequences told, in order.
    told: Vec<u64>,
}

impl Reader {
    async fn open(served: &Served, query: &str) -> Self {
        Self::ask(served.address, query, "Accept: text/event-stream\r\n", None).await
    }

    async fn ask(address: SocketAddr, query: &str, headers: &str, receive_buffer: Option<u32>) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        let mut stream = BufReader::new(socket.connect(address).await.unwrap());
        let request = format!("GET /api/log{query} HTTP/1.0\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = timeout(PATIENCE, stream.read_line(&mut head)).await.expect("an answer").unwrap();
            assert!(read > 0, "cut within the head: {head:?}");
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        Self { stream, status, told: Vec::new() }
    }

    /// The next event that is no comment: its type and data; nothing at the end.
    async fn next(&mut self) -> Option<(String, Value)> {
        let (mut kind, mut id, mut data) = (String::new(), None, Value::Null);
        loop {
            let mut line = String::new();
            let read = timeout(PATIENCE, self.stream.read_line(&mut line)).await;
            if read.unwrap_or_else(|_| panic!("nothing came after {:?}", self.told.last())).unwrap() == 0 {
                return None;
            }
            match line.trim_end().split_once(':') {
                Some(("event", value)) => value.trim().clone_into(&mut kind),
                Some(("id", value)) => id = value.trim().parse().ok(),
                Some(("data", value)) => data = serde_json::from_str(value).unwrap(),
                Some(_) => {}
                None if kind.is_empty() => {}
                None => break,
            }
        }
        match &*kind {
            "message_stored" => self.told.push(id.unwrap()),
            _ => assert_eq!((&data["type"], id), (&Value::from(&*kind), None)),
        }
        assert_eq!(data["seq"].as_u64(), Some(self.told.last().copied().unwrap_or(0)), "{data}");
        Some((kind, data))
    }

    async fn until(&mut self, wanted: &str) -> Value {
        loop {
            let (kind, data) = self.next().await.expect("the stream goes on");
            if kind == wanted {
                return data;
            }
        }
    }

    async fn until_seq(&mut self, seq: u64) {
        while self.told.last().is_none_or(|last| *last < seq) {
            self.next().await.expect("the stream goes on");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_then_what_comes() {
    let served = Served::start(settings(), None).await;
    served.rig.append(order(1), &GOOD[..1]).await;
    let last = served.fail(40).await;
    let mut all = Reader::open(&served, "").await;
    let mut few = Reader::open(&served, "?subject=orders.swap.*.placed").await;
    all.until_seq(last).await;
    assert_eq!(all.told, (last - 99..=last).collect::<Vec<_>>());
    few.until_seq(2).await;
    let last = served.rig.append(order(2), &GOOD).await;
    all.until_seq(last).await;
    few.until_seq(last - 4).await;
    assert_eq!(few.told, [1, 2, last - 4]);
    assert_eq!(all.told, (last - 104..=last).collect::<Vec<_>>());
    let counters = served.rig.hub.counters();
    assert_eq!(counters.connections.get(), 2);
    drop((all, few));
    until("nothing stays", || counters.connections.get() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_back_has_missed_nothing() {
    let served = Served::start(settings(), None).await;
    served.rig.append(order(1), &GOOD[..1]).await;
    let last = served.fail(300).await;
    for (query, header, expected) in [
        ("?after=0", "", (1..=last).collect::<Vec<_>>()),
        ("?after=7", "", (8..=last).collect()),
        ("?after=7", "Last-Event-ID: 1000\r\n", (1001..=last).collect()),
        ("?after=0&subject=orders.*.*.placed", "", vec![1, 2]),
    ] {
        let headers = format!("Accept: text/event-stream\r\n{header}");
        let mut reader = Reader::ask(served.address, query, &headers, None).await;
        reader.until_seq(*expected.last().unwrap()).await;
        assert_eq!(reader.told, expected, "{query} {header}");
    }
    let mut ahead = Reader::open(&served, "?after=999999&limit=3").await;
    assert_eq!(ahead.until("reset").await["reason"], "ahead_of_stream");
    ahead.until_seq(last).await;
    assert_eq!(ahead.told, [last - 2, last - 1, last]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outages_and_the_end_are_told_and_nothing_is_missed() {
    for weather in [Weather::Cut, Weather::Hung] {
        let served = Served::start(settings(), None).await;
        let mut reader = Reader::open(&served, "").await;
        reader.until_seq(1).await;
        served.rig.log.set_weather(weather);
        assert_eq!(reader.until("status").await["reason"], "stream_unreachable");
        // The stream goes on; we do not see it.
        let last = served.rig.append(order(1), &GOOD).await;
        served.rig.log.set_weather(Weather::Fair);
        reader.until_seq(last).await;
        assert_eq!(reader.told, (1..=last).collect::<Vec<_>>());
        served.rig.hub.stop();
        reader.until("shutdown").await;
        assert_eq!(reader.next().await, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_is_cut_and_has_everything_later() {
    let settings = Settings { write_timeout: Duration::from_millis(100), log_readers: 1, ..settings() };
    let served = Served::start(settings, Some(NARROW)).await;
    served.rig.append(order(1), &GOOD[..1]).await;
    let last = served.fail(500).await;
    let events = "Accept: text/event-stream\r\n";
    let mut slow = Reader::ask(served.address, "?after=0", events, Some(NARROW)).await;
    let deadline = Instant::now() + PATIENCE;
    while served.page("").await.0 != 200 {
        assert!(Instant::now() < deadline, "it keeps its place without reading");
        sleep(Duration::from_millis(5)).await;
    }
    while slow.next().await.is_some() {}
    assert!(*slow.told.last().unwrap() < last, "all of it was taken at once");
    let resumed = format!("{events}Last-Event-ID: {}\r\n", slow.told.last().unwrap());
    let mut again = Reader::ask(served.address, "?after=0", &resumed, None).await;
    again.until_seq(last).await;
    slow.told.extend(again.told);
    assert_eq!(slow.told, (1..=last).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_are_so_many_readers_and_no_more() {
    let served = Served::start(Settings { log_readers: 2, ..settings() }, None).await;
    let first = Reader::open(&served, "").await;
    let second = Reader::open(&served, "").await;
    let refused = Reader::open(&served, "").await;
    assert_eq!((first.status, second.status, refused.status), (200, 200, 503));
    let (status, problem) = served.page("").await;
    assert_eq!((status, &problem["code"]), (503, &Value::from("too_many_readers")));
    drop(first);
    until("a place is free", || served.rig.hub.counters().connections.get() == 1).await;
    assert_eq!(served.page("").await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_follow_each_other() {
    let served = Served::start(settings(), None).await;
    served.rig.append(order(1), &GOOD[..1]).await;
    let last = served.fail(40).await;
    let (status, page) = served.page("?limit=5").await;
    let seqs = |page: &Value| -> Vec<u64> {
        let messages = page["messages"].as_array().unwrap();
        messages.iter().map(|message| message["seq"].as_u64().unwrap()).collect()
    };
    assert_eq!((status, seqs(&page)), (200, (last - 4..=last).collect()));
    assert_eq!((&page["next"], &page["more"]), (&Value::from(last.to_string()), &Value::from(false)));
    let (mut next, mut all) = ("0".to_owned(), Vec::new());
    loop {
        let (_, page) = served.page(&format!("?subject=orders.swap.*.progress&limit=60&after={next}")).await;
        all.extend(seqs(&page));
        page["next"].as_str().unwrap().clone_into(&mut next);
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(all, (3..=last).collect::<Vec<_>>());
    let (_, page) = served.page(&format!("?after={next}")).await;
    assert_eq!((seqs(&page), &page["next"]), (vec![], &Value::from(next)));
    let (_, page) = served.page("?after=0&limit=1").await;
    let message = &page["messages"][0];
    assert_eq!(message["payload"]["type"], "swap.placed");
    assert!(message["subject"].as_str().unwrap().ends_with(".placed"));
    assert!(message["headers"]["ce-id"].is_string() && message["stored_at"].is_string(), "{message}");
}
