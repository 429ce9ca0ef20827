//! Commits of other matchers, followed while this one stands by.

use fillstream_commit_reader::Step;
use fillstream_event_log::Record;
use tokio::time::Instant;

use super::{Ended, Heard, Market, Says, Stance};

impl Market {
    /// Takes commits of the log: ours are known already or are under way.
    pub(super) fn hear(&mut self, records: Vec<Record>) -> Result<(), Ended> {
        // Ours, that we know to be stored, need not be read.
        for record in records.into_iter().filter(|record| record.seq > self.commit) {
            let step = self.reader.push(&record)?;
            self.end = self.end.max(record.seq);
            match step {
                Step::Complete(whole) => {
                    let inputs = whole.outcomes().filter(|outcome| !outcome.continued).count();
                    let says = Says { inputs, hash: whole.hash().map(str::to_owned) };
                    let (seq, last_input) = (whole.end(), whole.last_input());
                    self.heard.push_back(Heard { seq, last_input, says });
                }
                // The tail begins right behind a whole commit: one that it begins inside was torn before.
                Step::Nothing | Step::PassedOver { .. } | Step::BeganInside { .. } => {}
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
            let hash = self.drop_covered(heard.last_input);
            let ours = Says { inputs: before - self.pending.len(), hash };
            if ours != heard.says {
                let (theirs, ours) = (format!("{:?}", heard.says), format!("{ours:?}"));
                return Err(Ended::Diverged { last_input: heard.last_input, theirs, ours });
            }
            self.commit = heard.seq;
            // Ours, of which nobody knew whether it was stored, is no other matcher's.
            let is_ours = self.trouble.solves(heard.last_input);
            self.trouble.over();
            self.stance = if is_ours { Stance::Leading } else { Stance::StandingBy(Instant::now()) };
        }
        Ok(())
    }
}
