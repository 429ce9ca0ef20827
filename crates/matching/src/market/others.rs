//! What other matchers have committed.

use fillstream_domain::book::{Commit, PartsStep};
use fillstream_event_log::Record;
use tokio::time::Instant;
use tracing::warn;

use super::{Ended, Heard, Market, Says, Stance};
use crate::read::is_of_another_version;

impl Market {
    /// Takes commits of the log: ours are known already or are under way.
    pub(super) fn hear(&mut self, records: Vec<Record>) -> Result<(), Ended> {
        // Ours, that we know to be stored, need not be read.
        for record in records.into_iter().filter(|record| record.seq > self.commit) {
            let seq = record.seq;
            let part = match Commit::decode(&record.payload) {
                Ok(part) => part,
                Err(error) if is_of_another_version(&error) => return Err(Ended::Version(error)),
                Err(error) => {
                    warn!(%seq, %error, "no part of a commit, passed over");
                    self.end = self.end.max(seq);
                    continue;
                }
            };
            self.end = self.end.max(seq);
            let (step, torn) = self.parts.push(seq, part);
            if let Some(torn) = torn {
                warn!(
                    first = %torn.first,
                    last = %torn.last,
                    "parts of a commit that never ended are passed over"
                );
            }
            if let PartsStep::Complete(parts) = step
                && let Some((seq, last)) = parts.last()
            {
                let outcomes = parts.iter().flat_map(|(_, part)| &part.outcomes);
                let inputs = outcomes.filter(|outcome| !outcome.continued).count();
                let says = Says { inputs, hash: last.hash.clone() };
                self.heard.push_back(Heard { seq: *seq, last_input: last.last_input, says });
            }
        }
        Ok(())
    }

    /// Follows others' commits as far as our machine has come. While one of ours is under way, what is heard may be ours.
    pub(super) fn follow_others(&mut self) -> Result<(), Ended> {
        while self.under_way.is_none()
            && let Some(heard) = self.heard.pop_front_if(|heard| heard.last_input <= self.machine.cursor())
        {
            let before = self.pending.len();
            let hash = self.pending.drop_covered(heard.last_input);
            let ours = Says { inputs: before - self.pending.len(), hash };
            if ours != heard.says {
                let (theirs, ours) = (format!("{:?}", heard.says), format!("{ours:?}"));
                return Err(Ended::Diverged { last_input: heard.last_input, theirs, ours });
            }
            self.commit = heard.seq;
            self.stance = Stance::StandingBy(Instant::now());
        }
        Ok(())
    }
}
