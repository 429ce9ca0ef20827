//! Wherever a process dies, every order ends exactly once.
//!
//! ```text
//!  plan ──▶ a process told where to die ──▶ SIGKILL ──▶ the next one takes its orders up
//!              ▲ orders over HTTP
//!  witness ──▶ the stream: every order ends, once, by a legal life
//!         └──▶ the venues' own ledgers: one execution for a confirmed order, none for a failed one
//! ```

mod intake;
mod naive;
mod nats_killed;
mod parked;
mod plan;
mod queue;
mod review;
mod slot;
mod stage;
mod up_killed;
mod verdict;
mod witness;

use std::time::Instant;

use plan::{Crew, Leg};
use slot::Slot;
use stage::Stage;
use witness::Witness;

/// Points that every run of the tests sweeps at least.
const LEAST_POINTS: usize = 200;

/// One nats-server for all of it: what one leg leaves behind is the next one's past.
#[tokio::test]
async fn orders_end_exactly_once_wherever_a_process_dies() {
    let long = std::env::var_os("FILLSTREAM_TEST_LONG").is_some();
    let since = Instant::now();
    let stage = Stage::new("sweep").await;
    let witness = Witness::open(&stage).await;
    let mut points = 0;
    for leg in plan::legs(if long { plan::LONG_ROUNDS } else { 1 }) {
        let swept = sweep(&stage, &witness, &leg).await;
        println!("{leg}: {swept} points, {:.1} s so far", since.elapsed().as_secs_f32());
        points += swept;
        let _drain = stage.executor(leg.faults, None);
        witness.settle().await;
        witness.assert_exactly_once().await;
    }
    points += intake::sweep(&stage).await;
    points += review::sweep(&stage, &witness).await;
    witness.settle().await;
    witness.assert_exactly_once().await;
    println!("{points} points, {} orders, {:.1} s", stage.placed().len(), since.elapsed().as_secs_f32());
    assert!(points >= LEAST_POINTS, "{points} points are fewer than {LEAST_POINTS}");
}

/// Goes through a leg's points; their number.
async fn sweep(stage: &Stage, witness: &Witness<'_>, leg: &Leg) -> usize {
    let others = match leg.crew {
        Crew::Alone | Crew::Frozen => 0,
        Crew::Rival | Crew::Pair => 1,
    };
    let slot = Slot { stage, witness, faults: leg.faults, others };
    match leg.crew {
        Crew::Alone => slot.die_at_each(leg.points.iter()).await,
        Crew::Rival => {
            let _rival = stage.executor(leg.faults, None);
            slot.die_at_each(leg.points.iter()).await
        }
        Crew::Pair => {
            let (first, second) = leg.points.split_at(leg.points.len() / 2);
            // Backwards, so that the two are at different boundaries.
            let second = slot.die_at_each(second.iter().rev());
            let (first, second) = tokio::join!(slot.die_at_each(first.iter()), second);
            first + second
        }
        Crew::Frozen => slot.freeze_at_each(&leg.points).await,
    }
}
