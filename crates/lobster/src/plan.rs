//! From rows to what is asked of a matcher.
//!
//! ```text
//!  messages ─┐            ┌ before   orders that no row submits, when their turn has come
//!            ├─▶ plan ────┤ event    the row itself: Place | Less | Cancel | Take | nothing
//!  books ────┘  per row   │ checks   what must rest now, by the published book
//!                         └ after    what the published book shows and no row has told
//! ```
//! The whole plan follows from the files; nothing in it depends on what a matcher answers.
//!
//! **Aggressive orders.** One per execution row, at its price and for its size, also where consecutive rows of one instant
//! are plainly one order that swept on: the exchange publishes its book after each row, so each row must be a step. The
//! trades are the same either way; a test merges them and compares.
//!
//! **Orders that no row submits.** They are worth what rows still take from them, and their numbers, which the exchange
//! gives in the order of arrival, tell their turn: those below the first submitted number rested before the
//! first row and are placed there; a higher number came later, while its price lay outside of the sample, and is placed
//! before the first row that submits a higher one. With books, they are placed where their level comes into view instead,
//! as a part of what it shows (see `seeding`).

use std::collections::BTreeMap;

use fillstream_domain::book::{Lots, Side, Symbol};

use crate::history::{Lives, lives};
use crate::ledger::Ledger;
use crate::message::{Kind, Message, Named};
use crate::published::Published;
use crate::row::RowError;
use crate::seeding::Seeding;
use crate::{Action, Check, Key};

/// What to ask for one row of the message file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedRow {
    /// The row.
    pub message: Message,
    /// Asked first.
    pub before: Vec<Action>,
    /// The event itself; nothing for what is invisible.
    pub event: Option<Action>,
    /// Judged after the event.
    pub checks: Vec<Check>,
    /// Asked last.
    pub after: Vec<Action>,
}

/// What to ask, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The market, which the orders' ids are derived from.
    pub symbol: Symbol,
    /// Row 1 is at 0.
    pub rows: Vec<PlannedRow>,
    /// Each row has its published book.
    pub with_books: bool,
}

impl Plan {
    /// Plans a message file, with its book file when there is one.
    ///
    /// # Errors
    /// The first row that contradicts the ones before it, or that has no book, or no message.
    pub fn new(symbol: Symbol, messages: &[Message], books: Option<&[Published]>) -> Result<Self, RowError> {
        if let Some(books) = books.filter(|books| books.len() != messages.len()) {
            let row = books.len().min(messages.len()) + 1;
            return Err(RowError::new(row, "book", "must be there for each message, and for no other"));
        }
        let (mut planner, mut seeding) = (Planner::new(messages, books.is_some())?, books.map(Seeding::new));
        let planned =
            messages.iter().zip(1..).map(|(message, row)| planner.plan(row, *message, seeding.as_mut()));
        let rows = planned.collect();
        Ok(Self { symbol, rows, with_books: books.is_some() })
    }

    /// All that is asked, in order.
    pub fn actions(&self) -> impl Iterator<Item = &Action> + '_ {
        self.rows.iter().flat_map(|row| row.before.iter().chain(&row.event).chain(&row.after))
    }
}

pub(crate) struct Planner {
    pub(crate) lives: Lives,
    /// Orders that no row submits and whose turn has not come, by number.
    pub(crate) waiting: BTreeMap<u64, Lots>,
    pub(crate) ledger: Ledger,
    with_books: bool,
    /// The number that the first submitting row gives; what is below it is older than the file.
    opening: u64,
}

