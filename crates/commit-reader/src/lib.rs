//! Whole commits of the markets, out of records as they come.
//!
//! ```text
//!  record ─ of `markets.*`? ─ readable? ─ its market's? ─▶ parts held back ─ last one ─▶ WholeCommit
//!             │ no               │ no: foreign, or of a       │ the first one is missing
//!             ▼                  ▼ later version (OnForeign)  ▼
//!           nothing            passed over, or an error     read again from the leader
//! ```
//! One rule for all readers: nothing of a commit is known before its last part, and no position may pass the first part
//! that is held back ([`CommitReader::position`]).

use std::{collections::HashMap, sync::Arc, time::Duration};

use fillstream_domain::{
    Seq,
    book::{Commit, NotACommit, Outcome, Parts, PartsStep, Symbol, Torn},
    subject::{BookSubject, market_commits},
};
use fillstream_event_log::{Consistency, EventLog, LogError, Record};
use fillstream_retry::{Retry, chain};
use tracing::{error, info, warn};

/// Pauses between two tries to read a commit's beginning.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Treatment of a record among the commits that is none of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnForeign {
    /// It is said and passed over, whatever it is: a view can be made anew by a version that reads it.
    PassOver,
    /// A commit of a later version ends the reading: its inputs are covered, and whoever goes on without it is wrong. What
    /// nobody can read is passed over.
    StopAtLater,
}

/// A commit of a version that this program does not know.
#[derive(Debug, thiserror::Error)]
#[error("the commit at sequence {seq} is of a version that this program cannot read")]
pub struct LaterVersion {
    /// Its sequence.
    pub seq: Seq,
    /// Cause.
    #[source]
    pub source: NotACommit,
}

/// All parts of one commit, in order, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeCommit {
    parts: Vec<(Seq, Arc<Commit>)>,
    end: Seq,
    last: Arc<Commit>,
}

impl WholeCommit {
    fn of(parts: Vec<(Seq, Arc<Commit>)>) -> Option<Self> {
        let (end, last) = parts.last()?.clone();
        Some(Self { parts, end, last })
    }

    /// Its parts with their sequences.
    #[must_use]
    pub fn parts(&self) -> &[(Seq, Arc<Commit>)] {
        &self.parts
    }

    /// The market.
    #[must_use]
    pub fn symbol(&self) -> &Symbol {
        &self.last.symbol
    }

    /// The sequence of its last part: that of the commit.
    #[must_use]
    pub const fn end(&self) -> Seq {
        self.end
    }

    /// The last input that it covers.
    #[must_use]
    pub fn last_input(&self) -> Seq {
        self.last.last_input
    }

    /// The state's hash behind it.
    #[must_use]
    pub fn hash(&self) -> Option<&str> {
        self.last.hash.as_deref()
    }

    /// The outcomes of all parts. One that goes on in a later part comes in pieces.
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.parts.iter().flat_map(|(_, part)| &part.outcomes)
    }

    /// As it was before it was cut into parts.
    #[must_use]
    pub fn assembled(self) -> Option<Commit> {
        Commit::assemble(self.parts.into_iter().map(|(_, part)| Arc::unwrap_or_clone(part)))
    }
}

/// Meaning of a record to a reader of commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It ends a commit.
    Complete(WholeCommit),
    /// Nothing can be told yet: a part is held back, or the record is no commit's.
    Nothing,
    /// The record lies among a market's commits and is none of this version.
    PassedOver {
        /// The reason, in words.
        reason: String,
    },
    /// The reader began within a commit: what it pushes next must be read from here, under this market's subject.
    BeganInside {
        /// The market.
        symbol: Symbol,
        /// Sequence of the commit's first part.
        read_again_from: Seq,
    },
}

/// See the crate's first line. One for each tail; records are pushed in order.
#[derive(Debug)]
pub struct CommitReader {
    /// Name of the reader, for the log.
    reader: &'static str,
    on_foreign: OnForeign,
    parts: HashMap<Symbol, Parts<Arc<Commit>>>,
    /// The last part that is held back, and its market. Parts of a commit follow each other in the stream: once
    /// anything else has come, its end never will.
    held: Option<(Seq, Symbol)>,
    torn: u64,
    foreign: u64,
}

impl CommitReader {
    /// Nothing held. `reader` names who reads in log lines, such as `bridge`.
    #[must_use]
    pub fn new(reader: &'static str, on_foreign: OnForeign) -> Self {
        Self { reader, on_foreign, parts: HashMap::new(), held: None, torn: 0, foreign: 0 }
    }

    /// Commits that were left out so far because their end, or their beginning, is not in the stream.
    #[must_use]
    pub const fn torn(&self) -> u64 {
        self.torn
    }

    /// Records among the commits that were passed over so far.
    #[must_use]
    pub const fn foreign(&self) -> u64 {
        self.foreign
    }

    /// How far everything up to `last`, the last record that was pushed, is handed out: not beyond the beginning of a
    /// commit that is held back.
    #[must_use]
    pub fn position(&self, last: Seq) -> Seq {
        let held = self.held.as_ref().filter(|(seq, _)| *seq == last);
        held.and_then(|(_, symbol)| self.parts.get(symbol)?.held_from()).unwrap_or(last)
    }

