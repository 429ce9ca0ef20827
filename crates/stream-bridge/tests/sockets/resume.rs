//! `?after=`: what a client has seen already is not sent again, and what it cannot have seen is told.

use fillstream_domain::{Incarnation, OrderId, Position, Seq};
use fillstream_stream_bridge::{After, Channel, Family};
use serde_json::Value;

use crate::{
    client::Client,
    life::{FAILED_ATTEMPT, GOOD, Place, order},
    rig::{INCARNATION, Rig, settings},
};

fn family(every_step: bool) -> Family {
    if every_step { Family::Progress } else { Family::Status }
}

fn token(order: OrderId, every_step: bool, (seq, index): Place) -> String {
    Channel { order, family: family(every_step) }
        .token(Incarnation::new(INCARNATION), Position { seq: Seq::new(seq), index })
}

async fn resume(rig: &Rig, every_step: bool, after: &str) -> Client {
    Client::connect(&format!("{}after={after}", rig.url(every_step, order(1)))).await
}

async fn rig_with_a_past() -> Rig {
    let rig = Rig::start(settings()).await;
    rig.append(order(1), &GOOD[..1]).await;
    for _ in 0..2 {
        rig.append(order(2), &GOOD[1..2]).await;
        rig.append(order(1), &FAILED_ATTEMPT).await;
    }
    rig.caught_up().await;
    rig
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_every_token_comes_exactly_the_rest() {
    for every_step in [true, false] {
        let rig = rig_with_a_past().await;
        for place in rig.channel(order(1), every_step).await {
            let channel = rig.channel(order(1), every_step).await;
            let rest: Vec<Place> = channel.into_iter().filter(|other| *other > place).collect();
            let mut client = resume(&rig, every_step, &token(order(1), every_step, place)).await;
            let backfill = client.until_type("backfill").await;
            assert_eq!(client.shown, rest);
            assert_eq!(backfill["seq"], rest.last().unwrap_or(&place).0, "its position is its last entry's");
            if every_step && !rest.is_empty() {
                assert_eq!(client.text().await["replayed"], true);
            }
            // The chain goes on behind the backfill: the client checks it.
            let seq = rig.append(order(1), &FAILED_ATTEMPT).await;
            client.until_shown(if every_step { (seq, 0) } else { (seq - 1, 0) }).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_nothing_missed_the_backfill_is_empty() {
    for every_step in [true, false] {
        let check = async |after: fn(&Rig, bool, Place) -> String| {
            let rig = rig_with_a_past().await;
            let last = *rig.channel(order(1), every_step).await.last().unwrap();
            let mut client = resume(&rig, every_step, &after(&rig, every_step, last)).await;
            let backfill = client.until_type("backfill").await;
            assert_eq!(backfill["logs"], Value::Array(Vec::new()));
            assert_eq!((&backfill["seq"], &backfill["index"]), (&last.0.into(), &last.1.into()));
            let channel = Channel { order: order(1), family: family(every_step) };
            let named =
                channel.after(Incarnation::new(INCARNATION), backfill["token"].as_str().unwrap()).unwrap();
            let at = Position::new(Seq::new(last.0), last.1);
            assert!(matches!(named, After::Proved(named, _) if named == at), "{named:?}");
            // Nothing is repeated, and the next message names the backfill's position.
            let seq = rig.append(order(1), &FAILED_ATTEMPT).await;
            client.until_shown(if every_step { (seq, 0) } else { (seq - 1, 0) }).await;
            assert!(!client.texts.concat().contains("replayed"));
            let channel = rig.channel(order(1), every_step).await;
            assert_eq!(client.shown, channel.into_iter().filter(|place| *place > last).collect::<Vec<_>>());
        };
        check(|_, every_step, last| token(order(1), every_step, last)).await;
        check(|_, _, last| last.0.to_string()).await;
        // The end of the stream, behind the channel's.
        check(|rig, _, _| rig.hub.position().to_string()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bare_sequence_stands_for_all_of_its_event() {
    for every_step in [true, false] {
        let rig = rig_with_a_past().await;
        let channel = rig.channel(order(1), every_step).await;
        for after in 0..rig.hub.position().get() {
            let rest: Vec<Place> = channel.iter().copied().filter(|(seq, _)| *seq > after).collect();
            let mut client = resume(&rig, every_step, &after.to_string()).await;
            client.until_type("backfill").await;
            assert_eq!(client.shown, rest, "after {after}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_elsewhere_is_answered_by_reset_and_everything() {
    let rig = rig_with_a_past().await;
    let end = rig.hub.position();
    let of_another_stream = Channel { order: order(1), family: Family::Progress }
        .token(Incarnation::new(8), Position::new(Seq::new(1), 0));
    for (after, reason) in [
        (of_another_stream, "other_stream"),
        (token(order(1), false, (1, 0)), "other_channel"),
        (token(order(2), true, (1, 0)), "other_channel"),
        (token(order(1), true, (end.get() + 1, 0)), "ahead_of_stream"),
        (u64::MAX.to_string(), "ahead_of_stream"),
        (end.next().to_string(), "ahead_of_stream"),
    ] {
        let mut client = resume(&rig, true, &after).await;
        let reset = client.until_type("reset").await;
        assert_eq!(
            (&reset["reason"], &reset["seq"], &reset["index"]),
            (&reason.into(), &0.into(), &0.into())
        );
        client.until_type("backfill").await;
        assert_eq!(client.shown, rig.channel(order(1), true).await, "{reason}: full, not a part");
        assert_eq!(client.text().await["replayed"], true);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_token_is_refused() {
    let rig = rig_with_a_past().await;
    let good = token(order(1), true, (1, 0));
    for bad in
        ["", "x", "-1", "1.0", "99999999999999999999999", "%ff", &good[1..], &format!("{good}A"), "%20"]
    {
        let url = format!("{}after={bad}", rig.url(true, order(1)));
        let refused =
            Client::try_connect(&url, &[]).await.err().unwrap_or_else(|| panic!("{bad:?} is taken"));
        assert_eq!(refused.status, 400, "{bad:?}");
        assert_eq!(refused.body["errors"][0]["pointer"], "query:after");
    }
}

/// The client was connected to another process, whose tail is ahead of this one's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_this_process_has_not_reached_is_waited_for() {
    for every_step in [true, false] {
        let rig = Rig::start(settings()).await;
        let late = rig.twin().await;
        rig.append(order(1), &GOOD[..1]).await;
        rig.caught_up().await;
        late.caught_up().await;
        late.log.let_tail_through(false);
        // A socket there already: the topic of the late one is loaded and lags.
        let mut early = Client::connect(&late.url(every_step, order(1))).await;
        early.until_type("backfill").await;
        rig.append(order(1), &GOOD[1..3]).await;
        let channel = rig.channel(order(1), every_step).await;
        let last = *channel.last().unwrap();
        let mut client = resume(&late, every_step, &token(order(1), every_step, last)).await;
        let status = client.until_type("status").await;
        assert_eq!(status["reason"], "waiting_for_history", "no connection is ever silent");
        late.log.let_tail_through(true);
        let backfill = client.until_type("backfill").await;
        assert_eq!((&backfill["seq"], &backfill["logs"]), (&last.0.into(), &Value::Array(Vec::new())));
        rig.append(order(1), &GOOD[3..]).await;
        client.until_close().await;
        early.until_close().await;
        assert_eq!(client.shown, rig.channel(order(1), every_step).await[channel.len()..]);
        assert_eq!(early.shown, rig.channel(order(1), every_step).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_never_reached_ends_the_wait() {
    let rig = Rig::start(settings()).await;
    rig.append(order(1), &GOOD[..1]).await;
    rig.caught_up().await;
    rig.log.let_tail_through(false);
    let seq = rig.append(order(1), &GOOD[1..2]).await;
    let after = token(order(1), true, (seq, 0));
    let mut client = resume(&rig, true, &after).await;
    assert_eq!(client.until_close().await, (1013, after), "with the token to come back with");
}
