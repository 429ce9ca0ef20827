//! Single cases, each of which was wrong once.

use std::{sync::atomic::Ordering, time::Duration};

use fillstream_domain::{
    Amount, OrderId, Seq, Timestamp, VenueId,
    parked::Cause,
    subject::{swap_placed, swap_progress},
    swap::{Phase, Routed, RoutingStarted, Status, SwapEvent},
};
use fillstream_event_log::{Consistency, EventLog, NewRecord, SnapshotStore};
use fillstream_executor::{
    Hands, HistoryError, ResolveError, Settings, Transaction, Verdict, read_history, resolve,
};
use fillstream_swap_machine::{Backoff, VerdictError};
use tokio::time::{Instant, sleep};

use crate::world::{Plan, Process, World, on_one_thread, order, placed, record, settings};

const AT: Timestamp = Timestamp::from_unix_ms(1_768_030_215_123);
/// Longer than anything takes while all is well.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// A world where nothing goes wrong by chance.
pub(crate) fn calm() -> World {
    let world = World::new(1, Plan::default());
    world.rough.store(false, Ordering::Relaxed);
    world
}

pub(crate) async fn until(what: &str, mut is: impl AsyncFnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is().await {
        assert!(begun.elapsed() < LONG, "not in {LONG:?}: {what}");
        sleep(Duration::from_millis(5)).await;
    }
    begun.elapsed()
}

async fn status(world: &World, id: OrderId) -> Option<Status> {
    world.fold(id).await.ok().map(|(order, _, _)| order.status())
}

pub(crate) async fn until_status(world: &World, id: OrderId, expected: Status) -> Duration {
    until(&format!("{id} is {expected}"), async || status(world, id).await == Some(expected)).await
}

/// The progress of an order, as names.
pub(crate) async fn events(world: &World, id: OrderId) -> Vec<(Seq, SwapEvent)> {
    let page = world.log.read(&swap_progress(id), Seq::FIRST, Consistency::Leader).await.unwrap();
    let read =
        |record: &fillstream_event_log::Record| Some((record.seq, SwapEvent::decode(&record.payload).ok()?));
    page.records.iter().filter_map(read).collect()
}

pub(crate) fn process(world: &World, venues: &[VenueId]) -> Process {
    world.process(venues, settings())
}

fn garbage(subject: String) -> NewRecord {
    let event = SwapEvent::RoutingStarted(begun(order(1)));
    NewRecord { payload: "garbage".into(), ..record(subject, Seq::ZERO, &event) }
}

const fn begun(order_id: OrderId) -> RoutingStarted {
    RoutingStarted { order_id, attempt: 1, max_attempts: 3, at: AT }
}

fn routed(order_id: OrderId, venue: VenueId) -> SwapEvent {
    let min_amount_out = Amount::new(fillstream_domain::parse_exact("1400").unwrap()).unwrap();
    let (quotes, no_quotes) = (Vec::new(), Vec::new());
    SwapEvent::Routed(Routed { order_id, attempt: 1, quotes, no_quotes, venue, min_amount_out, at: AT })
}

/// An order at a venue that only another executor has is neither reviewed nor tried again here.
#[test]
fn a_venue_that_is_not_configured_here_is_left_to_another_executor() {
    on_one_thread(async {
        let world = calm();
        world.place(order(1));
        for event in [SwapEvent::RoutingStarted(begun(order(1))), routed(order(1), VenueId::Raydium)] {
            world.log.append_now(record(swap_progress(order(1)), Seq::ZERO, &event));
        }
        let without = process(&world, &[VenueId::Meteora]);
        let told =
            async || without.executor.obstacles().all().iter().any(|(what, _)| what.contains("venues"));
        until("the executor says so", told).await;
        sleep(LONG).await;
        assert_eq!(events(&world, order(1)).await.len(), 2, "nothing was done to it");
        assert_eq!(world.queue.in_hand(), 0, "it does not keep a place in the queue");
        let _with = process(&world, &[VenueId::Raydium]);
        until_status(&world, order(1), Status::Confirmed).await;
        assert_eq!(world.chain.executions(order(1)), 1);
        until("nothing is left", async || without.executor.obstacles().all().is_empty()).await;
    });
}

