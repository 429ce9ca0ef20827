//! One projector and its batches.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use fillstream_domain::{Incarnation, OrderId, Seq};
use fillstream_read_store::{Applied, Checkpoint, Dump, ReadStore, StoreError, StoreErrorKind};

use crate::lives::{self, Recorded, What, at, batch, end, expected, recorded, to};
use crate::place::Place;

on_both!(
    batches_of_any_size_leave_the_same_rows,
    an_order_is_read_back_from_its_events,
    a_large_batch_crosses_every_border,
    the_checkpoint_is_compared_and_set,
    another_incarnation_is_told_apart,
    a_batch_must_lie_between_the_checkpoints,
    a_dropped_apply_is_all_or_nothing,
    a_failed_apply_leaves_nothing,
    events_that_are_there_change_nothing,
    orders_that_cannot_follow_are_named,
);

/// The live model goes on from `from` in batches of `size`; every event must find its order.
pub async fn project(store: &ReadStore, mut from: u64, events: &[Recorded], size: usize) {
    for events in events.chunks(size) {
        let applied = store.apply(at(from), &batch(events), to(end(events))).await.unwrap();
        assert_eq!(applied, Applied::Done { strays: vec![] });
        from = end(events);
    }
}

async fn batches_of_any_size_leave_the_same_rows(place: &Place) {
    let events = lives::stream(60);
    let store = place.open().await;
    assert_eq!(store.checkpoint().await.unwrap(), None);
    let thirds = events.len() / 3;
    project(&store, 0, &events[..thirds], 1).await;
    assert_eq!(store.dump().await.unwrap(), expected(&events[..thirds]));
    project(&store, end(&events[..thirds]), &events[thirds..2 * thirds], 7).await;
    assert_eq!(store.dump().await.unwrap(), expected(&events[..2 * thirds]));
    project(&store, end(&events[..2 * thirds]), &events[2 * thirds..], 1_000).await;
    assert_eq!(store.dump().await.unwrap(), expected(&events));
    // Foreign records move the checkpoint alone.
    let later = end(&events) + 1_000;
    let applied = store.apply(at(end(&events)), &batch(&[]), to(later)).await.unwrap();
    assert_eq!(applied, Applied::Done { strays: vec![] });
    assert_eq!(store.checkpoint().await.unwrap(), Some(at(later)));
}

async fn an_order_is_read_back_from_its_events(place: &Place) {
    let events = lives::stream(12);
    let store = place.open().await;
    project(&store, 0, &events, 5).await;
    for row in expected(&events).orders {
        let id = row.order_id;
        let log: Vec<_> = events
            .iter()
            .filter_map(|recorded| match &recorded.what {
                What::Swap(event, payload) if event.order_id() == id => {
                    Some((Seq::new(recorded.seq), payload.clone()))
                }
                What::Swap(..) | What::Placed(_) | What::Definition(_) | What::Commit(_) => None,
            })
            .collect();
        assert_eq!(store.swap_events(id).await.unwrap(), log);
        assert_eq!(store.swap_order(id).await.unwrap(), Some(row));
    }
    assert_eq!(store.swap_order(lives::order(12)).await.unwrap(), None);
    assert_eq!(store.swap_events(lives::order(12)).await.unwrap(), []);
}

async fn a_large_batch_crosses_every_border(place: &Place) {
    let mut events = lives::stream(450);
    assert!(events.len() > 2_000, "{}", events.len());
    // One row larger than a statement's share, many that fill it unevenly.
    for (number, length) in [(3, 700_000), (9, 1), (15, 60_000), (21, 200_000)] {
        events.push(lives::failed_at_length(end(&events) + 1, lives::order(number), length));
    }
    let store = place.open().await;
    project(&store, 0, &events, usize::MAX).await;
    assert!(store.dump().await.unwrap() == expected(&events), "the rows differ");
}

async fn the_checkpoint_is_compared_and_set(place: &Place) {
    let events = lives::stream(6);
    let (first, second) = (place.open().await, place.open().await);
    let (early, late) = events.split_at(10);
    // An empty model is at 0, whoever asks.
    let refused = first.apply(at(3), &batch(&[]), to(4)).await.unwrap();
    assert_eq!(refused, Applied::Moved(at(0)));
    project(&first, 0, early, 10).await;
    let moved = second.apply(at(0), &batch(early), to(end(early))).await.unwrap();
    assert_eq!(moved, Applied::Moved(at(end(early))));
    assert_eq!(second.dump().await.unwrap(), expected(early));
    project(&second, end(early), late, 10).await;
    let ahead = first.apply(at(end(&events) + 5), &batch(&[]), to(end(&events) + 9)).await.unwrap();
    assert_eq!(ahead, Applied::Moved(at(end(&events))));
    assert_eq!(first.dump().await.unwrap(), expected(&events));
}

async fn another_incarnation_is_told_apart(place: &Place) {
    let events = lives::stream(3);
    let store = place.open().await;
    project(&store, 0, &events, 3).await;
    let recreated = Checkpoint::start(Incarnation::new(7));
    let applied = store.apply(recreated, &batch(&events), to(end(&events))).await.unwrap();
    assert_eq!(applied, Applied::OtherStream(at(end(&events))));
    let same_seq = Checkpoint::start(Incarnation::new(7)).moved_to(to(end(&events)));
    let applied = store.apply(same_seq, &batch(&[]), to(end(&events) + 1)).await.unwrap();
    assert_eq!(applied, Applied::OtherStream(at(end(&events))));
    assert_eq!(store.dump().await.unwrap(), expected(&events));
}