    /// Takes a record, of whatever subject.
    ///
    /// # Errors
    /// [`LaterVersion`], with [`OnForeign::StopAtLater`].
    pub fn push(&mut self, record: &Record) -> Result<Step, LaterVersion> {
        let Some(BookSubject::Commits(symbol)) = BookSubject::parse(&record.subject) else {
            self.tear(record.seq);
            return Ok(Step::Nothing);
        };
        let part = self.part(&symbol, record)?;
        if part.is_err() || self.held.as_ref().is_some_and(|(_, held)| *held != symbol) {
            self.tear(record.seq);
        }
        match part {
            Ok(part) => Ok(self.take_in(symbol, record.seq, part)),
            Err(reason) => {
                error!(reader = self.reader, seq = %record.seq, %symbol, reason, "commit passed over");
                self.foreign += 1;
                Ok(Step::PassedOver { reason })
            }
        }
    }

    /// The parts of a commit lie in the stream without anything in between: what is held when something else comes has no
    /// end.
    fn tear(&mut self, seq: Seq) {
        let Some((_, symbol)) = self.held.take_if(|(held, _)| *held < seq) else { return };
        let torn = self.parts.get_mut(&symbol).and_then(Parts::discard);
        self.note(&symbol, torn);
    }

    fn note(&mut self, symbol: &Symbol, torn: Option<Torn>) {
        if let Some(Torn { first, last }) = torn {
            self.torn += 1;
            warn!(reader = self.reader, %symbol, %first, %last, "commit left out: its end is not in the stream");
        }
    }

    /// As [`push`](Self::push); a beginning that is missing is read from the leader, for as long as that takes.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub async fn take(
        &mut self,
        log: &dyn EventLog,
        record: &Record,
    ) -> Result<Vec<WholeCommit>, LaterVersion> {
        let mut whole = Vec::new();
        let mut from = self.collect(record, &mut whole)?;
        while let Some((symbol, first)) = from.take() {
            let page = self.page(log, &symbol, first).await;
            for again in page.records.iter().filter(|again| again.seq <= record.seq) {
                // A beginning that is nowhere is asked for only once.
                self.collect(again, &mut whole)?;
            }
            let last = page.records.last().filter(|last| page.more && last.seq < record.seq);
            from = last.map(|last| (symbol, last.seq.next()));
        }
        Ok(whole)
    }

    /// Pushes; where to read again.
    fn collect(
        &mut self,
        record: &Record,
        whole: &mut Vec<WholeCommit>,
    ) -> Result<Option<(Symbol, Seq)>, LaterVersion> {
        match self.push(record)? {
            Step::Complete(commit) => whole.push(commit),
            Step::Nothing | Step::PassedOver { .. } => {}
            Step::BeganInside { symbol, read_again_from } => return Ok(Some((symbol, read_again_from))),
        }
        Ok(None)
    }

    async fn page(&self, log: &dyn EventLog, symbol: &Symbol, from: Seq) -> fillstream_event_log::Page {
        let mut retry = Retry::new("a commit's beginning is not read", FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            let read: Result<_, LogError> =
                log.read(&market_commits(symbol), from, Consistency::Leader).await;
            match read {
                Ok(page) => {
                    retry.done();
                    return page;
                }
                Err(error) => retry.failed(&error).await,
            }
        }
    }

    /// The part that the record is, or the reason why it is none.
    fn part(&self, symbol: &Symbol, record: &Record) -> Result<Result<Arc<Commit>, String>, LaterVersion> {
        let error = match &*record.reading(Commit::decode_shared) {
            Ok(part) if part.symbol == *symbol => return Ok(Ok(Arc::clone(part))),
            Ok(part) => return Ok(Err(format!("the commit belongs to another market, {}", part.symbol))),
            // The reading is shared; an error of one's own says more.
            Err(_) => match Commit::decode(&record.payload) {
                Ok(part) => return Ok(Ok(Arc::new(part))),
                Err(error) => error,
            },
        };
        if self.on_foreign == OnForeign::StopAtLater && is_later(&error) {
            return Err(LaterVersion { seq: record.seq, source: error });
        }
        Ok(Err(chain(&error).to_string()))
    }

    fn take_in(&mut self, symbol: Symbol, seq: Seq, part: Arc<Commit>) -> Step {
        let (step, torn) = self.parts.entry(symbol.clone()).or_default().push(seq, part);
        self.note(&symbol, torn);
        self.held = None;
        match step {
            PartsStep::Complete(parts) => WholeCommit::of(parts).map_or(Step::Nothing, Step::Complete),
            PartsStep::Held => {
                self.held = Some((seq, symbol));
                Step::Nothing
            }
            PartsStep::BeganInside { read_again_from } => {
                info!(reader = self.reader, %symbol, %seq, %read_again_from, "began within a commit: it is read again");
                Step::BeganInside { symbol, read_again_from }
            }
        }
    }
}

/// A commit that another version can read: unlike what nobody can read, it covers inputs.
fn is_later(error: &NotACommit) -> bool {
    match error {
        NotACommit::Unknown { name, version: _ } => name == Commit::EVENT_TYPE.name,
        NotACommit::Json(_) => false,
    }
}

#[cfg(test)]
mod tests;
