//! The web page in a real browser. The cases themselves are in `tests/node/`; here is what they are run against.

use std::time::{Duration, Instant};

use fillstream_tests::{Process, node::browser_case};

use crate::site::Site;

/// Longest life of a case: each of its waits has a patience of its own, which says more.
const PATIENCE: Duration = Duration::from_secs(180);

/// Waits until a case has said this line.
fn until(case: &mut Process, line: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !case.said().lines().any(|said| said == line) {
        let over = case.ended().is_some() || Instant::now() > deadline;
        assert!(!over, "no {line:?} in:\n{}", case.said());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until a case has ended well.
fn end(mut case: Process) {
    let ended = case.wait(PATIENCE);
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}:\n{}", case.said());
}

/// Runs a case to its end.
fn run(case: &str, more: &[&str]) {
    let site = Site::up(more);
    if let Some(case) = browser_case(case, site.address(), site.scratch.path()) {
        end(case);
    }
}

#[test]
fn a_swap_is_confirmed_another_one_fails_and_both_are_in_the_log() {
    run("swap", &[]);
}

#[test]
fn two_orders_meet_and_are_looked_back_on() {
    run("market", &[]);
}

#[test]
fn every_view_is_fit_for_every_screen_and_reader() {
    run("views", &["--landing-delay=300ms", "--quote-delay=50ms"]);
}

/// Runs a case that asks for the server to be killed, and then to be started again.
fn survive(case: &str, more: &[&str]) {
    let mut site = Site::up(more);
    let Some(mut case) = browser_case(case, site.address(), site.scratch.path()) else { return };
    until(&mut case, "kill");
    site.process.kill();
    until(&mut case, "restart");
    site.kill_and_restart();
    end(case);
}

#[test]
fn a_killed_server_costs_the_page_nothing() {
    survive("killed", &["--landing-delay=2s"]);
}

#[test]
fn a_killed_server_costs_the_example_for_browsers_nothing() {
    // A page out of a file has no origin.
    survive("snippet", &["--landing-delay=2s", "--quote-delay=200ms", "--allow-origin=*"]);
}
