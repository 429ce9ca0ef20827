//! Executors that die, logs that lose answers, venues that lie, and a queue that strangers empty: whatever happens, a swap
//! is executed at most once by the venue's own count, ends once, and every swap ends.
//!
//! ```text
//!  World ── MemoryLog ◀─ RoughLog (one for each process) ◀─┐
//!    ├───── MemoryQueue ◀─ strangers acknowledge, delete,  ├─ two executors, killed and started again
//!    │                     pause it                        │
//!    └───── Chain (counts executions) ◀─ RoughVenue ◀──────┘
//! ```
//! Everything runs on one thread, on a clock that only waits move, and all chance comes from a seed.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod chain;
mod life;
mod lost_end;
mod rough_log;
mod table;
mod world;

use world::{Plan, World};

/// Runs of the short form: some seconds.
const SHORT: u64 = 200;
/// Runs of the long form (`FILLSTREAM_TEST_LONG=1`).
const LONG: u64 = 5_000;

fn seeds() -> std::ops::Range<u64> {
    0..if std::env::var_os("FILLSTREAM_TEST_LONG").is_some() { LONG } else { SHORT }
}

#[test]
fn whatever_happens_a_swap_is_executed_at_most_once_and_ends_once() {
    let mut told = world::Told::default();
    for seed in seeds() {
        let run = World::run(seed, Plan::default());
        assert_eq!(run.faults, Vec::<String>::new(), "seed {seed}");
        told.add(&run.told);
    }
    told.assert_something_happened();
}

/// Without fences two executors both write the next event, and sign twice: the test must see it.
#[test]
fn executors_without_fences_are_found_out() {
    let run = |seed| World::run(seed, Plan { fences_hold: false, ..Plan::default() });
    let found = seeds().find(|seed| run(*seed).faults.iter().any(|fault| fault.contains("executed")));
    assert!(found.is_some(), "no run executed a swap twice");
}

/// An executor that trusts the queue alone loses what a stranger acknowledged: the test must see it.
#[test]
fn executors_that_trust_the_queue_are_found_out() {
    let run = |seed| World::run(seed, Plan { stream_is_followed: false, ..Plan::default() });
    let found = seeds().find(|seed| run(*seed).faults.iter().any(|fault| fault.contains("never ended")));
    assert!(found.is_some(), "no run lost a swap");
}
