//! Speed of the book on this machine: `cargo run -p fillstream-order-book --release --features flow --example speed`.
#![allow(
    clippy::print_stdout,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "figures for people"
)]

use std::time::{Duration, Instant};

use fillstream_order_book::flow::{Ask, Flow};
use fillstream_order_book::{Book, Event};

const ASKS: usize = 5_000_000;
/// Asks that are made before each stretch that is measured: making them costs more than answering them.
const STRETCH: usize = 250_000;
const SEED: u64 = 1;

fn main() {
    for size in [2_000, 100_000] {
        let (book, took) = throughput(size);
        let rate = |asks: usize, took: Duration| asks as f64 / took.as_secs_f64() / 1e6;
        let all = rate(ASKS, took.iter().sum());
        let best = rate(STRETCH, took.into_iter().min().expect("there are stretches"));
        let bytes = book.bytes().div_ceil(book.len());
        let [p50, p99, p999] = latency(size);
        println!(
            "{size:>7} orders: {all:.1} M asks/s, {best:.1} in the best stretch, p50 {p50} p99 {p99} p99.9 {p999} ns, {} rest, {bytes} bytes each, hash {:016x}",
            book.len(),
            book.hash()
        );
    }
}

/// Answers the whole flow, stretch by stretch, and hands each stretch to `measure`.
fn run(size: usize, mut measure: impl FnMut(&mut Book, &[Ask], &mut Vec<Event>)) -> Book {
    let (mut flow, mut book, mut events) = (Flow::new(SEED, size), Book::new(), Vec::new());
    // Filled before anything is measured.
    flow.by_ref().take(10 * size).for_each(|ask| ask.apply(&mut book, &mut events));
    let mut asks = Vec::with_capacity(STRETCH);
    for _ in 0..ASKS / STRETCH {
        asks.clear();
        asks.extend(flow.by_ref().take(STRETCH));
        events.clear();
        measure(&mut book, &asks, &mut events);
    }
    book
}

/// The time of each stretch: on a busy machine the best one tells more than their sum.
fn throughput(size: usize) -> (Book, Vec<Duration>) {
    let mut took = Vec::with_capacity(ASKS / STRETCH);
    let book = run(size, |book, asks, events| {
        let start = Instant::now();
        for ask in asks {
            events.clear();
            ask.apply(book, events);
        }
        took.push(start.elapsed());
    });
    (book, took)
}

/// Nanoseconds of one ask, the clock's own cost included.
fn latency(size: usize) -> [u128; 3] {
    let mut all = Vec::with_capacity(ASKS);
    run(size, |book, asks, events| {
        for ask in asks {
            events.clear();
            let start = Instant::now();
            ask.apply(book, events);
            all.push(start.elapsed().as_nanos());
        }
    });
    all.sort_unstable();
    [500, 990, 999].map(|of_thousand| all[all.len() * of_thousand / 1_000])
}