/// An order in hand does not lose its fence again and again to nobody: what the stream still holds is begun with.
#[test]
fn an_order_goes_on_from_what_a_stream_that_lost_its_end_still_holds() {
    on_one_thread(async {
        let world = calm();
        world.place(order(1));
        let last = world.log.info().await.unwrap().last_seq;
        let _process = process(&world, &[VenueId::Raydium]);
        until("it is begun", async || !events(&world, order(1)).await.is_empty()).await;
        world.log.put_back(last);
        until_status(&world, order(1), Status::Confirmed).await;
        assert_eq!(world.chain.executions(order(1)), 1);
    });
}

/// Orders that wait for their next attempt do not keep others from being handed out.
#[test]
fn new_orders_do_not_wait_behind_those_that_wait() {
    on_one_thread(async {
        let world = calm();
        let patient = Settings {
            backoff: Backoff { base: Duration::from_secs(600), max: Duration::from_secs(600) },
            ..settings()
        };
        // Without a venue each attempt fails.
        let failing = world.process(&[], patient);
        for number in 1..=4 {
            world.place(order(number));
        }
        for number in 1..=4 {
            until("it waits", async || {
                matches!(events(&world, order(number)).await.last(), Some((_, SwapEvent::RetryScheduled(_))))
            })
            .await;
        }
        until("all places are free", async || world.queue.in_hand() == 0).await;
        failing.kill();
        let _executor = process(&world, &VenueId::ALL);
        world.place(order(5));
        let took = until_status(&world, order(5), Status::Confirmed).await;
        assert!(took < Duration::from_secs(5), "{took:?}");
    });
}

/// Swaps that one venue does not decide take no place of those of another one.
#[test]
fn a_venue_that_does_not_answer_keeps_no_swap_of_another_one() {
    on_one_thread(async {
        let world = calm();
        world.chain.silence(Some(VenueId::Raydium));
        let hands = Hands { of_queue: 2, of_stream: 2, of_venue: 3 };
        let executor = world.process(&VenueId::ALL, Settings { hands, ..settings() });
        let place = |number, venue| {
            let id = order(number);
            world.place(id);
            for event in [SwapEvent::RoutingStarted(begun(id)), routed(id, venue)] {
                world.log.append_now(record(swap_progress(id), Seq::ZERO, &event));
            }
            world.queue.take_away()
        };
        for number in 1..=8 {
            place(number, VenueId::Raydium).await;
        }
        for number in 1..=8 {
            let signed = async || {
                matches!(events(&world, order(number)).await.last(), Some((_, SwapEvent::Prepared(_))))
            };
            until("it is with its venue", signed).await;
        }
        sleep(LONG).await;
        place(9, VenueId::Meteora).await;
        let took = until_status(&world, order(9), Status::Confirmed).await;
        assert!(took < settings().stalled_after * 2, "{took:?}");
        let told = executor.executor.obstacles().all();
        assert!(told.iter().any(|(what, _)| what.contains("not observed at raydium")), "{told:?}");
        world.chain.silence(None);
        for number in 1..=8 {
            until_status(&world, order(number), Status::Confirmed).await;
            assert_eq!(world.chain.executions(order(number)), 1);
        }
    });
}

/// A swap in hand that never comes back is told; one that waits for its venue is not, however long.
#[test]
fn a_swap_that_hangs_is_told_and_one_that_waits_for_its_venue_is_not() {
    on_one_thread(async {
        let world = calm();
        world.chain.silence(Some(VenueId::Raydium));
        let executor = process(&world, &[VenueId::Raydium]);
        world.place(order(1));
        for _ in 0..12 {
            sleep(LONG / 12).await;
            assert_eq!(executor.executor.hanging(), None);
        }
        world.hangs.store(true, Ordering::Relaxed);
        world.place(order(2));
        until("it is told", async || executor.executor.hanging().is_some()).await;
        let (_, first) = executor.executor.hanging().unwrap();
        sleep(LONG).await;
        let (_, later) = executor.executor.hanging().unwrap();
        assert!(later >= first + LONG, "{first:?}, {later:?}");
    });
}

