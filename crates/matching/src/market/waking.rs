//! What is to be done though nothing comes: taking over, and letting time go on.

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

use super::{CLOCK_PAUSE, Ended, Market, Stance};

impl Market {
    /// When something has to be done though nothing comes.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        let expiry = self.machine.next_expiry().map(|expiry| match self.last_input_at {
            Some(at) => at + expiry.since(self.machine.market_time()),
            None => self.clock_due,
        });
        let takeover = self.context.settings.takeover_after;
        match self.stance {
            Stance::Leading => expiry.map(|expiry| expiry.max(self.clock_due)),
            Stance::StandingBy(since) if self.pending.is_empty() => {
                expiry.map(|expiry| expiry.max(since) + takeover)
            }
            Stance::StandingBy(since) => Some(since + takeover),
        }
    }

    pub(super) async fn wake(&mut self) -> Result<(), Ended> {
        match self.stance {
            Stance::StandingBy(_) => {
                info!(symbol = %self.symbol, "nobody commits; taking over");
                self.stance = Stance::Leading;
                Ok(())
            }
            Stance::Leading => self.tick().await,
        }
    }

    /// Time goes on though nothing is asked: an input of its own, whose recorded time is what counts.
    async fn tick(&mut self) -> Result<(), Ended> {
        self.clock_due = Instant::now() + CLOCK_PAUSE;
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
            Err(error) => debug!(%error, "the clock is not written yet"),
        }
        reach(Boundary::AfterClock);
        Ok(())
    }
}
