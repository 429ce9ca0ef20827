//! The market's part of the one tail: commits are held back until they are whole.

use std::{collections::HashMap, sync::Arc};

use fillstream_domain::{
    Seq,
    book::{Commit, Parts, PartsStep, Symbol, Torn},
    subject::{BookSubject, market_commits},
};
use fillstream_event_log::{Consistency, EventLog, Record};
use tokio::time::sleep;
use tracing::{debug, error, warn};

use crate::{market::registry::Markets, socket::LOG_PAUSE};

/// See the module's first line.
#[derive(Default)]
pub(crate) struct MarketTail {
    parts: HashMap<Symbol, Parts<Arc<Commit>>>,
    /// The last part that is held back, and its market. Parts of a commit follow each other in the stream: once
    /// anything else has come, its end never will.
    held: Option<(Seq, Symbol)>,
}

impl MarketTail {
    /// Takes in a record, of whatever subject.
    pub(crate) async fn take_in(&mut self, markets: &Markets, log: &dyn EventLog, record: &Record) {
        let Some(BookSubject::Commits(symbol)) = BookSubject::parse(&record.subject) else { return };
        let Some(part) = decode(&symbol, record) else { return };
        let mut next = self.push(markets, record.seq, part);
        while let Some(from) = next {
            let page = match log.read(&market_commits(&symbol), from, Consistency::Leader).await {
                Ok(page) => page,
                Err(error) => {
                    debug!(%error, "the commit's beginning cannot be read yet");
                    sleep(LOG_PAUSE).await;
                    continue;
                }
            };
            for again in page.records.iter().filter(|again| again.seq <= record.seq) {
                if let Some(part) = decode(&symbol, again) {
                    self.push(markets, again.seq, part);
                }
            }
            let last = page.records.last().filter(|last| page.more && last.seq < record.seq);
            next = last.map(|last| last.seq.next());
        }
    }

    /// How far the tail has handed out what came up to `last`: not beyond the beginning of a commit that is held back.
    pub(crate) fn position(&self, last: Seq) -> Seq {
        let held = self.held.as_ref().filter(|(seq, _)| *seq == last);
        let parts = held.and_then(|(_, symbol)| self.parts.get(symbol));
        parts.and_then(Parts::held_from).unwrap_or(last)
    }

    /// Hands out what is whole now; the sequence to read again from when this is not the commit's beginning.
    fn push(&mut self, markets: &Markets, seq: Seq, part: Arc<Commit>) -> Option<Seq> {
        let symbol = part.symbol.clone();
        let parts = self.parts.entry(symbol.clone()).or_default();
        let (step, torn) = parts.push(seq, part);
        if let Some(Torn { first, last }) = torn {
            error!(%first, %last, "parts of a commit that never ends: told to nobody");
        }
        match step {
            PartsStep::Complete(parts) => markets.take_in(&parts),
            PartsStep::Held => self.held = Some((seq, symbol)),
            PartsStep::BeganInside { read_again_from } => {
                warn!(%seq, %read_again_from, "began within a commit: it is read again");
                return Some(read_again_from);
            }
        }
        None
    }
}

fn decode(symbol: &Symbol, record: &Record) -> Option<Arc<Commit>> {
    match &*record.reading(Commit::decode_shared) {
        Ok(part) if part.symbol == *symbol => Some(Arc::clone(part)),
        Ok(part) => {
            error!(seq = %record.seq, symbol = %part.symbol, "a commit on another market's subject: told to nobody");
            None
        }
        Err(error) => {
            error!(seq = %record.seq, %error, "a commit that this version cannot read: told to nobody");
            None
        }
    }
}

#[cfg(test)]
#[path = "tail_tests.rs"]
mod tests;