impl Planner {
    fn new(messages: &[Message], with_books: bool) -> Result<Self, RowError> {
        let lives = lives(messages)?;
        let unseen = lives.iter().filter(|(_, life)| !life.submitted);
        let waiting = unseen.map(|(number, life)| (*number, life.to_come)).collect();
        let mut numbers = messages.iter().filter_map(|message| match message.kind {
            Kind::Submitted(named) => Some(named.order),
            Kind::Reduced(_)
            | Kind::Deleted(_)
            | Kind::Executed(_)
            | Kind::Hidden
            | Kind::Cross
            | Kind::Halt => None,
        });
        let opening = numbers.next().unwrap_or(u64::MAX);
        Ok(Self { lives, waiting, ledger: Ledger::default(), with_books, opening })
    }

    fn plan(&mut self, row: usize, message: Message, seeding: Option<&mut Seeding<'_>>) -> PlannedRow {
        let Message { kind, .. } = message;
        let mut before = self.due(row, &kind);
        let Some(seeding) = seeding else {
            let event = self.event(row, kind);
            return PlannedRow { message, before, event, checks: Vec::new(), after: Vec::new() };
        };
        if row == 1 {
            before.extend(seeding.seed(&kind, self));
        }
        let event = self.event(row, kind);
        if let Some(named) = kind.named() {
            seeding.name((named.side, named.price));
        }
        let (checks, after) = seeding.look(row, self);
        PlannedRow { message, before, event, checks, after }
    }

    /// Places the orders whose turn comes before this row.
    fn due(&mut self, row: usize, kind: &Kind) -> Vec<Action> {
        let mut due: Vec<u64> = Vec::new();
        if !self.with_books {
            let submits = match kind {
                Kind::Submitted(named) => named.order,
                Kind::Reduced(_)
                | Kind::Deleted(_)
                | Kind::Executed(_)
                | Kind::Hidden
                | Kind::Cross
                | Kind::Halt => 0,
            };
            let below = if row == 1 { self.opening } else { submits };
            due.extend(self.waiting.range(..below).map(|(number, _)| *number));
        }
        // Whatever is named now has been there.
        due.extend(kind.named().map(|named| named.order).filter(|number| self.waiting.contains_key(number)));
        due.into_iter().filter_map(|number| self.place_waiting(number)).collect()
    }

    /// Places an order that no row submits.
    pub(crate) fn place_waiting(&mut self, number: u64) -> Option<Action> {
        let quantity = self.waiting.remove(&number)?;
        let life = self.lives.get(&number)?;
        let (side, price) = (life.side, life.price);
        Some(self.asked(Action::Place { order: Key::Numbered(number), side, price, quantity }))
    }

    /// Takes down what is asked.
    pub(crate) fn asked(&mut self, action: Action) -> Action {
        self.ledger.apply(&action);
        action
    }

    fn event(&mut self, row: usize, kind: Kind) -> Option<Action> {
        let Named { order: number, side, price, quantity } = kind.named()?;
        let order = Key::Numbered(number);
        let action = match kind {
            Kind::Submitted(_) => return Some(self.asked(Action::Place { order, side, price, quantity })),
            Kind::Reduced(_) => self.less(order, quantity),
            Kind::Deleted(_) => Action::Cancel { order },
            Kind::Executed(_) => {
                let (order, side) = (Key::Aggressor(row), side.opposite());
                Action::Take { order, side, price, quantity }
            }
            Kind::Hidden | Kind::Cross | Kind::Halt => return None,
        };
        let life = self.lives.get_mut(&number)?;
        life.to_come = life.to_come.minus(quantity).unwrap_or(Lots::ZERO);
        if let Kind::Executed(_) = kind {
            self.ledger.fill(order, quantity);
        }
        Some(self.asked(action))
    }

    /// Takes so much of an order back.
    pub(crate) fn less(&self, order: Key, by: Lots) -> Action {
        let held = self.ledger.order(order);
        let total = held.and_then(|held| held.quantity.minus(by).filter(|total| *total > held.filled));
        total.map_or(Action::Cancel { order }, |quantity| Action::Less { order, quantity })
    }
}

/// Both sides of a book.
pub(crate) const SIDES: [Side; 2] = [Side::Sell, Side::Buy];
