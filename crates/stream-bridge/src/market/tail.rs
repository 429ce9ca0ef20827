//! The market's part of the one tail: commits are held back until they are whole.

use fillstream_commit_reader::{CommitReader, OnForeign};
use fillstream_domain::Seq;
use fillstream_event_log::{EventLog, Record};

use crate::market::registry::Markets;

/// See the module's first line.
pub(crate) struct MarketTail(CommitReader);

impl Default for MarketTail {
    fn default() -> Self {
        Self(CommitReader::new("bridge", OnForeign::PassOver))
    }
}

impl MarketTail {
    /// Takes in a record, of whatever subject.
    pub(crate) async fn take_in(&mut self, markets: &Markets, log: &dyn EventLog, record: &Record) {
        // What this version cannot read is passed over, not an error: sockets are told nothing of it.
        for whole in self.0.take(log, record).await.into_iter().flatten() {
            markets.take_in(whole.parts());
        }
    }

    /// Place up to which the tail has handed out what came up to `last`: not beyond the beginning of a commit that is held back.
    pub(crate) fn position(&self, last: Seq) -> Seq {
        self.0.position(last)
    }
}

#[cfg(test)]
#[path = "tail_tests.rs"]
mod tests;
