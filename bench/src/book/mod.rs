//! The book alone, on one thread: the same operations for ours, a textbook's and two published ones.
//!
//! ```text
//!  Flow ─▶ Script ─▶ a stretch of operations ─┬─▶ fillstream ───┐
//!                                             ├─▶ textbook ─────┤
//!                                             ├─▶ matchcore ────┼─▶ the same trades? how fast? how large?
//!                                             └─▶ orderbook-rs ─┘
//! ```

mod contender;
mod ours;
mod published;
mod runner;
mod script;
mod textbook;

use std::time::{Duration, Instant};

use crate::{
    figures::{heading, row},
    size::Size,
};
use ours::Fillstream;
use published::{Matchcore, OrderbookRs};
use runner::{Run, fresh};
use script::{Pieces, Script};
use textbook::Textbook;

/// Operations in a row of one book, before the next one has its turn.
const STRETCH: usize = 250_000;
/// Operations before anything is measured, for each order that rests then.
const WARM_UP: usize = 10;
/// Stretches in which allocations are counted.
const COUNTED: usize = 4;
/// Millions of operations per second, over all stretches and in the best one; nanoseconds; bytes that the book has asked
/// the allocator for, per resting order; allocations per operation once warm.
const COLUMNS: &str = "   M op/s     best   p50/p99/p99.9 ns  B/order allocs/op";

pub(crate) fn run(size: Size) {
    let operations = size.of(5_000_000);
    row("clock, two readings in a row (in every p50/p99/p99.9 below)", &format!("{} ns", clock()));
    for resting in [2_000, 100_000] {
        heading(&format!(
            "The book alone, one thread: {operations} operations, about {resting} resting orders"
        ));
        one_piece(resting, operations / 5);
        let mut figures: Vec<Figures> = books().iter().map(|book| Figures::of(&**book)).collect();
        throughput(resting, operations, &mut figures);
        latency(resting, operations, &mut figures);
        memory(resting, &mut figures);
        row("", COLUMNS);
        for figures in &mut figures {
            row(figures.name, &figures.line());
        }
        let times = times_the_best_published(&figures);
        row("times as fast as the best published one, median of the stretches", &format!("{times:.2}"));
    }
}

/// Ours first, the published ones from here on.
const PUBLISHED: usize = 2;

fn books() -> Vec<Box<dyn Run>> {
    vec![fresh::<Fillstream>(), fresh::<Textbook>(), fresh::<Matchcore>(), fresh::<OrderbookRs>()]
}

/// What was found out about one book.
struct Figures {
    name: &'static str,
    took: Vec<(usize, Duration)>,
    samples: Vec<u32>,
    bytes: f64,
    allocations: f64,
}

impl Figures {
    fn of(book: &dyn Run) -> Self {
        Self { name: book.name(), took: Vec::new(), samples: Vec::new(), bytes: 0.0, allocations: 0.0 }
    }

    fn line(&mut self) -> String {
        let rate = |(operations, took): (usize, Duration)| operations as f64 / took.as_secs_f64() / 1e6;
        let all = self.took.iter().fold((0, Duration::ZERO), |sum, part| (sum.0 + part.0, sum.1 + part.1));
        let best = self.took.iter().copied().map(rate).fold(0.0, f64::max);
        self.samples.sort_unstable();
        let last = self.samples.len().saturating_sub(1);
        let [p50, p99, p999] = [500, 990, 999].map(|thousandth| self.samples[last * thousandth / 1000]);
        format!(
            "{:>8.2} {best:>8.2} {:>18} {:>8.0} {:>8.3}",
            rate(all),
            format!("{p50}/{p99}/{p999}"),
            self.bytes,
            self.allocations
        )
    }
}

/// Of each stretch, so that what else the machine did meanwhile hardly counts.
fn times_the_best_published(figures: &[Figures]) -> f64 {
    let stretches = 0..figures[0].took.len();
    let mut times: Vec<f64> = stretches
        .filter_map(|stretch| {
            let took = |figures: &Figures| figures.took[stretch].1.as_secs_f64();
            let best = figures[PUBLISHED..].iter().map(took).min_by(f64::total_cmp)?;
            Some(best / took(&figures[0]))
        })
        .collect();
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}

