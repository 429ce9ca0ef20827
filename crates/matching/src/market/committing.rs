//! Our own commits: when one may be made, and what its answer means.
//!
//! ```text
//!  pending ─(we lead, nothing stands in the way)─▶ append ─┬─ stored ──▶ known
//!     ▲                                                    ├─ fenced ──▶ stand by, hear what was first
//!     └── the same again after a growing pause ◀───────────┴─ full, refused, unknown
//! ```
//! The state in memory is never in doubt here: a commit that is stored after all fences its own repetition, and is then
//! heard like another's.

use std::{sync::Arc, time::Duration};

use fillstream_crash_point::{Boundary, reach};
use fillstream_domain::Seq;
use fillstream_event_log::AppendError;
use fillstream_matcher::COMMIT_BYTES;
use fillstream_retry::{Retry, chain};
use tokio::time::Instant;
use tracing::debug;

use super::{Ended, InFlight, LEVELS_PER_SNAPSHOT, Market, Stance, UnderWay};
use crate::{commit, snapshots::Taken};

/// Pauses before a commit that was not stored is tried again: a disk or an account that is full stays so for a while, and
/// what waits for its commit is bounded.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Span by which the newest stamps may be ahead of our own clock: what clocks of one deployment may differ by.
const CLOCKS_APART: Duration = Duration::from_secs(60);

/// Commits that were not stored, or of which nobody knows.
pub(super) struct Trouble {
    retry: Retry,
    reason: Option<String>,
    /// The next try.
    until: Option<Instant>,
    /// The last input of a commit that may be stored.
    doubt: Option<Seq>,
}

impl Trouble {
    pub(super) fn none() -> Self {
        let retry = Retry::new("matcher: commit not stored", FIRST_PAUSE, LONGEST_PAUSE);
        Self { retry, reason: None, until: None, doubt: None }
    }

    fn note(&mut self, error: &AppendError, last_input: Seq) {
        self.until = Some(Instant::now() + self.retry.note(error));
        self.reason = Some(format!("commit not stored: {}", chain(error)));
        if *error == AppendError::Unknown {
            self.doubt = Some(last_input);
        }
    }

    pub(super) fn over(&mut self) {
        self.retry.done();
        (self.reason, self.until) = (None, None);
    }

    /// True when a commit that was heard, and says what ours would say, is the one that we did not know of.
    pub(super) fn solves(&mut self, last_input: Seq) -> bool {
        self.doubt.take_if(|doubt| *doubt == last_input).is_some()
    }

    pub(super) const fn until(&self) -> Option<Instant> {
        self.until
    }
}

impl Market {
    /// We lead, know of no commit that our machine has not followed, and nothing stands in the way.
    pub(super) fn may_commit(&self) -> bool {
        self.stance == Stance::Leading
            && self.heard.is_empty()
            && !self.pending.is_empty()
            && self.trouble.until.is_none_or(|until| until <= Instant::now())
            && self.ahead().is_none()
    }

    /// Trouble that stands in the way of a commit.
    pub(super) fn obstacle(&self) -> Option<String> {
        let ahead = self.ahead().map(|ahead| {
            let seconds = ahead.as_secs();
            format!("market time is {seconds} s ahead of this machine's clock: nothing is committed until the clocks agree")
        });
        ahead.or_else(|| self.trouble.reason.clone())
    }

    /// By how much the newest stamps are ahead of our clock, when that is more than clocks may differ. One of the two is
    /// wrong: nobody's orders are ended by it. It heals when the clocks are set right: then a clock input turns the market
    /// back, or our clock has caught up.
    pub(super) fn ahead(&self) -> Option<Duration> {
        let ahead = self.machine.market_time().since((self.context.clock)());
        Some(ahead).filter(|ahead| *ahead > CLOCKS_APART)
    }

    pub(super) fn begin_commit(&mut self) -> InFlight {
        let parts = self.pending.cut(&self.symbol, COMMIT_BYTES);
        let last_input = parts.first().map_or(Seq::ZERO, |part| part.last_input);
        // The machine stands right behind this commit only when it covers all that was applied.
        let whole = last_input == self.machine.cursor();
        let taken = if whole && self.context.snapshots.is_some() { self.take_snapshot() } else { None };
        let (log, fence, now) = (Arc::clone(&self.context.log), self.end, (self.context.clock)());
        self.under_way = Some(UnderWay { fence, last_input, taken });
        let (symbol, upon) = (self.symbol.clone(), self.last_heard);
        let trace = self.traces.front().filter(|(seq, _)| *seq <= last_input).map(|(_, trace)| *trace);
        tokio::spawn(async move {
            reach(Boundary::BeforeCommit);
            let stored = commit::append(&*log, &symbol, parts, (fence, upon), now, trace).await;
            reach(Boundary::AfterCommit);
            stored
        })
    }

    /// Takes what is due of the machine's state and its levels.
    fn take_snapshot(&mut self) -> Option<Taken> {
        let every = self.context.settings.snapshot_every;
        let machine_due = self.since_snapshot >= every;
        if !machine_due && self.since_levels < (every / LEVELS_PER_SNAPSHOT).max(1) {
            return None;
        }
        Some(Taken::of(&self.machine, machine_due))
    }

    pub(super) fn committed(&mut self, stored: Result<Seq, AppendError>) -> Result<(), Ended> {
        let Some(UnderWay { fence, last_input, taken }) = self.under_way.take() else { return Ok(()) };
        match stored {
            Ok(seq) => {
                self.trouble.over();
                self.commit = seq;
                self.end = self.end.max(seq);
                self.drop_covered(last_input);
                self.heard.retain(|heard| heard.seq > seq);
                if let (Some(taken), Some(store)) = (taken, self.context.snapshots.clone()) {
                    self.since_levels = 0;
                    if taken.has_machine() {
                        self.since_snapshot = 0;
                    }
                    self.keep(taken, store, seq);
                }
            }
            // Whoever was first lies behind the fence. At it: what the commit rests on is lost.
            Err(AppendError::Fenced { last }) if last <= fence => return Err(Ended::LostEnd { fence, last }),
            Err(AppendError::Fenced { last }) => {
                self.trouble.over();
                debug!(symbol = %self.symbol, %last, "another matcher was first; standing by");
                self.stance = Stance::StandingBy(Instant::now());
            }
            Err(error) => self.trouble.note(&error, last_input),
        }
        Ok(())
    }
}
