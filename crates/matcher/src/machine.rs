//! The machine: inputs of one market, one after the other.

use std::sync::Arc;

use fillstream_domain::{
    Seq, Timestamp,
    book::{BookInput, Definition, InputResult, Levels, OrderState, Outcome, Rules, Side, Symbol, Ticks},
};
use fillstream_order_book::{Book, Event, Resting, Taking};

use crate::{
    accounts::{Account, Accounts},
    hash,
    market::Market,
    open::OpenOrders,
    telling::Told,
    time,
};

/// An input as the log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its sequence.
    pub seq: Seq,
    /// Time at which the log stored it: the only time that counts.
    pub stored_at: Timestamp,
    /// The input, or why it cannot be read. An input that does not belong to its subject cannot be read.
    pub input: Result<BookInput, String>,
}

/// Outcome of an input.
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
    pub(crate) open: OpenOrders,
    pub(crate) last_price: Option<Ticks>,
    pub(crate) market_time: Timestamp,
    pub(crate) cursor: Seq,
    /// By which the last input was applied.
    pub(crate) rules: Rules,
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
            open: OpenOrders::default(),
            last_price: None,
            market_time: Timestamp::from_unix_ms(0),
            cursor: Seq::ZERO,
            rules: Rules::default(),
            events: Vec::new(),
        }
    }

    /// Applies the next input by today's rules. Market time moves to when the input was stored, unless it is there
    /// already; orders that are due by then expire, as many as one input may end; then the input does what it says. An
    /// order that is due and has not ended yet never trades: an input that it stands in the way of ends it, as does one
    /// that asks for something about it.
    ///
    /// An input that cannot be read changes nothing but the cursor: no time passes and nothing expires, so that a
    /// version that can read it does not differ from the commit that says `parked`.
    ///
    /// # Errors
    /// When the cursor has passed the input; nothing has changed.
    pub fn apply(&mut self, recorded: &Recorded) -> Result<Applied, AlreadyApplied> {
        self.apply_by(Rules::TODAY, recorded)
    }

    /// Applies the next input by the rules of a commit that covers it.
    pub(crate) fn apply_by(&mut self, rules: Rules, recorded: &Recorded) -> Result<Applied, AlreadyApplied> {
        let seq = recorded.seq;
        if seq <= self.cursor {
            return Err(AlreadyApplied { seq, cursor: self.cursor });
        }
        (self.cursor, self.rules) = (seq, rules);
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

    /// The latest recorded time of the inputs so far, but for stamps that do not count; the Unix epoch before the first.
    #[must_use]
    pub const fn market_time(&self) -> Timestamp {
        self.market_time
    }

    /// The definition in force.
    #[must_use]
    pub fn definition(&self) -> Option<&Definition> {
        self.market.as_deref().map(|market| &market.definition)
    }

    /// Time at which the next order expires.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.book.next_expiry()
    }

    /// Orders are due that the inputs so far could not end: the next ones do, whatever they ask for.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.next_expiry().is_some_and(|expiry| expiry <= self.market_time)
    }

    /// Orders that rest.
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
            self.market.as_ref().map_or(0, |market| market.hash(self.rules)),
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
        self.market_time = match self.rules {
            Rules::V1 => self.market_time.max(stored_at),
            Rules::V2 => time::behind(self.market_time, stored_at, input),
        };
        let mut told = Told::new(seq);
        self.expire(input, &mut told);
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

    fn expire(&mut self, input: &BookInput, told: &mut Told) {
        if !self.is_late() {
            return;
        }
        let Some(market) = self.market.clone() else { return };
        let at_most = match self.rules {
            Rules::V1 => u32::MAX,
            Rules::V2 => {
                if let Some(order_id) = input.order_id() {
                    self.book.expire_order(order_id, self.market_time, &mut self.events);
                }
                market.definition.expiries_per_input()
            }
        };
        self.book.expire(self.market_time, at_most, &mut self.events);
        self.tell(&market, told);
    }

    /// Limits of this input.
    pub(crate) fn taking(&self, market: &Market) -> Taking {
        Taking { max_makers: market.definition.max_makers, now: self.market_time }
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
pub(crate) fn queues(book: &Book) -> impl Iterator<Item = Resting> {
    let of_side = move |&side| book.levels(side).flat_map(move |(price, _)| book.queue(side, price));
    Side::ALL.iter().flat_map(of_side)
}

/// An outcome without changes.
fn outcome(seq: Seq, at: Timestamp, result: InputResult) -> Outcome {
    let (changes, levels) = (Vec::new(), Levels::default());
    Outcome { seq, at, result, continued: false, goes_on: false, changes, levels }
}
