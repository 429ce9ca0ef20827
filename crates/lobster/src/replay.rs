//! Carries a plan out and judges what comes of it.
//!
//! ```text
//!  Plan ──row by row──▶ Venue ──answers──▶ which order was hit (executions), what rests (comparison) ──▶ Report
//! ```

use crate::comparison::{Comparison, LevelsHere};
use crate::executions::{Books, Missed, Reason};
use crate::message::Kind;
use crate::plan::PlannedRow;
use crate::report::{Refusal, Report};
use crate::{Action, Plan, Venue};

/// Carries a plan out at a venue.
///
/// # Errors
/// When the venue cannot be asked.
pub fn replay<V: Venue>(plan: &Plan, venue: &mut V) -> Result<Report, V::Error> {
    let mut replay = Replay {
        venue,
        books: Books::new(&plan.symbol),
        levels: LevelsHere::default(),
        report: Report { comparison: plan.with_books.then(Comparison::default), ..Report::default() },
    };
    for (planned, row) in plan.rows.iter().zip(1..) {
        replay.row(row, planned)?;
    }
    Ok(replay.report)
}

struct Replay<'a, V> {
    venue: &'a mut V,
    books: Books<'a>,
    levels: LevelsHere,
    report: Report,
}

impl<V: Venue> Replay<'_, V> {
    fn row(&mut self, row: usize, planned: &PlannedRow) -> Result<(), V::Error> {
        self.report.count(planned);
        for action in &planned.before {
            self.act(row, action, None)?;
        }
        if let Some(action) = &planned.event {
            self.act(row, action, Some(planned.message.kind))?;
        }
        if let Some(comparison) = &mut self.report.comparison {
            comparison.judge(row, &planned.checks, &self.levels, self.books.here());
        }
        for action in &planned.after {
            self.act(row, action, None)?;
        }
        Ok(())
    }

    /// `event`: the row that the action is, when it is one.
    fn act(&mut self, row: usize, action: &Action, event: Option<Kind>) -> Result<(), V::Error> {
        let answer = self.venue.act(action)?;
        let mut executed = None;
        match event {
            Some(Kind::Submitted(_)) => self.books.submit(action.order()),
            Some(Kind::Executed(named)) => {
                executed = Some(named);
                self.tell(self.books.judge(row, &named, &answer.executions));
            }
            Some(Kind::Reduced(_) | Kind::Deleted(_) | Kind::Hidden | Kind::Cross | Kind::Halt) | None => {}
        }
        if let Some(why) = &answer.refused {
            let (order, follows) = (action.order(), self.books.explains_refusal(action.order()));
            self.report.refusals.push(Refusal { row, order, why: why.clone(), follows });
        }
        let places = matches!(action, Action::Place { .. });
        self.report.crossed += u64::from(places && !answer.executions.is_empty());
        self.books.apply(row, action, executed.as_ref(), &answer);
        self.levels.apply(&answer);
        Ok(())
    }

    fn tell(&mut self, missed: Option<Missed>) {
        match missed {
            None => self.report.same += 1,
            Some(missed) => {
                *self.report.reasons.entry(missed.reason).or_default() += 1;
                self.report.missed.push(missed);
            }
        }
    }
}

impl Report {
    fn count(&mut self, planned: &PlannedRow) {
        self.rows += 1;
        self.unsubmitted += planned.before.len() as u64;
        self.put_right += planned.after.len() as u64;
        match planned.message.kind {
            Kind::Submitted(_) | Kind::Reduced(_) | Kind::Deleted(_) => {}
            Kind::Executed(_) => self.executions += 1,
            Kind::Hidden => {
                self.executions += 1;
                *self.reasons.entry(Reason::Hidden).or_default() += 1;
            }
            Kind::Cross => self.crosses += 1,
            Kind::Halt => self.halts += 1,
        }
    }
}
