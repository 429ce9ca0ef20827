//! A place for one process after the other, each told where to die or to stand still.

use std::{
    os::unix::process::ExitStatusExt,
    process::ExitStatus,
    time::{Duration, Instant},
};

use fillstream_crash_point::Boundary;
use fillstream_tests::Process;
use rustix::process::Signal;
use tokio::time::sleep;

use super::{
    plan::Point,
    stage::{Stage, Told},
    witness::Witness,
};

/// Time that a process may take to reach its point, on a machine that is busy with other tests.
const POINT_PATIENCE: Duration = Duration::from_secs(60);
/// Longer than an order takes to any point: if nothing has happened until then, others have the orders.
const HANDED_OUT: Duration = Duration::from_millis(80);
/// The same for an order that was interrupted, which is left alone for 250 ms.
const HANDED_OUT_AGAIN: Duration = Duration::from_millis(400);
const POLL: Duration = Duration::from_millis(2);

/// See the module's first line.
pub(super) struct Slot<'a> {
    pub(super) stage: &'a Stage,
    pub(super) witness: &'a Witness<'a>,
    pub(super) faults: &'a str,
    /// Executors beside this one. Orders are placed for them too, because the work is shared.
    pub(super) others: u32,
}

impl Slot<'_> {
    /// One process for each point, which dies there; the number of points.
    pub(super) async fn die_at_each<'p>(&self, points: impl ExactSizeIterator<Item = &'p Point>) -> usize {
        let number = points.len();
        for point in points {
            self.start_and_reach(Told::Die(point)).await;
        }
        number
    }

    /// A process for each point, which stands still there until another one has ended its orders, and then goes on
    /// with what it knew before; the number of points.
    pub(super) async fn freeze_at_each(&self, points: &[Point]) -> usize {
        for point in points {
            let process = self.start_and_reach(Told::Freeze(point)).await;
            let other = self.stage.executor(self.faults, None);
            self.witness.settle_by(&[&other]).await;
            process.signal(Signal::CONT);
            // It has to work again, whatever it still believes of its former orders.
            drop(other);
            self.stage.place("SOL").await;
            self.witness.settle_by(&[&process]).await;
        }
        points.len()
    }

    /// A process that has died or stands still at its point, after as many orders as that takes.
    async fn start_and_reach(&self, told: Told<'_>) -> Process {
        let point = told.point();
        self.interrupt_orders(point).await;
        let mut process = self.stage.executor(self.faults, Some(told));
        let deadline = Instant::now() + POINT_PATIENCE;
        while !self.reaches(&mut process, told).await {
            assert!(Instant::now() < deadline, "{point} is not reached:\n{}", process.said());
            self.interrupt_orders(point).await;
        }
        process
    }

    /// An order's history is read when it is taken up again: others die with orders in hand before.
    async fn interrupt_orders(&self, point: &Point) {
        if point.boundary == Boundary::HistoryRead {
            let nth = point.nth + self.others;
            let taken_up = Point { boundary: Boundary::TakenUp, nth, ..*point };
            Box::pin(self.start_and_reach(Told::Die(&taken_up))).await;
        }
    }

    /// Places orders that lead to the point; whether the process is there before they have ended.
    async fn reaches(&self, process: &mut Process, told: Told<'_>) -> bool {
        let point = told.point();
        let (orders, patience) = match told {
            _ if point.boundary == Boundary::HistoryRead => (0, HANDED_OUT_AGAIN),
            Told::Die(_) => (point.nth * (1 + self.others), HANDED_OUT),
            // One at a time: a process that stands still while another of its orders is at the venue keeps the
            // simulated ledger's file locked, which no venue's client can do.
            Told::Freeze(_) => (1, POINT_PATIENCE),
        };
        for _ in 0..orders {
            self.stage.place(point.token_in).await;
        }
        let deadline = Instant::now() + patience;
        loop {
            let is_there = match told {
                Told::Die(_) => {
                    process.ended().inspect(|status| assert_died(*status, point, process)).is_some()
                }
                Told::Freeze(_) => process.is_frozen(),
            };
            if is_there || self.witness.is_settled() || Instant::now() > deadline {
                return is_there;
            }
            sleep(POLL).await;
        }
    }
}

/// It has died by SIGKILL, which nobody but itself has sent.
pub(super) fn assert_died(status: ExitStatus, point: &Point, process: &Process) {
    assert_eq!(status.signal(), Some(Signal::KILL.as_raw()), "{point}: {status}\n{}", process.said());
}

/// Exit status of the process, if it ends in time.
pub(super) async fn ended(process: &mut Process, patience: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + patience;
    loop {
        match process.ended() {
            None if Instant::now() < deadline => sleep(POLL).await,
            ended => return ended,
        }
    }
}