/// A retry waits for its pause since it was heard of, whatever is done to the wall clock, in a process that lives on and
/// in one that starts afterwards.
#[test]
fn a_retry_waits_for_its_pause_whatever_the_clocks_show() {
    const HOUR: i64 = 3_600_000;
    let backoff = Backoff { base: Duration::from_secs(20), max: Duration::from_secs(20) };
    for jump in [-365 * 24 * HOUR, -24 * HOUR, -HOUR, 0, HOUR, 24 * HOUR, 365 * 24 * HOUR] {
        for restarts in [false, true] {
            // Short of ack_wait the order stays in hand, beyond it is put on the list.
            for ack_wait in [Duration::from_secs(1), Duration::from_secs(60)] {
                on_one_thread(async {
                    let case = format!("clock set by {jump} ms, restarts: {restarts}, ack_wait {ack_wait:?}");
                    let world = calm();
                    let settings = Settings { backoff, ack_wait, ..settings() };
                    let first = world.process(&[], settings);
                    world.place(order(1));
                    until("the retry is on record", async || {
                        matches!(
                            events(&world, order(1)).await.last(),
                            Some((_, SwapEvent::RetryScheduled(_)))
                        )
                    })
                    .await;
                    let events_before = events(&world, order(1)).await;
                    let Some((_, SwapEvent::RetryScheduled(retry))) = events_before.last() else {
                        panic!("{case}")
                    };
                    world.off_ms.store(jump, Ordering::Relaxed);
                    let _second = restarts.then(|| {
                        first.kill();
                        world.process(&[], settings)
                    });
                    let next = async || events(&world, order(1)).await.len() > events_before.len();
                    let waited = until(&format!("the next attempt: {case}"), next).await;
                    let pause = Duration::from_millis(retry.delay_ms);
                    let slack = Duration::from_secs(5);
                    assert!(waited < pause + slack, "{waited:?} of {pause:?}: {case}");
                    if !restarts {
                        assert!(
                            waited + Duration::from_millis(100) > pause,
                            "{waited:?} of {pause:?}: {case}"
                        );
                    }
                });
            }
        }
    }
}

