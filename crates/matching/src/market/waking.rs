//! Work that is due though nothing comes: taking over, and letting time go on.

use bytes::Bytes;
use fillstream_crash_point::{Boundary, reach};
use fillstream_domain::{
    book::{BookInput, Clock},
    subject::book_clock,
};
use fillstream_event_log::{AppendError, NewRecord};
use tokio::time::Instant;
use tracing::{debug, info};
use uuid::Uuid;

use super::{AHEAD_PAUSE, CLOCK_PAUSE, Ended, LATE_PAUSE, Market, Stance};

impl Market {
    /// Instant at which something has to be done though nothing comes.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        let takeover = self.context.settings.takeover_after;
        match self.stance {
            Stance::Leading => {
                // One that is under way, or that others have made, is waited for.
                let retries = self.under_way.is_none() && self.heard.is_empty() && !self.pending.is_empty();
                let commit = self.trouble.until().filter(|_| retries && self.ahead().is_none());
                self.ticks_at().into_iter().chain(commit).min()
            }
            Stance::StandingBy(since) if self.pending.is_empty() => {
                self.next_expiry().map(|expiry| expiry.max(since) + takeover)
            }
            Stance::StandingBy(since) => Some(since + takeover),
        }
    }

    /// Instant at which time has to go on by an input of its own.
    fn ticks_at(&self) -> Option<Instant> {
        if self.ahead().is_some() {
            return Some(self.clock_due);
        }
        let expiry = self.next_expiry()?;
        if !self.machine.is_late() {
            return Some(expiry.max(self.clock_due));
        }
        // The last one is done with before the next: what many expiries cause comes at the pace of its commits.
        let is_done = self.pending.is_empty() && self.machine.cursor() >= self.clock_seq;
        Some(if is_done { self.late_due } else { self.clock_due.max(self.late_due) })
    }

    fn next_expiry(&self) -> Option<Instant> {
        let expiry = self.machine.next_expiry()?;
        Some(match self.last_input_at {
            Some(at) => at + expiry.since(self.machine.market_time()),
            None => self.clock_due,
        })
    }

    pub(super) async fn wake(&mut self) -> Result<(), Ended> {
        match self.stance {
            Stance::StandingBy(_) => {
                info!(symbol = %self.symbol, "nobody commits; taking over");
                self.stance = Stance::Leading;
                Ok(())
            }
            Stance::Leading if self.ticks_at().is_some_and(|at| at <= Instant::now()) => self.tick().await,
            // A commit is tried again.
            Stance::Leading => Ok(()),
        }
    }
}

impl Market {
    /// Time goes on though nothing is asked: an input of its own, whose recorded time is what counts.
    async fn tick(&mut self) -> Result<(), Ended> {
        let asked = Instant::now();
        self.clock_due = asked + if self.ahead().is_some() { AHEAD_PAUSE } else { CLOCK_PAUSE };
        self.late_due = asked + LATE_PAUSE;
        let now = (self.context.clock)();
        let input = BookInput::Clock(Clock { symbol: self.symbol.clone(), at: now });
        let record = NewRecord {
            subject: book_clock(&self.symbol),
            after: self.clock_seq,
            event_id: Uuid::now_v7(),
            event_type: input.event_type().cloud_event_type(),
            time: now.to_string(),
            traceparent: None,
            retries: None,
            payload: Bytes::from(input.encode()),
        };
        reach(Boundary::BeforeClock);
        match self.context.log.append(record).await {
            // A lost fence is no error: another matcher has seen to it.
            Ok(seq) | Err(AppendError::Fenced { last: seq }) => self.clock_seq = self.clock_seq.max(seq),
            Err(error) => debug!(error = %fillstream_retry::chain(&error), "the clock is not written yet"),
        }
        reach(Boundary::AfterClock);
        Ok(())
    }
}
