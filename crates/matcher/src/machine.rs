//! The machine: inputs of one market, one after the other.

use std::sync::Arc;

use fillstream_domain::{
    Seq, Timestamp,
    book::{BookInput, Definition, InputResult, Levels, OrderState, Outcome, Side, Symbol, Ticks},
};
use fillstream_order_book::{Book, Event, Resting};

use crate::{
    accounts::{Account, Accounts},
    hash,
    market::Market,
    telling::Told,
};

/// An input as the log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its sequence.
    pub seq: Seq,
    /// When the log stored it: the only time that counts.
    pub stored_at: Timestamp,
    /// The input, or why it cannot be read. An input that does not belong to its subject cannot be read.
    pub input: Result<BookInput, String>,
}

/// What an input has led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// For the log.
    pub outcome: Outcome,
    /// The state after it, see [`Machine::hash`].
    pub hash: u64,
}

/// The input is not behind the cursor: it has been applied, and has changed nothing now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the input at {seq} has been applied: the machine stands at {cursor}")]
pub struct AlreadyApplied {
    /// The input's sequence.
    pub seq: Seq,
    /// The last input that was applied.
    pub cursor: Seq,
}

/// One market: its book, the definition in force, what alive orders pay, and its time.
#[derive(Debug, Clone)]
pub struct Machine {
    symbol: Symbol,
    pub(crate) book: Book,
    /// None before the first definition: then nothing can rest.
    pub(crate) market: Option<Arc<Market>>,
    pub(crate) accounts: Accounts,
    pub(crate) last_price: Option<Ticks>,
    pub(crate) market_time: Timestamp,
    pub(crate) cursor: Seq,
    /// Empty between inputs; kept for its memory.
    pub(crate) events: Vec<Event>,
}

impl Machine {
    /// A market that nothing was asked of yet.
    #[must_use]
    pub fn new(symbol: Symbol) -> Self {
        Self {
            symbol,
            book: Book::new(),
            market: None,
            accounts: Accounts::default(),
            last_price: None,
            market_time: Timestamp::from_unix_ms(0),
            cursor: Seq::ZERO,
            events: Vec::new(),
        }
    }

    /// Applies the next input. Market time moves to when the input was stored, unless it is there already; orders that
    /// are due by then expire; then the input does what it says.
    ///
    /// An input that cannot be read changes nothing but the cursor: no time passes and nothing expires, so that a
    /// version that can read it does not differ from the commit that says `parked`.
    ///
    /// # Errors
    /// When the cursor has passed the input; nothing has changed.
    pub fn apply(&mut self, recorded: &Recorded) -> Result<Applied, AlreadyApplied> {
        let seq = recorded.seq;
        if seq <= self.cursor {
            return Err(AlreadyApplied { seq, cursor: self.cursor });
        }
        self.cursor = seq;
        let outcome = match &recorded.input {
            Ok(input) => self.take(seq, recorded.stored_at, input),
            Err(reason) => self.park(seq, reason.clone()),
        };
        Ok(Applied { outcome, hash: self.hash() })
    }

    /// The market.
    #[must_use]
    pub const fn symbol(&self) -> &Symbol {
        &self.symbol
    }

    /// Sequence of the last input; [`Seq::ZERO`] before the first.
    #[must_use]
    pub const fn cursor(&self) -> Seq {
        self.cursor
    }

    /// The latest recorded time of the inputs so far; the Unix epoch before the first.
    #[must_use]
    pub const fn market_time(&self) -> Timestamp {
        self.market_time
    }

    /// The definition in force.
    #[must_use]
    pub fn definition(&self) -> Option<&Definition> {
        self.market.as_deref().map(|market| &market.definition)
    }

    /// When the next order expires.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.book.next_expiry()
    }

    /// What rests.
    #[must_use]
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// The orders that rest, as the last change has told of them: bids, then asks, each in the order of trading.
    pub fn resting(&self) -> impl Iterator<Item = OrderState> {
        let market = self.market.iter();
        market.flat_map(|market| queues(&self.book).map(|order| self.state(market, order.into())))
    }

    /// Covers all that later outcomes depend on: the market's name, the book with the order of its queues, definition, fees, last trade's
    /// price, time and cursor. Costs the same however much rests.
    #[must_use]
    pub fn hash(&self) -> u64 {
        hash::of_words([
            hash::of_bytes(self.symbol.as_str().as_bytes()),
            self.book.hash(),
            self.market.as_ref().map_or(0, |market| market.hash),
            self.accounts.hash(),
            self.last_price.map_or(0, |price| u64::from(price.get())),
            self.market_time.unix_ms().cast_unsigned(),
            self.cursor.get(),
        ])
    }

    fn park(&self, seq: Seq, reason: String) -> Outcome {
        outcome(seq, self.market_time, InputResult::Parked { reason })
    }

    fn take(&mut self, seq: Seq, stored_at: Timestamp, input: &BookInput) -> Outcome {
        self.market_time = self.market_time.max(stored_at);
        let mut told = Told::new(seq);
        self.expire(&mut told);
        let result = match input {
            BookInput::Placed(order) => self.place(order, &mut told),
            BookInput::AmendRequested(amend) => self.amend(amend, &mut told),
            BookInput::CancelRequested(cancel) => self.cancel(cancel, &mut told),
            BookInput::Definition(definition) => self.define(definition),
            BookInput::Clock(_) => InputResult::Ticked,
        };
        let levels = match &self.market {
            Some(market) => told.moved.levels(&market.definition, &self.book),
            None => Levels::default(),
        };
        Outcome { changes: told.changes, levels, ..outcome(seq, self.market_time, result) }
    }

    fn expire(&mut self, told: &mut Told) {
        let Some(market) = self.market.clone() else { return };
        self.book.expire(self.market_time, &mut self.events);
        self.tell(&market, told);
    }

    fn define(&mut self, definition: &Definition) -> InputResult {
        match Market::define(self.market.as_deref(), definition) {
            Ok(next) => {
                if let Some(before) = self.market.replace(Arc::new(next)) {
                    self.keep_rates(&before);
                }
                InputResult::Defined
            }
            Err(refusal) => InputResult::Refused(refusal),
        }
    }

    /// Orders that rest keep the rates that they were placed under.
    fn keep_rates(&mut self, before: &Market) {
        if self.market.as_ref().is_some_and(|market| market.rates == before.rates) {
            return;
        }
        for order in queues(&self.book) {
            if self.accounts.get(order.order_id).is_none() {
                self.accounts.put(order.order_id, Account::new(before.rates));
            }
        }
    }
}

/// All that rests: bids, then asks, best first.
fn queues(book: &Book) -> impl Iterator<Item = Resting> {
    let of_side = move |&side| book.levels(side).flat_map(move |(price, _)| book.queue(side, price));
    Side::ALL.iter().flat_map(of_side)
}

/// An outcome without changes.
fn outcome(seq: Seq, at: Timestamp, result: InputResult) -> Outcome {
    let (changes, levels) = (Vec::new(), Levels::default());
    Outcome { seq, at, result, continued: false, goes_on: false, changes, levels }
}
