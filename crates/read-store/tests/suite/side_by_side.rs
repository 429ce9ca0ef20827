//! Projectors, readers and a rebuild at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fillstream_read_store::{Applied, ReadStore, Rebuild};

use crate::lives::{self, INCARNATION, Recorded, at, batch, end, expected, to};
use crate::place::Place;
use crate::rebuild::rebuild;

on_both!(
    two_projectors_do_each_step_once,
    a_projector_that_waited_for_the_swap_goes_on,
    readers_never_see_time_run_back
);

/// Follows the stream from wherever the model is until all of it is in; returns the steps that were its own.
async fn follow(store: ReadStore, events: Arc<Vec<Recorded>>, size: usize) -> usize {
    let mut from = store.checkpoint().await.unwrap().unwrap_or(at(0));
    let mut steps = 0;
    while from.seq.get() < end(&events) {
        let next: Vec<_> =
            events.iter().filter(|recorded| recorded.seq > from.seq.get()).take(size).cloned().collect();
        match store.apply(from, &batch(&next), to(end(&next))).await {
            Ok(Applied::Done { strays }) => {
                assert_eq!(strays, []);
                from = at(end(&next));
                steps += 1;
            }
            Ok(Applied::Moved(now)) => from = now,
            Ok(other @ Applied::OtherStream(_)) => panic!("{other:?}"),
            Err(error) => assert!(error.is_transient(), "{error:?}"),
        }
    }
    steps
}

async fn two_projectors_do_each_step_once(place: &Place) {
    let events = Arc::new(lives::stream(120));
    let (one, other) = (place.open().await, place.open().await);
    let one_steps = tokio::spawn(follow(one.clone(), Arc::clone(&events), 5));
    let other_steps = tokio::spawn(follow(other, Arc::clone(&events), 5));
    let steps = one_steps.await.unwrap() + other_steps.await.unwrap();
    assert_eq!(steps, events.len().div_ceil(5), "no step was lost, none done twice");
    assert_eq!(one.dump().await.unwrap(), expected(&events));
}

async fn a_projector_that_waited_for_the_swap_goes_on(place: &Place) {
    let events = Arc::new(lives::stream(20));
    let store = place.open().await;
    let mut rebuild = Rebuild::begin(&store, INCARNATION).await.unwrap();
    rebuild.apply(&batch(&events[..40]), to(end(&events[..40]))).await.unwrap();
    let closing = rebuild.close_in().await.unwrap();
    let projector = tokio::spawn(follow(store.clone(), Arc::clone(&events), 7));
    closing.swap().await.unwrap();
    projector.await.unwrap();
    assert_eq!(store.dump().await.unwrap(), expected(&events));
}

async fn readers_never_see_time_run_back(place: &Place) {
    let events = Arc::new(lives::stream(150));
    let store = place.open().await;
    let done = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let (store, events, done) = (place.open().await, Arc::clone(&events), Arc::clone(&done));
        async move {
            let (mut last, mut looks) = (0, 0);
            while !done.load(Ordering::Relaxed) || looks == 0 {
                let dump = store.dump().await.unwrap();
                let seq = dump.checkpoint.map_or(0, |checkpoint| checkpoint.seq.get());
                assert!(seq >= last, "from {last} back to {seq}");
                let shown = events.iter().take_while(|recorded| recorded.seq <= seq).count();
                assert!(seq == 0 || dump == expected(&events[..shown]), "torn at {seq}");
                (last, looks) = (seq, looks + 1);
            }
        }
    });
    let projector = tokio::spawn(follow(store.clone(), Arc::clone(&events), 3));
    for size in [40, 11, 100] {
        rebuild(&place.open().await, &events, size).await;
    }
    projector.await.unwrap();
    rebuild(&store, &events, 60).await;
    done.store(true, Ordering::Relaxed);
    reader.await.unwrap();
    assert_eq!(store.dump().await.unwrap(), expected(&events));
}
