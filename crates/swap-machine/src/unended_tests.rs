use std::collections::BTreeMap;

use fillstream_domain::RecordId;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const PATIENCE: Duration = Duration::from_secs(15);
/// What the server's clock shows when the process begins.
const EPOCH: Timestamp = Timestamp::from_unix_ms(1_768_030_215_123);

fn order(number: u128) -> OrderId {
    OrderId::new(Uuid::from_u128(number))
}

/// So many milliseconds after the process began, its wall clock being right.
fn at(ms: u64) -> Moment {
    let running = Duration::from_millis(ms);
    Moment { running, wall: EPOCH.after(running) }
}

fn news(number: u128, seq: u64, stored_ms: u64, tells: Tells) -> News {
    let stored_at = EPOCH.after(Duration::from_millis(stored_ms));
    News { order: order(number), seq: Seq::new(seq), stored_at, tells }
}

const ID: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e";

fn reference(seq: u64) -> RecordRef {
    RecordRef { seq: Seq::new(seq), id: RecordId::Event(Uuid::from_u128(u128::from(seq))) }
}

/// A record of the swap `ID`, by its event's name; of its placed subject for `placed`.
fn record(seq: u64, kind: &str) -> Heard {
    let (id, fields) = match kind {
        "placed" => {
            (ID, r#""token_in":"SOL","token_out":"USDC","amount_in":"1","slippage":"1","fingerprint":"f""#)
        }
        "routed" => (ID, r#""quotes":[],"venue":"raydium","min_amount_out":"1""#),
        "prepared" => {
            (ID, r#""venue":"raydium","tx_id":"t","payload":"","built_at_height":1,"last_valid_height":2"#)
        }
        "review_needed" => (ID, r#""tx_id":"t","reason":"r""#),
        "retry_scheduled" => {
            (ID, r#""stage":"routing","reason":"r","delay_ms":1,"retry_at":"2026-01-10T07:30:15.123Z""#)
        }
        "confirmed" => (
            ID,
            r#""venue":"raydium","tx_id":"t","amount_out":"1","executed_price":"1","decided_by":"executor""#,
        ),
        "failed" => (ID, r#""stage":"routing","reason":"r","decided_by":"executor""#),
        "failed, of another order" => (
            "0198c0de-7a5e-7c3a-9f00-000000000000",
            r#""stage":"routing","reason":"r","decided_by":"executor""#,
        ),
        _ => (ID, r#""x":0"#),
    };
    let name = kind.split(',').next().unwrap();
    let text = format!(
        r#"{{"type":"swap.{name}","version":1,"order_id":"{id}","attempt":1,"max_attempts":3,"at":"2026-01-10T07:30:15.123Z",{fields}}}"#
    );
    let place = if kind == "placed" { "placed" } else { "progress" };
    Heard::read(&format!("orders.swap.{ID}.{place}"), reference(seq), EPOCH, text.as_bytes()).unwrap()
}

fn life(list: &mut Unended, from: u64, kinds: &[&str]) {
    for (seq, kind) in (from..).zip(kinds) {
        list.hear(record(seq, kind), at(0));
    }
}

#[test]
fn what_nobody_moves_is_taken_up_after_the_patience_and_what_ended_never() {
    let mut list = Unended::new(PATIENCE);
    list.take_in(news(1, 1, 0, Tells::Goes), at(0));
    list.take_in(news(2, 2, 0, Tells::Goes), at(0));
    list.take_in(news(2, 3, 9_000, Tells::Ends), at(9_000));
    list.take_in(news(3, 4, 10_000, Tells::Pauses(Duration::from_secs(30))), at(10_000));
    assert_eq!((list.take_due(at(14_999)), list.overdue(at(15_000))), (None, None));
    assert_eq!(list.overdue(at(17_000)), Some((Seq::FIRST, Duration::from_secs(2))));
    assert_eq!(list.take_due(at(15_000)), Some(order(1)));
    assert_eq!(list.overdue(at(17_000)), None, "it is in our hands");
    assert_eq!(list.take_due(at(44_999)), None, "in our hands, or in a pause");
    assert_eq!(list.take_due(at(45_000)), Some(order(3)));
    list.release(order(1), Released::Ended(Seq::ZERO), at(55_000));
    list.release(order(3), Released::Again(Duration::from_secs(1)), at(55_000));
    assert_eq!(list.take_due(at(55_999)), None);
    assert_eq!(list.take_due(at(56_000)), Some(order(3)));
    assert_eq!(list.summary().count, 1);
}

/// A record of long ago that is heard at the start is due at once; a wrong clock may only shorten what is waited.
#[test]
fn a_start_takes_up_what_has_waited_long_enough() {
    const HOUR_MS: i64 = 3_600_000;
    for (clock_is_ahead_ms, stored_before_ms, due_ms) in [
        (0, 0, 15_000),
        (0, 5_000, 10_000),
        (0, 15_000, 0),
        (0, HOUR_MS, 0),
        (HOUR_MS, 5_000, 0),
        (-HOUR_MS, 5_000, 15_000),
        (-HOUR_MS, HOUR_MS, 15_000),
    ] {
        let mut list = Unended::new(PATIENCE);
        let stored_at = Timestamp::from_unix_ms(EPOCH.unix_ms() - stored_before_ms);
        let wall = Timestamp::from_unix_ms(EPOCH.unix_ms() + clock_is_ahead_ms);
        let record = News { order: order(1), seq: Seq::FIRST, stored_at, tells: Tells::Goes };
        list.take_in(record, Moment { running: Duration::ZERO, wall });
        let case = format!("clock {clock_is_ahead_ms} ms ahead, stored {stored_before_ms} ms ago");
        assert_eq!(list.next_due(), Some(Duration::from_millis(due_ms)), "{case}");
    }
}

#[test]
fn the_summary_leaves_aside_what_waits_for_a_person() {
    let mut list = Unended::new(PATIENCE);
    list.take_in(news(1, 1, 0, Tells::Goes), at(0));
    list.take_in(news(2, 2, 7, Tells::Goes), at(7));
    assert!(list.take(order(1), at(7)) && !list.take(order(1), at(7)));
    list.release(order(1), Released::WithOperator, at(8));
    let expected = Summary {
        count: 2,
        with_operator: 1,
        elsewhere: 0,
        oldest: Some(EPOCH.after(Duration::from_millis(7))),
    };
    assert_eq!(list.summary(), expected);
    assert_eq!(list.take_due(at(3_600_000)), Some(order(2)));
    assert_eq!(list.take_due(at(3_600_000)), None, "a person is waited for");
    // An event of it, such as a second one of an operator's, makes it due again.
    list.take_in(news(1, 9, 3_600_000, Tells::Goes), at(3_600_000));
    assert_eq!(list.take_due(at(3_615_000)), Some(order(1)));
}

/// What is waited for is a span since the retry was heard of, or what was left of it when it left our hands.
#[test]
fn a_pause_ends_when_it_was_heard_of_long_enough_ago() {
    let mut list = Unended::new(PATIENCE);
    let (seq, delay) = (Seq::new(4), Duration::from_secs(20));
    assert_eq!(list.pause_over_at(order(1), seq), None);
    list.take_in(news(1, 4, 1_000, Tells::Pauses(delay)), at(2_000));
    assert_eq!(list.pause_over_at(order(1), seq), Some(Duration::from_secs(21)), "a second of it was over");
    assert_eq!(list.pause_over_at(order(1), Seq::new(3)), None, "another record's");
    assert!(list.take(order(1), at(0)));
    list.release(order(1), Released::Pausing { retry: seq, left: Duration::from_secs(5) }, at(10_000));
    assert_eq!(list.pause_over_at(order(1), seq), Some(Duration::from_secs(15)));
    assert_eq!((list.take_due(at(14_999)), list.take_due(at(15_000))), (None, Some(order(1))));
    // Heard late, or twice: it is not waited for anew.
    list.take_in(news(1, 4, 1_000, Tells::Pauses(delay)), at(15_000));
    assert_eq!(list.pause_over_at(order(1), seq), Some(Duration::from_secs(15)));
    list.release(order(1), Released::Elsewhere(PATIENCE), at(15_000));
    assert_eq!(list.summary().elsewhere, 1);
    list.take_in(news(1, 5, 15_000, Tells::Goes), at(15_000));
    assert_eq!((list.summary().elsewhere, list.pause_over_at(order(1), seq)), (0, None));
}

/// A process hears of its own steps after it has taken them.
#[test]
fn a_pause_is_not_made_longer_by_what_led_to_it() {
    let mut list = Unended::new(PATIENCE);
    let (retry, left) = (Seq::new(6), Duration::from_secs(2));
    list.take_in(news(1, 4, 0, Tells::Goes), at(0));
    assert!(list.take(order(1), at(0)));
    list.release(order(1), Released::Pausing { retry, left }, at(1_000));
    list.take_in(news(1, 5, 1_000, Tells::Goes), at(1_001));
    list.take_in(news(1, 6, 1_000, Tells::Pauses(left)), at(1_002));
    assert_eq!((list.take_due(at(2_999)), list.take_due(at(3_000))), (None, Some(order(1))));
    // The others leave it alone for a while, but not as long as a swap that the queue brings.
    let mut others = Unended::new(PATIENCE);
    others.take_in(news(1, 6, 1_000, Tells::Pauses(left)), at(1_000));
    assert_eq!((others.take_due(at(7_999)), others.take_due(at(8_000))), (None, Some(order(1))));
}

/// A foreign writer's end, or one that cannot follow, is for the order's history to judge: it stays on the list.
#[test]
fn an_end_counts_only_where_it_may_follow() {
    const BUILT: [&str; 4] = ["placed", "routing_started", "routed", "prepared"];
    for (begin, end, has_ended) in [
        (&BUILT[..], "confirmed", true),
        (&BUILT[..2], "failed", true),
        (&["placed", "review_needed"], "failed", true),
        (&["placed", "routing_started", "retry_scheduled"], "failed", false),
        (&BUILT[..1], "confirmed", false),
        (&BUILT[..3], "confirmed", false),
        (&BUILT[..2], "failed, of another order", false),
        (&["placed", "unknown", "routing_started"], "failed", false),
        (&["placed", "prepared"], "confirmed", false),
        // Nothing that is to be done follows from it.
        (&[], "confirmed", true),
    ] {
        let mut list = Unended::new(PATIENCE);
        life(&mut list, 1, begin);
        life(&mut list, 10, &[end]);
        assert_eq!(list.summary().count, usize::from(!has_ended), "{end} after {begin:?}");
        // A list that began with what the first one knew says the same.
        let (mut first, mut second) = (Unended::new(PATIENCE), Unended::new(PATIENCE));
        life(&mut first, 1, begin);
        first.heard().for_each(|swap| second.adopt(swap, at(0)));
        life(&mut second, 10, &[end]);
        assert_eq!(second.summary().count, usize::from(!has_ended), "{end} after {begin:?}, adopted");
    }
}

#[test]
fn an_order_that_was_driven_to_its_end_is_not_listed_by_what_is_heard_of_it_later() {
    let mut list = Unended::new(PATIENCE);
    let id = ID.parse().unwrap();
    assert!(list.take(id, at(0)));
    life(&mut list, 1, &["placed", "routing_started"]);
    list.release(id, Released::Ended(Seq::new(5)), at(1));
    assert!(list.knows(id), "who counts anew does not miss it");
    life(&mut list, 3, &["routed", "prepared", "confirmed"]);
    assert_eq!((list.summary().count, list.ended.len()), (0, 0));
    // Heard before it left our hands.
    assert!(list.take(id, at(0)));
    life(&mut list, 11, &["placed", "routing_started", "failed"]);
    list.release(id, Released::Ended(Seq::new(13)), at(1));
    assert_eq!((list.summary().count, list.ended.len()), (0, 0));
}

/// What was known of the stream's former end counts for nothing, except that a transaction was signed.
#[test]
fn after_a_lost_end_a_swap_is_what_the_stream_says_and_its_transaction_is_remembered() {
    let id = ID.parse().unwrap();
    for (released, is_heard_again, listed) in [
        (Released::Ended(Seq::new(5)), true, 1),
        (Released::WithOperator, true, 1),
        (Released::Again(PATIENCE), true, 1),
        (Released::Again(PATIENCE), false, 0),
        (Released::Gone, false, 0),
        (Released::Ended(Seq::new(5)), false, 0),
    ] {
        let mut list = Unended::new(PATIENCE);
        life(&mut list, 1, &["placed", "routing_started", "routed", "prepared"]);
        assert!(list.take(id, at(0)));
        list.clear();
        if is_heard_again {
            life(&mut list, 1, &["placed"]);
        }
        list.release(id, released, at(1_000));
        let case = format!("{released:?}, heard again: {is_heard_again}");
        assert_eq!(list.summary().count, listed, "{case}");
        assert_eq!(
            list.take_due(at(1_000)),
            is_heard_again.then_some(id),
            "it is read again at once: {case}"
        );
        let transaction = Transaction { venue: fillstream_domain::VenueId::Raydium, tx_id: "t".to_owned() };
        assert_eq!(list.signed(id), Some(&Signed { record: reference(4), transaction }), "{case}");
    }
}

#[test]
fn the_swap_in_hand_that_stands_still_longest_is_told() {
    let mut list = Unended::new(PATIENCE);
    assert_eq!(list.stillest(at(0)), None);
    list.take_in(news(1, 1, 0, Tells::Goes), at(0));
    assert!(list.take(order(1), at(1_000)) && list.take(order(2), at(2_000)));
    assert_eq!(list.stillest(at(5_000)), Some((Seq::FIRST, Duration::from_secs(4))));
    list.alive(order(1), at(4_000));
    list.alive(order(3), at(4_000));
    assert_eq!(list.stillest(at(5_000)), Some((Seq::ZERO, Duration::from_secs(3))), "the other one");
    list.release(order(2), Released::Gone, at(5_000));
    assert_eq!(list.stillest(at(5_000)), Some((Seq::FIRST, Duration::from_secs(1))));
}

#[test]
fn what_the_stream_does_not_hold_is_forgotten_unless_it_was_placed_anew() {
    let id = ID.parse().unwrap();
    for (is_placed_anew, listed) in [(false, 0), (true, 1)] {
        let mut list = Unended::new(PATIENCE);
        life(&mut list, 1, &["placed"]);
        assert!(list.take(id, at(0)));
        if is_placed_anew {
            life(&mut list, 2, &["placed"]);
        }
        list.release(id, Released::Gone, at(0));
        assert_eq!(list.summary().count, listed, "placed anew: {is_placed_anew}");
    }
}

#[derive(Debug, Clone)]
enum Act {
    Hear(u128, Tells),
    Take(u128),
    TakeDue,
    Release(u128, Released),
}

fn acts() -> impl Strategy<Value = Vec<(u64, Act)>> {
    let tells = prop_oneof![
        4 => Just(Tells::Goes),
        1 => Just(Tells::Pauses(Duration::from_secs(20))),
        2 => Just(Tells::Ends)
    ];
    let released = prop_oneof![
        Just(Released::Ended(Seq::ZERO)),
        Just(Released::WithOperator),
        (0..40_u64).prop_map(|seconds| Released::Again(Duration::from_secs(seconds))),
        (0..40_u64).prop_map(|seconds| Released::Elsewhere(Duration::from_secs(seconds))),
        (0..40_u64).prop_map(|seconds| {
            Released::Pausing { retry: Seq::FIRST, left: Duration::from_secs(seconds) }
        })
    ];
    let act = prop_oneof![
        (0..5_u128, tells).prop_map(|(order, tells)| Act::Hear(order, tells)),
        (0..5_u128).prop_map(Act::Take),
        Just(Act::TakeDue),
        (0..5_u128, released).prop_map(|(order, released)| Act::Release(order, released)),
    ];
    prop::collection::vec((0..10_000_u64, act), 0..60)
}

/// The naive twin: for each order that has not ended, when it becomes due, if it does.
#[derive(Default)]
struct Twin {
    orders: BTreeMap<u128, Option<u64>>,
    ours: Vec<u128>,
}

proptest! {
    #[test]
    fn it_agrees_with_a_naive_twin(acts in acts()) {
        let (mut list, mut twin) = (Unended::new(PATIENCE), Twin::default());
        let mut ms = 0;
        for (seq, (pause, act)) in (1..).zip(acts) {
            ms += pause;
            match act {
                Act::Hear(number, tells) => {
                    list.take_in(news(number, seq, ms, tells), at(ms));
                    let ours = twin.ours.contains(&number);
                    let due = |pause: u64| (!ours).then_some(ms + pause);
                    match tells {
                        Tells::Ends if ours => _ = twin.orders.insert(number, None),
                        Tells::Ends => _ = twin.orders.remove(&number),
                        Tells::Goes => _ = twin.orders.insert(number, due(15_000)),
                        Tells::Pauses(_) => _ = twin.orders.insert(number, due(25_000)),
                    }
                }
                Act::Take(number) => {
                    let free = !twin.ours.contains(&number);
                    prop_assert_eq!(list.take(order(number), at(ms)), free);
                    if free {
                        twin.ours.push(number);
                        if let Some(due) = twin.orders.get_mut(&number) {
                            *due = None;
                        }
                    }
                }
                Act::TakeDue => {
                    let due = twin.orders.iter().filter_map(|(number, due)| Some(((*due)?, *number))).min();
                    let due = due.filter(|(due, _)| *due <= ms).map(|(_, number)| number);
                    prop_assert_eq!(list.take_due(at(ms)), due.map(order));
                    if let Some(number) = due {
                        twin.ours.push(number);
                        twin.orders.insert(number, None);
                    }
                }
                Act::Release(number, released) => {
                    list.release(order(number), released, at(ms));
                    twin.ours.retain(|ours| *ours != number);
                    match released {
                        Released::Ended(_) => _ = twin.orders.remove(&number),
                        Released::Gone => unreachable!("a table of its own"),
                        Released::WithOperator => _ = twin.orders.insert(number, None),
                        Released::Again(pause)
                        | Released::Elsewhere(pause)
                        | Released::Pausing { left: pause, .. } => {
                            _ = twin.orders.insert(number, Some(ms + u64::try_from(pause.as_millis()).unwrap()));
                        }
                    }
                }
            }
            prop_assert_eq!(list.summary().count, twin.orders.len());
            let next = twin.orders.values().flatten().min();
            prop_assert_eq!(list.next_due(), next.map(|ms| Duration::from_millis(*ms)));
        }
    }
}