/// A script and books that have been through its beginning.
fn warmed_up(resting: usize) -> (Script, Vec<Box<dyn Run>>) {
    let (mut script, mut books) = (Script::new(resting, Pieces::Two), books());
    let beginning = script.stretch(resting * WARM_UP);
    for book in &mut books {
        book.timed(&beginning);
    }
    (script, books)
}

fn throughput(resting: usize, operations: usize, figures: &mut [Figures]) {
    let (mut script, mut books) = warmed_up(resting);
    let mut done = 0;
    while done < operations {
        let stretch = script.stretch(STRETCH.min(operations - done));
        done += stretch.len();
        for (book, figures) in books.iter_mut().zip(&mut *figures) {
            figures.took.push((stretch.len(), book.timed(&stretch)));
        }
        let trades = books[0].trades();
        for book in &books {
            assert_eq!(book.trades(), trades, "{} gives other trades", book.name());
        }
    }
    row("trades since the first order, the same from all four", &books[0].trades().count.to_string());
    row("orders that rest at the end", &script.book().len().to_string());
    row("orders asked for in two pieces, for matchcore's sake", &script.cut.to_string());
}

fn latency(resting: usize, operations: usize, figures: &mut [Figures]) {
    let (mut script, mut books) = warmed_up(resting);
    let mut done = 0;
    while done < operations {
        let stretch = script.stretch(STRETCH.min(operations - done));
        done += stretch.len();
        for (book, figures) in books.iter_mut().zip(&mut *figures) {
            book.sampled(&stretch, &mut figures.samples);
        }
    }
}

/// Bytes that a book has asked the allocator for since its first order, and allocations once it is warm.
fn memory(resting: usize, figures: &mut [Figures]) {
    let (mut script, mut books) = (Script::new(resting, Pieces::Two), books());
    let beginning = script.stretch(resting * WARM_UP);
    let mut held: Vec<i64> = books.iter_mut().map(|book| book.counted(&beginning).bytes_current).collect();
    let mut counts = vec![0; books.len()];
    let mut operations = 0;
    for _ in 0..COUNTED {
        let stretch = script.stretch(STRETCH);
        operations += stretch.len();
        for ((book, held), count) in books.iter_mut().zip(&mut held).zip(&mut counts) {
            let counted = book.counted(&stretch);
            *held += counted.bytes_current;
            *count += counted.count_total;
        }
    }
    let (rest, allocations) = (script.book(), counts[0]);
    for ((figures, held), count) in figures.iter_mut().zip(held).zip(counts) {
        figures.bytes = held as f64 / rest.len() as f64;
        figures.allocations = count as f64 / operations as f64;
    }
    row(&format!("fillstream's allocations in {operations} operations once warm"), &allocations.to_string());
    let own = rest.bytes() as f64 / rest.len() as f64;
    row("fillstream's bytes per resting order: orders, index and levels", &format!("{own:.0}"));
}

/// Says which books give other trades when each order is asked for in one piece.
fn one_piece(resting: usize, operations: usize) {
    for mut book in books().into_iter().skip(1) {
        let (mut script, mut ours) = (Script::new(resting, Pieces::One), fresh::<Fillstream>());
        let differs = (0..operations).find(|_| {
            let operation = script.stretch(1);
            ours.timed(&operation);
            book.timed(&operation);
            ours.trades() != book.trades()
        });
        if let Some(at) = differs {
            let name = book.name();
            row(&format!("{name}: other trades, when orders are not cut, from operation"), &at.to_string());
        }
    }
}

/// Nanoseconds that a sample holds without any operation.
fn clock() -> u128 {
    let mut samples: Vec<u128> = (0..100_000).map(|_| Instant::now().elapsed().as_nanos()).collect();
    samples.sort_unstable();
    samples[samples.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_books_give_the_same_trades() {
        let mut figures: Vec<Figures> = books().iter().map(|book| Figures::of(&**book)).collect();
        throughput(500, 20_000, &mut figures);
        latency(500, 20_000, &mut figures);
        assert!(figures.iter_mut().all(|figures| figures.line().contains('/')));
    }
}
