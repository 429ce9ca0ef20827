//! Event streams: what family A's socket says, word for word, without a socket.

use fillstream_domain::{Incarnation, Position, Seq};
use std::time::Duration;

use fillstream_stream_bridge::{Channel, Family, Settings};
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    client::Client,
    event_client::{EventClient, Told},
    life::{self, FAILED_ATTEMPT, GOOD, Place, order},
    rig::{INCARNATION, Rig, settings, until},
};

/// Bytes that the kernels take for a client that does not read.
const NARROW: Option<u32> = Some(4096);

fn place(message: &Value) -> Place {
    (message["seq"].as_u64().unwrap(), u32::try_from(message["index"].as_u64().unwrap()).unwrap())
}

/// The places in the backfill, which follows the two greetings.
fn logs(events: &EventClient) -> Vec<Place> {
    let backfill: Value = serde_json::from_str(&events.texts[2]).unwrap();
    backfill["logs"].as_array().unwrap().iter().map(place).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_is_told_as_the_socket_tells_it() {
    let linger = Duration::from_millis(200);
    let rig = Rig::start(Settings { linger, ..settings() }).await;
    rig.append(order(1), &GOOD[..2]).await;
    let mut socket = Client::connect(&rig.url(true, order(1))).await;
    let mut events = EventClient::connect(rig.address, order(1), "", &[]).await;
    for header in ["content-type: text/event-stream\r\n", "cache-control: no-store\r\n"] {
        assert!(events.head.contains(header), "{header} in {}", events.head);
    }
    socket.until_type("backfill").await;
    events.until_type("backfill").await;
    let counters = rig.hub.counters();
    until("both are subscribed", || counters.subscriptions.get() == 2).await;
    assert_eq!((counters.connections.get(), counters.orders_watched.get()), (2, 1));
    rig.append(order(1), &FAILED_ATTEMPT[2..]).await;
    rig.append(order(1), &GOOD[1..]).await;
    events.until_type("confirmed").await;
    let told = Instant::now();
    events.until_end().await;
    assert!(told.elapsed() >= linger - Duration::from_millis(50), "{:?}", told.elapsed());
    assert_eq!(socket.until_close().await.0, 1000);
    assert_eq!(events.texts, socket.texts);
    assert_eq!(counters.messages_sent.get(), 2 * events.texts.len() as u64);
    until("nothing stays", || counters.connections.get() + counters.subscriptions.get() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_seen_is_resumed_as_the_socket_resumes_it() {
    let rig = Rig::start(Settings { linger: Duration::from_millis(2), ..settings() }).await;
    rig.append(order(1), &GOOD[..1]).await;
    rig.append(order(1), &FAILED_ATTEMPT).await;
    rig.append(order(1), &GOOD[1..]).await;
    let channel = |number| Channel { order: order(number), family: Family::Progress };
    let places = rig.channel(order(1), true).await;
    let token = |(seq, index): (u64, u32)| {
        channel(1).token(Incarnation::new(INCARNATION), Position::new(Seq::new(seq), index))
    };
    let start = Position::START;
    let status = Channel { family: Family::Status, ..channel(1) };
    let mut afters: Vec<(String, &str)> = places.iter().map(|place| (token(*place), "backfill")).collect();
    afters.extend([
        (places[3].0.to_string(), "backfill"),
        ("0".to_owned(), "backfill"),
        (channel(2).token(Incarnation::new(INCARNATION), start), "reset"),
        (status.token(Incarnation::new(INCARNATION), start), "reset"),
        (channel(1).token(Incarnation::new(INCARNATION + 1), start), "reset"),
        ("999999".to_owned(), "reset"),
    ]);
    for (after, third) in afters {
        let query = format!("?after={after}");
        let mut socket = Client::connect(&format!("{}after={after}", rig.url(true, order(1)))).await;
        socket.until_close().await;
        assert_eq!(socket.types()[2], third, "{after}");
        // It names its record, as tokens that are made from a position alone do not.
        let last: Value = serde_json::from_str(socket.texts.last().unwrap()).unwrap();
        let last = last["token"].as_str().unwrap();
        for (query, headers) in [
            (query.as_str(), &[][..]),
            ("", &[("Last-Event-ID", after.as_str())]),
            // A browser that reconnects asks for the same address, and says how far it has come since.
            ("?after=0", &[("Last-Event-ID", after.as_str())]),
        ] {
            let mut events = EventClient::connect(rig.address, order(1), query, headers).await;
            events.until_end().await;
            assert_eq!(events.texts, socket.texts, "{query} {headers:?}");
            assert_eq!(events.last_id, last, "{query} {headers:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reconnects_has_each_step_once() {
    let rig = Rig::start(settings()).await;
    rig.append(order(1), &GOOD[..1]).await;
    let mut steps = Vec::new();
    let mut last_id = None::<String>;
    for kind in &GOOD[1..] {
        let resume: Vec<_> = last_id.iter().map(|id| ("Last-Event-ID", id.as_str())).collect();
        let mut events = EventClient::connect(rig.address, order(1), "", &resume).await;
        events.until_type("backfill").await;
        rig.append(order(1), &[kind]).await;
        let mut live = Vec::new();
        let end = *rig.channel(order(1), true).await.last().unwrap();
        while live.last() != Some(&end) {
            let Told::Event(text) = events.next().await else { continue };
            let message: Value = serde_json::from_str(&text).unwrap();
            if message.get("prev_seq").is_some() && message["replayed"] != true {
                live.push(place(&message));
            }
        }
        steps.extend(live);
        last_id = Some(events.last_id);
    }
    assert_eq!(steps, rig.channel(order(1), true).await[1..]);
    until("none is left behind", || rig.hub.counters().connections.get() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_refused_with_a_status() {
    let rig = Rig::start(Settings { max_sockets: 1, ..settings() }).await;
    rig.append(order(1), &GOOD[..1]).await;
    let [known, unknown] = [1, 2].map(|number| format!("/api/orders/{}/events", order(number)));
    let check =
        async |path: &str, headers: &[(&str, &str)], status: u16, code: &str, pointer: Option<&str>| {
            let refused = EventClient::try_connect(rig.address, path, headers, None).await.err();
            let refused = refused.unwrap_or_else(|| panic!("{path} {headers:?} is taken"));
            assert_eq!(
                (refused.status, refused.body["code"].as_str()),
                (status, Some(code)),
                "{path} {headers:?}"
            );
            assert_eq!(refused.body["errors"][0]["pointer"].as_str(), pointer, "{path} {headers:?}");
        };
    let malformed = "malformed_request";
    check(&unknown, &[], 404, "unknown_order", None).await;
    check("/api/orders/x/events", &[], 400, malformed, Some("orderId")).await;
    for after in ["", "x", "-1", "%ff"] {
        check(&format!("{known}?after={after}"), &[], 400, malformed, Some("query:after")).await;
        let id = [("Last-Event-ID", after)];
        check(&known, &id, 400, malformed, Some("header:Last-Event-ID")).await;
    }
    check(&known, &[("Last-Event-ID", "ä")], 400, malformed, Some("header:Last-Event-ID")).await;
    check(&known, &[("X-User-Id", "me")], 400, malformed, Some("header:X-User-Id")).await;
    let bearer = [("Authorization", "Bearer x")];
    check(&known, &bearer, 401, "authentication_not_configured", Some("header:Authorization")).await;
    check(
        &known,
        &[("Origin", "https://elsewhere.example")],
        403,
        "origin_not_allowed",
        Some("header:Origin"),
    )
    .await;
    let mut taken =
        EventClient::connect(rig.address, order(1), "", &[("Origin", "https://desk.example")]).await;
    check(&known, &[], 503, "too_many_sockets", None).await;
    taken.until_type("backfill").await;
    rig.hub.stop();
    check(&known, &[], 503, "going_down", None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comments_keep_a_stream_alive_and_silence_does_not_end_it() {
    let (ping_interval, silence_limit) = (Duration::from_millis(10), Duration::from_millis(20));
    let rig = Rig::start(Settings { ping_interval, silence_limit, ..settings() }).await;
    rig.append(order(1), &GOOD[..1]).await;
    let mut events = EventClient::connect(rig.address, order(1), "", &[]).await;
    events.until_type("backfill").await;
    for _ in 0..10 {
        assert_eq!(events.next().await, Told::Comment);
    }
    rig.append(order(1), &GOOD[1..]).await;
    events.until_type("confirmed").await;
    events.until_end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_the_process_is_told() {
    let rig = Rig::start(settings()).await;
    rig.append(order(1), &GOOD[..3]).await;
    let mut events = EventClient::connect(rig.address, order(1), "", &[]).await;
    events.until_type("backfill").await;
    let told = logs(&events).len();
    rig.hub.stop();
    events.until_type("shutdown").await;
    events.until_end().await;
    until("nothing stays", || rig.hub.counters().connections.get() == 0).await;
    // Another process takes it up where this one left.
    let twin = rig.twin().await;
    rig.append(order(1), &GOOD[3..]).await;
    let resume = [("Last-Event-ID", events.last_id.as_str())];
    let mut again = EventClient::connect(twin.address, order(1), "", &resume).await;
    again.until_end().await;
    assert_eq!(logs(&again), rig.channel(order(1), true).await[told..]);
}

/// Appends attempts that fail: several times what a connection holds, and not more than a backfill does.
fn say_much(rig: &Rig) {
    let prepared = life::event(order(1), "prepared", "");
    let retry = life::event(order(1), "retry_scheduled", &" and so on".repeat(100));
    for _ in 0..800 {
        rig.append_now(&prepared);
        rig.append_now(&retry);
    }
}

async fn narrow(rig: &Rig) -> EventClient {
    let path = format!("/api/orders/{}/events", order(1));
    let mut events = EventClient::try_connect(rig.address, &path, &[], NARROW).await.unwrap();
    events.until_type("backfill").await;
    until("it is subscribed", || rig.hub.counters().subscriptions.get() == 1).await;
    events
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_falls_behind_is_told_and_gets_everything() {
    let rig = Rig::start_with(settings(), NARROW).await;
    rig.append(order(1), &GOOD[..3]).await;
    let mut events = narrow(&rig).await;
    say_much(&rig);
    rig.caught_up().await;
    events.until_type("fell_behind").await;
    events.until_type("caught_up").await;
    rig.append(order(1), &["confirmed"]).await;
    events.until_end().await;
    let count = |what: &str| events.texts.iter().filter(|text| text.contains(what)).count();
    let times = usize::try_from(rig.hub.counters().fell_behind.get()).unwrap();
    assert!(times > 0);
    assert_eq!((count(r#""type":"fell_behind""#), count(r#""type":"caught_up""#)), (times, times));
    // One of them is the backfill's last entry once more.
    let live = count(r#""prev_seq":"#) - 1;
    assert_eq!(live + logs(&events).len(), rig.channel(order(1), true).await.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_is_given_up_and_resumes() {
    let settings = Settings { write_timeout: Duration::from_millis(100), ..settings() };
    let rig = Rig::start_with(settings, NARROW).await;
    rig.append(order(1), &GOOD[..3]).await;
    let mut events = narrow(&rig).await;
    until("it follows", || rig.hub.counters().subscriptions.get() == 1).await;
    say_much(&rig);
    until("it is given up", || rig.hub.counters().subscriptions.get() == 0).await;
    assert_eq!(rig.hub.counters().connections.get(), 1, "counted for as long as it is held");
    events.until_end().await;
    until("it is gone", || rig.hub.counters().connections.get() == 0).await;
    rig.append(order(1), &["confirmed"]).await;
    let resume = [("Last-Event-ID", events.last_id.as_str())];
    let mut again = EventClient::connect(rig.address, order(1), "", &resume).await;
    again.until_end().await;
    let last = place(&serde_json::from_str(events.texts.last().unwrap()).unwrap());
    let channel = rig.channel(order(1), true).await;
    assert_eq!(logs(&again), channel.into_iter().filter(|other| *other > last).collect::<Vec<_>>());
}