async fn a_batch_must_lie_between_the_checkpoints(place: &Place) {
    let store = place.open().await;
    let events = [lives::placed(5, lives::order(1)), lives::placed(8, lives::order(2))];
    for (from, last) in [(5, 8), (6, 9), (0, 7), (9, 4), (0, u64::MAX)] {
        let error = store.apply(at(from), &batch(&events), to(last)).await.unwrap_err();
        assert!(matches!(error, StoreError::OutOfRange { .. }), "{from} to {last}: {error}");
        assert!(!error.is_transient());
    }
    assert_eq!(store.checkpoint().await.unwrap(), None);
    project(&store, 4, &[], 1).await;
    let applied = store.apply(at(0), &batch(&events), to(8)).await.unwrap();
    assert_eq!(applied, Applied::Done { strays: vec![] });
}

/// As when the process is told to stop in the middle, at each place where it can be.
async fn a_dropped_apply_is_all_or_nothing(place: &Place) {
    let events = lives::stream(40);
    let store = place.open().await;
    let half = events.len() / 2;
    project(&store, 0, &events[..half], half).await;
    let (before, after) = (expected(&events[..half]), expected(&events));
    let from = at(end(&events[..half]));
    // At 0 it is dropped at its first wait, whatever the machine is doing.
    for wakes in 0_u32.. {
        let later = batch(&events[half..]);
        let mut apply = pin!(store.apply(from, &later, to(end(&events))));
        let mut polls = 0;
        let outcome = poll_fn(|context| match apply.as_mut().poll(context) {
            Poll::Ready(applied) => Poll::Ready(Some(applied.unwrap())),
            Poll::Pending if polls == wakes => Poll::Ready(None),
            Poll::Pending => {
                polls += 1;
                Poll::Pending
            }
        })
        .await;
        let found = store.dump().await.unwrap();
        if found == after {
            break;
        }
        assert_eq!(outcome, None, "it said that it was done");
        assert!(found == before, "half of it after {wakes} wakes");
    }
}

async fn a_failed_apply_leaves_nothing(place: &Place) {
    let events = lives::stream(20);
    let store = place.open().await;
    let half = events.len() / 2;
    project(&store, 0, &events[..half], half).await;
    // The log rows can be written, the order rows cannot.
    place.execute("ALTER TABLE swap_order_rows RENAME TO hidden").await;
    let error =
        store.apply(at(end(&events[..half])), &batch(&events[half..]), to(end(&events))).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Failed, "{error:?}");
    place.execute("ALTER TABLE hidden RENAME TO swap_order_rows").await;
    assert_eq!(store.dump().await.unwrap(), expected(&events[..half]));
    project(&store, end(&events[..half]), &events[half..], half).await;
    assert_eq!(store.dump().await.unwrap(), expected(&events));
}

async fn events_that_are_there_change_nothing(place: &Place) {
    let events = lives::stream(40);
    let store = place.open().await;
    let half = events.len() / 2;
    project(&store, 0, &events[..half], 9).await;
    let (done, rest) = events.split_at(half);
    for seq in [0, end(&done[..20])] {
        // Somebody restores an old checkpoint by hand.
        let record = at(seq).record.map_or("NULL".to_owned(), |id| format!("'{id}'"));
        place.execute(&format!("UPDATE read_model SET seq = {seq}, record_id = {record}")).await;
        let again: Vec<_> = done.iter().filter(|recorded| recorded.seq > seq).cloned().collect();
        project(&store, seq, &again[..15], 4).await;
        let found = store.dump().await.unwrap();
        assert_eq!(Dump { checkpoint: Some(at(end(done))), ..found }, expected(done), "no row goes back");
        project(&store, end(&again[..15]), &again[15..], 11).await;
        assert_eq!(store.dump().await.unwrap(), expected(done));
    }
    project(&store, end(done), rest, 11).await;
    assert_eq!(store.dump().await.unwrap(), expected(&events));
}

async fn orders_that_cannot_follow_are_named(place: &Place) {
    let store = place.open().await;
    let (placed, unknown): (OrderId, OrderId) = (lives::order(1), lives::order(2));
    let routing = r#""type":"swap.routing_started""#;
    let life = [lives::placed(1, placed), recorded(2, placed, routing)];
    let strange = [
        recorded(3, unknown, routing),
        lives::placed(4, placed),
        lives::failed_at_length(5, placed, 3),
        lives::placed(6, lives::order(3)),
    ];
    project(&store, 0, &life, 2).await;
    let applied = store.apply(at(2), &batch(&strange), to(6)).await.unwrap();
    let Applied::Done { mut strays } = applied else { panic!("{applied:?}") };
    strays.sort();
    let mut named = [placed, unknown];
    named.sort();
    assert_eq!(strays, named);
    let all = [&life[..], &strange[..]].concat();
    let mut dump = expected(&all);
    dump.orders.retain(|row| row.order_id != unknown);
    assert_eq!(store.dump().await.unwrap(), dump, "the first placed event counts, every event is kept");
}
