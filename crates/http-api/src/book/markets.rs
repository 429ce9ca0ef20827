//! The markets and their definitions in force, read from the stream.
//!
//! ```text
//!  orders.book.*.definition ─▶ what is new of each ─▶ in force: good, and in the units of the one before it
//! ```
//! An order is judged again by the definition in force at its place in the stream; this copy may be a second old.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use fillstream_domain::{
    Seq,
    book::{BookInput, Definition, Definitions, Symbol},
    subject::{ALL_DEFINITIONS, BookSubject, book_definition},
};
use fillstream_event_log::{Consistency, EventLog, Link, LogError};
use fillstream_http_edge::Problem;
use fillstream_retry::chain;
use parking_lot::RwLock;
use tokio::{sync::Mutex, time::sleep};
use tracing::warn;

use super::unreachable;

/// Age from which definitions are read again before they are used: one small read per second under load, none without.
const MAX_AGE: Duration = Duration::from_secs(1);
/// Pause between two reads for symbols that are not known: who asks for nonsense costs the stream ten reads a second.
const UNKNOWN_PAUSE: Duration = Duration::from_millis(100);

/// The markets of the stream. One for the whole process.
pub struct Markets {
    log: Arc<dyn EventLog>,
    known: RwLock<Arc<Known>>,
    /// Held while the stream is read: those who wait take what the first one finds. When it was asked in vain last.
    reading: Mutex<Option<Instant>>,
}

#[derive(Default, Clone)]
struct Known {
    definitions: Arc<Definitions>,
    /// Last sequence read of each market's definitions.
    read: HashMap<Symbol, Seq>,
    at: Option<Instant>,
}

impl Known {
    /// Good enough for who asked at this moment. That a symbol is unknown must have been read since: it may have been
    /// added a moment before.
    fn is_fresh(&self, wanted: Option<&Symbol>, asked: Instant) -> bool {
        self.at.is_some_and(|at| if self.lacks(wanted) { at >= asked } else { at.elapsed() < MAX_AGE })
    }

    fn lacks(&self, wanted: Option<&Symbol>) -> bool {
        wanted.is_some_and(|symbol| !self.definitions.contains_key(symbol))
    }
}

impl Markets {
    /// Nothing is read before somebody asks.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>) -> Self {
        Self { log, known: RwLock::default(), reading: Mutex::default() }
    }

    /// The definitions in force; with `wanted` also of a market that was just added.
    ///
    /// # Errors
    /// 503 when the stream cannot be reached and never could.
    pub async fn definitions(&self, wanted: Option<&Symbol>) -> Result<Arc<Definitions>, Problem> {
        let (known, asked) = (self.known(), Instant::now());
        if known.is_fresh(wanted, asked) {
            return Ok(Arc::clone(&known.definitions));
        }
        let mut failed = self.reading.lock().await;
        let known = self.known();
        let down = *self.log.link().borrow() == Link::Down;
        let just_failed = failed.is_some_and(|at| at.elapsed() < MAX_AGE);
        if known.is_fresh(wanted, asked) || known.at.is_some() && (down || just_failed) {
            return Ok(Arc::clone(&known.definitions));
        }
        if just_failed {
            return Err(unreachable());
        }
        if let Some(at) = known.at.filter(|_| known.lacks(wanted)) {
            // Whoever else asks meanwhile waits as well, and takes what is found then.
            sleep(UNKNOWN_PAUSE.saturating_sub(at.elapsed())).await;
        }
        match self.read(&known, wanted).await {
            Ok(read) => {
                let definitions = Arc::clone(&read.definitions);
                *self.known.write() = Arc::new(read);
                Ok(definitions)
            }
            Err(error) => {
                warn!(error = %chain(&error), "read of the markets' definitions failed");
                *failed = Some(Instant::now());
                // What was in force a moment ago is better than no answer; the matcher judges again.
                known.at.map(|_| Arc::clone(&known.definitions)).ok_or_else(unreachable)
            }
        }
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read())
    }

    async fn read(&self, known: &Known, wanted: Option<&Symbol>) -> Result<Known, LogError> {
        let at = Some(Instant::now());
        let mut definitions = Definitions::clone(&known.definitions);
        let mut read = known.read.clone();
        for last in self.log.last_of_each(ALL_DEFINITIONS).await? {
            let Some(BookSubject::Definition(symbol)) = BookSubject::parse(&last.subject) else { continue };
            let seen = read.entry(symbol.clone()).or_default();
            while seen.get() < last.seq.get() {
                let page = self.log.read(&book_definition(&symbol), seen.next(), Consistency::Any).await?;
                for record in &page.records {
                    *seen = record.seq;
                    follow(&mut definitions, &symbol, &record.payload);
                }
                if !page.more {
                    break;
                }
            }
        }
        if let Some(symbol) = wanted.filter(|symbol| !definitions.contains_key(symbol)) {
            // A replica may not have it yet; who leads the stream has.
            let page = self.log.read(&book_definition(symbol), Seq::FIRST, Consistency::Leader).await?;
            page.records.iter().for_each(|record| follow(&mut definitions, symbol, &record.payload));
        }
        Ok(Known { definitions: Arc::new(definitions), read, at })
    }
}

/// Takes a definition in, when the matcher would: others change nothing.
fn follow(definitions: &mut Definitions, symbol: &Symbol, payload: &[u8]) {
    let Ok(BookInput::Definition(next)) = BookInput::decode(payload) else { return };
    let in_units = definitions.get(symbol).is_none_or(|before: &Definition| next.has_units_of(before));
    if next.symbol == *symbol && in_units && next.check().is_ok() {
        definitions.insert(symbol.clone(), next);
    }
}
