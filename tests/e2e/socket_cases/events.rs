//! Family A over HTTP alone: events for who accepts them, pages for everybody else.

use std::time::Duration;

use fillstream_tests::{
    http::{exchange, get, place, request},
    socket::PATIENCE,
};
use rustix::process::Signal;
use serde_json::Value;
use tokio::{
    join,
    time::{Instant, sleep},
};

use super::{Family, chain, kinds};
use crate::site::Site;

/// A page of another server of this machine.
const PAGE: &str = "http://localhost:5173";

/// The events up to the end of the stream: `(id, data)`. HTTP/1.0, so that the body is what comes until then.
async fn events(site: &Site, order: &str, header: &str) -> Vec<(String, Value)> {
    let request = format!(
        "GET /api/orders/{order}/events HTTP/1.0\r\nAccept: text/event-stream\r\nOrigin: {PAGE}\r\n{header}\r\n"
    );
    let answer = exchange(site.address(), request.as_bytes()).await.expect("an answer");
    let body = String::from_utf8(answer.body.clone()).expect("text");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/event-stream")), "{body}");
    assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE), "pages of this machine may read it");
    let event = |event: &str| {
        let mut lines = event.lines();
        let mut field = |name: &str| lines.next().and_then(|line| line.strip_prefix(name)).map(str::to_owned);
        let (kind, id, data) = (field("event: ")?, field("id: ")?, field("data: ")?);
        let data: Value = serde_json::from_str(&data).ok()?;
        assert_eq!(data["type"], kind);
        Some((id, data))
    };
    let events = body.split_terminator("\n\n").filter(|event| !event.starts_with(':'));
    events.map(|text| event(text).unwrap_or_else(|| panic!("no event: {text}"))).collect()
}

fn messages(events: Vec<(String, Value)>) -> Vec<Value> {
    events.into_iter().map(|(_, message)| message).collect()
}

#[tokio::test]
async fn an_order_s_life_is_told_as_events_resumed_and_paged() {
    let site = Site::up(&["--quote-delay=100ms", "--ping-interval=20ms", "--silence-limit=10s"]);
    let order = place(site.address(), "RUSH", "USDC").await;
    let (live, on_socket) = join!(events(&site, &order, ""), Family::A.all(&site, &order, None));
    let held = Family::A.held(&site, &order).await;
    let told = messages(live.clone());
    assert_eq!(kinds(&told)[..3], ["connection", "subscribed", "backfill"]);
    assert_eq!((chain(&told).entries, told.last()), (held.clone(), on_socket.last()));
    for (id, message) in &live[2..] {
        let again = messages(events(&site, &order, &format!("Last-Event-ID: {id}\r\n")).await);
        let at = (message["seq"].as_u64(), message["index"].as_u64());
        let rest: Vec<_> = held.iter().filter(|entry| (Some(entry.0), Some(entry.1)) > at).cloned().collect();
        let expected = if rest.is_empty() { &["backfill"][..] } else { &["backfill", "failed"] };
        assert_eq!(&kinds(&again)[2..], expected, "after {at:?}");
        let logs = again[2]["logs"].as_array().map(Vec::len);
        assert_eq!(logs, Some(rest.len()), "after {at:?}");
    }
    let other = place(site.address(), "SOL", "USDC").await;
    let foreign = events(&site, &other, &format!("Last-Event-ID: {}\r\n", live[2].0)).await;
    let foreign = messages(foreign);
    assert_eq!(kinds(&foreign)[2..4], ["reset", "backfill"]);
    assert_eq!(chain(&foreign).entries, Family::A.held(&site, &other).await);

    for query in ["", "?limit=3"] {
        let [pages, logs] = ["events", "logs"].map(|name| format!("/api/orders/{order}/{name}{query}"));
        let (pages, logs) = (get(site.address(), &pages).await, get(site.address(), &logs).await);
        assert_eq!((pages.status, pages.json()), (200, logs.json()), "{query}");
    }
    let accept = [("Accept", "text/event-stream")];
    for (id, status) in [("0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d01", 404), ("x", 400), (&*order, 405)] {
        let method = if status == 405 { "POST" } else { "GET" };
        let path = format!("/api/orders/{id}/events");
        let refused = request(site.address(), method, &path, &accept, b"").await.expect("an answer");
        assert_eq!(refused.status, status, "{path}");
    }
}

#[tokio::test]
async fn events_end_with_the_process() {
    let mut site = Site::serve("api,bridge", &[]);
    let order = place(site.address(), "SOL", "USDC").await;
    let stop = async {
        let deadline = Instant::now() + PATIENCE;
        while get(site.address(), "/health").await.json()["websocket"]["subscriptions"] != 1 {
            assert!(Instant::now() < deadline, "the stream is counted");
            sleep(Duration::from_millis(5)).await;
        }
        site.process.signal(Signal::TERM);
    };
    let (told, ()) = join!(events(&site, &order, ""), stop);
    assert_eq!(kinds(&messages(told)), ["connection", "subscribed", "backfill", "shutdown"]);
    let ended = site.process.wait(PATIENCE).and_then(|status| status.code());
    assert_eq!(ended, Some(0), "{}", site.process.said());
}
