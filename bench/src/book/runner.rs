//! A book and what is measured of it. The books take turns, stretch by stretch, so that a busy machine is a burden to
//! all of them.

use std::time::{Duration, Instant};

use allocation_counter::{AllocationInfo, measure, opt_out};

use super::{
    contender::{Contender, Trades},
    script::Operation,
};

/// A book of any kind.
pub(super) trait Run {
    fn name(&self) -> &'static str;
    fn trades(&self) -> Trades;
    /// Does the operations; how long it took.
    fn timed(&mut self, operations: &[Operation]) -> Duration;
    /// Does the operations; adds the nanoseconds of each, the clock's own cost included.
    fn sampled(&mut self, operations: &[Operation], samples: &mut Vec<u32>);
    /// Does the operations; what the book allocated for them.
    fn counted(&mut self, operations: &[Operation]) -> AllocationInfo;
}

struct Runner<C> {
    book: C,
    trades: Trades,
}

/// A book in which nothing rests.
pub(super) fn fresh<C: Contender + 'static>() -> Box<dyn Run> {
    Box::new(Runner { book: C::new(), trades: Trades::default() })
}

impl<C: Contender> Runner<C> {
    fn answer(&mut self, commands: &[C::Command]) {
        for command in commands {
            self.book.answer(command, &mut self.trades);
        }
    }
}

fn commands<C: Contender>(operations: &[Operation]) -> Vec<C::Command> {
    operations.iter().map(C::command).collect()
}

impl<C: Contender> Run for Runner<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn trades(&self) -> Trades {
        self.trades
    }

    fn timed(&mut self, operations: &[Operation]) -> Duration {
        let commands = commands::<C>(operations);
        let mut took = Duration::ZERO;
        // Counting would cost a book that allocates.
        opt_out(|| {
            let started = Instant::now();
            self.answer(&commands);
            took = started.elapsed();
        });
        took
    }

    fn sampled(&mut self, operations: &[Operation], samples: &mut Vec<u32>) {
        let commands = commands::<C>(operations);
        samples.reserve(commands.len());
        opt_out(|| {
            for command in &commands {
                let started = Instant::now();
                self.book.answer(command, &mut self.trades);
                samples.push(u32::try_from(started.elapsed().as_nanos()).unwrap_or(u32::MAX));
            }
        });
    }

    fn counted(&mut self, operations: &[Operation]) -> AllocationInfo {
        let commands = commands::<C>(operations);
        measure(|| self.answer(&commands))
    }
}
