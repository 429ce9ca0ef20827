//! Backfill, then live.

use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    client::{Client, Heard},
    life::{GOOD, order},
    rig::{Rig, settings, until},
};

const BOTH: [bool; 2] = [true, false];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_comes_first_and_then_everything_once() {
    for every_step in BOTH {
        let rig = Rig::start(settings()).await;
        rig.append(order(1), &GOOD[..2]).await;
        // Other orders lie between.
        rig.append(order(2), &GOOD).await;
        let mut client = Client::connect(&rig.url(every_step, order(1))).await;
        let backfill = client.until_type("backfill").await;
        assert_eq!(backfill["status"], "routing");
        assert_eq!(client.shown, rig.channel(order(1), every_step).await);
        let before = if every_step { &["connection", "subscribed", "backfill"][..] } else { &["backfill"] };
        assert_eq!(client.types(), before);
        rig.append(order(1), &GOOD[2..]).await;
        assert_eq!(client.until_close().await.0, 1000);
        assert_eq!(client.shown, rig.channel(order(1), every_step).await);
        let replayed = client.texts.iter().filter(|text| text.contains(r#""replayed":true"#)).count();
        assert_eq!(replayed, usize::from(every_step), "the only repetition, on the channel of every step");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fields_of_both_families() {
    let rig = Rig::start(settings()).await;
    rig.append(order(1), &GOOD).await;
    let read = async |every_step| {
        let mut client = Client::connect(&rig.url(every_step, order(1))).await;
        client.until_close().await;
        client.texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect::<Vec<Value>>()
    };
    let told = read(true).await;
    for message in &told {
        for field in ["type", "orderId", "progress", "message", "timestamp"] {
            assert!(!message[field].is_null(), "{field} in {message}");
        }
        assert_eq!(message["type"] == "connection", message["token"].is_null(), "{message}");
    }
    let backfill = &told[2];
    let steps: Vec<(&str, u64)> = backfill["logs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["type"].as_str().unwrap(), entry["progress"].as_u64().unwrap()))
        .collect();
    let wanted = [
        ("pending", 0),
        ("routing", 10),
        ("routing", 30),
        ("building", 50),
        ("building", 70),
        ("submitted", 75),
        ("confirmed", 100),
    ];
    assert_eq!((steps, &backfill["progress"]), (wanted.to_vec(), &Value::from(100)));
    assert_eq!((&told[3]["type"], &told[3]["replayed"]), (&"confirmed".into(), &true.into()));
    assert_eq!(told[3]["txHash"], "sim:raydium:1");

    let told = read(false).await;
    assert_eq!(told.len(), 1, "no replay here");
    let statuses: Vec<&str> =
        told[0]["logs"].as_array().unwrap().iter().map(|entry| entry["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["pending", "routing", "building", "submitted", "confirmed"]);
    assert!(told[0]["logs"][0]["progress"].is_null());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_entry_is_repeated_only_past_pending() {
    let rig = Rig::start(settings()).await;
    let check = async |number, kinds: usize, replayed: Option<&str>| {
        rig.append(order(number), &GOOD[..kinds]).await;
        let mut client = Client::connect(&rig.url(true, order(number))).await;
        client.until_type("backfill").await;
        rig.append(order(number), &["retry_scheduled"]).await;
        let next = client.text().await;
        assert_eq!(next["replayed"].as_bool().unwrap_or(false), replayed.is_some(), "{next}");
        assert_eq!(next["type"], replayed.unwrap_or("retrying"));
    };
    check(1, 1, None).await;
    check(2, 2, Some("routing")).await;
    check(3, 4, Some("submitted")).await;
    check(4, 5, Some("confirmed")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_come_while_the_history_is_read_are_shown_once() {
    for every_step in BOTH {
        let rig = Rig::start(settings()).await;
        rig.append(order(1), &GOOD[..2]).await;
        // A twin: its hub has not seen the order.
        let twin = rig.twin().await;
        twin.log.let_reads_through(false);
        let mut client = Client::connect(&twin.url(every_step, order(1))).await;
        until("the history is being read", || {
            twin.log.pages_read.load(std::sync::atomic::Ordering::Relaxed) > 0
        })
        .await;
        rig.append(order(1), &GOOD[2..4]).await;
        twin.caught_up().await;
        twin.log.let_reads_through(true);
        client.until_type("backfill").await;
        rig.append(order(1), &GOOD[4..]).await;
        assert_eq!(client.until_close().await.0, 1000);
        assert_eq!(client.shown, rig.channel(order(1), every_step).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_that_lags_behind_the_history_repeats_nothing() {
    for every_step in BOTH {
        let rig = Rig::start(settings()).await;
        rig.append(order(1), &GOOD[..1]).await;
        let twin = rig.twin().await;
        twin.log.let_tail_through(false);
        let before = twin.hub.position();
        rig.append(order(1), &GOOD[1..4]).await;
        let mut client = Client::connect(&twin.url(every_step, order(1))).await;
        client.until_type("backfill").await;
        assert_eq!(client.shown, rig.channel(order(1), every_step).await, "the history is ahead of the tail");
        assert_eq!(twin.hub.position(), before);
        twin.log.let_tail_through(true);
        rig.append(order(1), &GOOD[4..]).await;
        assert_eq!(client.until_close().await.0, 1000);
        assert_eq!(client.shown, rig.channel(order(1), every_step).await);
    }
}

/// What is stored between the start of the process and the start of its tail is in no live message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_is_earlier_than_the_tail_misses_nothing() {
    let rig = Rig::start(settings()).await;
    rig.append(order(1), &GOOD[..2]).await;
    let twin = rig.twin_without_tail();
    let mut client = Client::connect(&twin.url(true, order(1))).await;
    client.until_type("subscribed").await;
    rig.append(order(1), &GOOD[2..3]).await;
    let twin = twin.run_tail().await;
    client.until_type("backfill").await;
    rig.append(order(1), &GOOD[3..]).await;
    assert_eq!(client.until_close().await.0, 1000);
    assert_eq!(client.shown, rig.channel(order(1), true).await);
    drop(twin);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_come_at_different_times_get_the_same_bytes() {
    let rig = Rig::start(settings()).await;
    rig.append(order(1), &GOOD[..2]).await;
    let mut early = Client::connect(&rig.url(true, order(1))).await;
    early.until_type("backfill").await;
    let seq = rig.append(order(1), &GOOD[2..3]).await;
    early.until_shown((seq, 1)).await;
    let mut late = Client::connect(&rig.url(true, order(1))).await;
    late.until_type("backfill").await;
    rig.append(order(1), &GOOD[3..]).await;
    early.until_close().await;
    late.until_close().await;
    assert_eq!(early.texts[early.texts.len() - 3..], late.texts[late.texts.len() - 3..]);
    assert_eq!(early.shown, late.shown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_says_is_answered_with_an_error_and_ignored() {
    for every_step in BOTH {
        let rig = Rig::start(settings()).await;
        rig.append(order(1), &GOOD[..1]).await;
        let mut client = Client::connect(&rig.url(every_step, order(1))).await;
        client.until_type("backfill").await;
        for message in
            [Message::text("{\"action\":\"cancel\"}"), Message::binary(vec![0; 100]), Message::text("")]
        {
            client.send(message).await;
            let answer = client.text().await;
            assert_eq!((&answer["type"], &answer["code"]), (&"error".into(), &"unexpected_message".into()));
        }
        client.send(Message::Ping(vec![1, 2, 3].into())).await;
        rig.append(order(1), &GOOD[1..]).await;
        client.until_close().await;
        assert_eq!(client.shown, rig.channel(order(1), every_step).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_event_of_the_order_is_shown_to_nobody() {
    let rig = Rig::start(settings()).await;
    rig.append(order(1), &GOOD[..2]).await;
    let mut client = Client::connect(&rig.url(true, order(1))).await;
    client.until_type("backfill").await;
    let good = rig.channel(order(1), true).await;
    let foreign = crate::life::event(order(2), "failed", "");
    let mut junk = crate::rig::record(&foreign, 0);
    junk.subject = fillstream_domain::subject::swap_progress(order(1));
    rig.log.calm.append_now(junk.clone());
    junk.payload = "not JSON".into();
    rig.log.calm.append_now(junk);
    // Placed twice, and something else in the place of that.
    rig.append_now(&crate::life::event(order(1), "placed", ""));
    let seq = rig.append(order(1), &GOOD[2..3]).await;
    client.until_shown((seq, 1)).await;
    let live = [good, vec![(seq, 0), (seq, 1)]].concat();
    assert_eq!(client.shown, live);
    // Read from the log, it is the same.
    let twin = rig.twin().await;
    let mut late = Client::connect(&twin.url(true, order(1))).await;
    late.until_type("backfill").await;
    assert_eq!(late.shown, live);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_peer_s_close_is_answered() {
    let rig = Rig::start(settings()).await;
    rig.append(order(1), &GOOD[..1]).await;
    let mut client = Client::connect(&rig.url(true, order(1))).await;
    client.until_type("backfill").await;
    client.socket.close(None).await.unwrap();
    assert!(matches!(client.next().await, Heard::Close(_, _)), "a closing handshake, not a cut");
    until("it is gone", || rig.hub.counters().connections.get() == 0).await;
}