/// Only the subject's first record gives the terms.
#[test]
fn a_second_placed_record_has_no_say() {
    on_one_thread(async {
        let world = calm();
        world.place(order(1));
        let mut foreign = placed(order(1), AT);
        let text = String::from_utf8(foreign.payload.to_vec()).unwrap();
        assert!(text.contains(r#""amount_in":"10""#), "{text}");
        foreign.payload = text.replace(r#""amount_in":"10""#, r#""amount_in":"99""#).into();
        world.log.append_now(foreign);
        let _executor = process(&world, &VenueId::ALL);
        until_status(&world, order(1), Status::Confirmed).await;
        sleep(LONG).await;
        let history = read_history(&world.log, order(1)).await.unwrap();
        assert_eq!(history.order.placed().amount_in.to_string(), "10");
        assert_eq!((history.placed_seq, world.chain.executions(order(1))), (Seq::FIRST, 1));
    });
}

/// What is left out may have been a transaction: no other one is signed, an operator decides, and all entries are closed.
#[test]
fn a_skipped_record_that_may_be_a_transaction_leads_to_review_and_to_no_other_one() {
    on_one_thread(async {
        let world = calm();
        world.place(order(1));
        let subject = swap_progress(order(1));
        world.log.append_now(record(subject.clone(), Seq::ZERO, &SwapEvent::RoutingStarted(begun(order(1)))));
        world.log.append_now(record(subject.clone(), Seq::ZERO, &routed(order(1), VenueId::Raydium)));
        let unreadable = world.log.append_now(garbage(subject));
        let executor = process(&world, &VenueId::ALL);
        let open = async || fillstream_parked::list(&world.log).await.unwrap();
        until("it is parked", async || !open().await.is_empty()).await;
        assert_eq!(
            fillstream_parked::skip(&world.log, "executor", unreadable, AT).await.unwrap(),
            Some(order(1)),
            "the operator is told what follows"
        );
        until("it is under review", async || {
            open().await.iter().any(|open| open.entry.cause == Cause::Review)
        })
        .await;
        let amount_out = Amount::new(fillstream_domain::parse_exact("1450").unwrap()).unwrap();
        let unnamed = resolve(&world.log, order(1), Verdict::Landed { amount_out, named: None }).await;
        assert!(matches!(unnamed, Err(ResolveError::Verdict(VerdictError::Unnamed))), "{unnamed:?}");
        let named = Some(Transaction { venue: VenueId::Raydium, tx_id: "found".to_owned() });
        resolve(&world.log, order(1), Verdict::Landed { amount_out, named }).await.unwrap();
        assert_eq!(open().await, []);
        let history = read_history(&world.log, order(1)).await.unwrap();
        assert_eq!(history.order.phase(), &Phase::Confirmed);
        until("the executor knows", async || executor.executor.unended().count == 0).await;
        assert_eq!(world.chain.executions(order(1)), 0, "nothing was signed here");
    });
}

/// An operator has had a record repeated, or left out, because a version could not read it; this one could.
#[test]
fn a_record_that_was_dealt_with_is_never_applied_at_its_old_place() {
    on_one_thread(async {
        let world = calm();
        // Progress: the repetition counts, the old place does not.
        world.place(order(1));
        let subject = swap_progress(order(1));
        let old = world.log.append_now(record(
            subject.clone(),
            Seq::ZERO,
            &SwapEvent::RoutingStarted(begun(order(1))),
        ));
        let park = async |seq, subject: &str| {
            let reason = "a version could not read it".to_owned();
            let place = (seq, subject);
            fillstream_parked::park_at(&world.log, "executor", place, Cause::Unreadable, reason, AT)
                .await
                .unwrap();
        };
        park(old, &subject).await;
        let again = fillstream_parked::retry(&world.log, "executor", old, AT).await.unwrap();
        let history = read_history(&world.log, order(1)).await.unwrap();
        assert_eq!((history.order.phase(), history.progress_seq), (&Phase::Routing, again));
        // Placed and repeated: the repetition gives the terms. Placed and left out: it is not executed, ever.
        for (number, skipped) in [(2, false), (3, true)] {
            let seq = world.place(order(number));
            park(seq, &swap_placed(order(number))).await;
            match skipped {
                true => drop(fillstream_parked::skip(&world.log, "executor", seq, AT).await.unwrap()),
                false => _ = fillstream_parked::retry(&world.log, "executor", seq, AT).await.unwrap(),
            }
        }
        let executor = process(&world, &VenueId::ALL);
        for number in [1, 2] {
            until("it is executed", async || world.chain.executions(order(number)) == 1).await;
        }
        sleep(LONG).await;
        let skipped = read_history(&world.log, order(3)).await;
        assert!(matches!(skipped, Err(HistoryError::LeftOut(_))), "{skipped:?}");
        assert_eq!(events(&world, order(3)).await, []);
        assert_eq!(executor.executor.unended().count, 0);
        assert_eq!([1, 2].map(|number| world.chain.executions(order(number))), [1, 1]);
    });
}

/// An operator's word about an order that cannot be read is heard without a restart.
#[test]
fn a_placed_record_that_is_skipped_leaves_the_list() {
    on_one_thread(async {
        let world = calm();
        let seq = world.log.append_now(garbage(swap_placed(order(1))));
        let executor = process(&world, &VenueId::ALL);
        until("it is parked", async || !fillstream_parked::list(&world.log).await.unwrap().is_empty()).await;
        sleep(LONG).await;
        assert_eq!(executor.executor.unended().count, 1);
        assert_eq!(world.queue.in_hand(), 0, "it does not keep a place in the queue");
        fillstream_parked::skip(&world.log, "executor", seq, AT).await.unwrap();
        until("the executor knows", async || executor.executor.unended().count == 0).await;
    });
}

/// The checkpoint spares a reading; whatever is in it, no swap is lost.
#[test]
fn no_checkpoint_loses_a_swap() {
    let days_ago = "2026-01-01T00:00:00.000Z";
    let now = "2026-01-10T07:30:15.000Z";
    let body = |incarnation: u64, seq: u64, id: &str, counted_at: &str| {
        format!(
            r#"{{"version":2,"incarnation":{incarnation},"reached":{{"seq":{seq},"id":"{id}"}},"counted_at":"{counted_at}","unended":[]}}"#
        )
    };
    on_one_thread(async {
        for (case, checkpoint) in [
            ("none", None),
            ("damaged", Some("{".to_owned())),
            ("of another stream", Some(body(8, 1, "$id", now))),
            ("beyond the end", Some(body(7, 99, "$id", now))),
            (
                "of a record that the stream does not hold",
                Some(body(7, 1, "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e", now)),
            ),
            ("wrong, and of long ago", Some(body(7, 1, "$id", days_ago))),
            ("wrong, by a clock that was ahead", Some(body(7, 1, "$id", "2027-01-01T00:00:00.000Z"))),
        ] {
            let world = calm();
            world.place(order(1));
            world.queue.take_away().await;
            if let Some(text) = checkpoint {
                let placed =
                    world.log.first(&swap_placed(order(1)), Consistency::Leader).await.unwrap().unwrap();
                let text = text.replace("$id", &placed.event_id.unwrap().to_string());
                world.snapshots.put("executor/unended", text.into()).await.unwrap();
            }
            let _executor = process(&world, &VenueId::ALL);
            until(case, async || world.chain.executions(order(1)) == 1).await;
        }
    });
}
