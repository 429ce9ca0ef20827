//! The matcher killed at each of its boundaries, alone and beside others, and started again: no input is skipped or
//! applied twice, and the log reproduces itself.

mod floor;
mod flow;

use std::time::Duration;

use fillstream_crash_point::Boundary;

use floor::Floor;

const BOUNDARIES: [Boundary; 8] = [
    Boundary::InputsRead,
    Boundary::InputsApplied,
    Boundary::BeforeCommit,
    Boundary::AfterCommit,
    Boundary::BeforeSnapshot,
    Boundary::AfterSnapshot,
    Boundary::BeforeClock,
    Boundary::AfterClock,
];
/// For which time a boundary is reached when the process dies there.
const NTHS: u32 = 3;
/// The same when time does not matter.
const LONG_NTHS: u32 = 60;
/// Inputs between two looks whether the process has died.
const INPUTS: usize = 40;

/// Number of matchers that work beside the one that dies.
async fn sweep(rivals: usize) {
    let nths = if std::env::var_os("FILLSTREAM_TEST_LONG").is_some() { LONG_NTHS } else { NTHS };
    let mut floor = Floor::new(rivals).await;
    let mut points = 0;
    for nth in 1..=nths {
        for boundary in BOUNDARIES {
            floor.die_at(boundary, nth, INPUTS).await;
            points += 1;
        }
    }
    let covered = floor.settle_and_verify().await;
    println!("{points} points beside {rivals} other matchers, {covered} inputs, each covered once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_matcher_dies_at_every_boundary() {
    sweep(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_matcher_dies_at_every_boundary_beside_another_one() {
    sweep(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_matcher_takes_over_within_three_seconds() {
    let mut floor = Floor::new(0).await;
    let (mut one, other) = (floor.matcher(&["--takeover-after=1s"]), floor.matcher(&["--takeover-after=1s"]));
    floor.feed(INPUTS).await;
    floor.covered().await;
    one.kill();
    let begun = tokio::time::Instant::now();
    floor.feed(1).await;
    floor.covered().await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    drop(other);
    floor.settle_and_verify().await;
}
