//! Comparison of executions: hits of the order that the exchange's hit, and if not, why it cannot have.
//!
//! ```text
//!  the exchange took X; here Y stood before it
//!    Y is gone at the exchange        follows: an earlier row has gone otherwise
//!    X or Y came without a row        unknown place
//!    Y has the better price           passed over
//!    X has the lower number           X is older than the row that shows it: it kept its place
//!    Y has the lower number           passed over
//! ```
//! Each reason is read off the two ledgers (what rests by the exchange's rows, what rests by the matcher's answers) and
//! the order numbers; a case that none of them proves is `Unexplained`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use fillstream_domain::OrderId;
use fillstream_domain::book::{Lots, Symbol};

use crate::ledger::Ledger;
use crate::message::Named;
use crate::{Action, Answer, Execution, Key};

/// Reasons why an execution did not hit the exchange's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The order was invisible: no row says that it came, nothing could be placed for it.
    Hidden,
    /// The exchange took an order that its number shows to be older than the one ahead of it here, though its row is
    /// later: it came from before the opening, or from outside of the sample, and kept its place.
    Older,
    /// Where one of the two stood in the queue is not in the files: no row submits it.
    UnknownPlace,
    /// The exchange passed over a visible order that was older, or better, and left it in the book. The files hold
    /// nothing about it that price and time could tell.
    PassedOver,
    /// An earlier row has gone otherwise: the order ahead here is gone at the exchange, or the exchange's order has traded
    /// here already.
    Follows,
    /// The matcher traded with an order that is none of the files'.
    Stranger,
    /// None of these can be shown.
    Unexplained,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hidden => "the order was hidden: no row says that it came",
            Self::Older => "the order is older than the row that shows it, and kept its place",
            Self::UnknownPlace => "no row submits one of the two orders: its place is not in the files",
            Self::PassedOver => "the exchange passed over a visible order with priority, and left it there",
            Self::Follows => "an earlier row has gone otherwise",
            Self::Stranger => "the market holds an order that is none of the files'",
            Self::Unexplained => "NOT EXPLAINED",
        })
    }
}

/// An execution of a visible order that hit another one here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed {
    /// The row, from 1.
    pub row: usize,
    /// The exchange's order.
    pub order: u64,
    /// The first other one that was hit here; nothing when nothing else was there.
    pub hit: Option<Key>,
    /// Reason.
    pub reason: Reason,
    /// With [`Reason::Follows`]: the row since which the two books differ about the order.
    pub since: Option<usize>,
}

/// Quantities that rest at the exchange and here.
#[derive(Debug)]
pub(crate) struct Books<'a> {
    symbol: &'a Symbol,
    exchange: Ledger,
    here: Ledger,
    keys: BTreeMap<OrderId, Key>,
    submitted: BTreeSet<Key>,
    /// Orders of which another quantity is left here than at the exchange, and since which row.
    differing: BTreeMap<Key, usize>,
}

impl<'a> Books<'a> {
    pub(crate) const fn new(symbol: &'a Symbol) -> Self {
        Self {
            symbol,
            exchange: Ledger::new(),
            here: Ledger::new(),
            keys: BTreeMap::new(),
            submitted: BTreeSet::new(),
            differing: BTreeMap::new(),
        }
    }

    /// Quantity that rests here, by the matcher's answers.
    pub(crate) const fn here(&self) -> &Ledger {
        &self.here
    }

    /// True when the order has ended here, or has traded more than the exchange's: then a refusal is no wonder.
    pub(crate) fn explains_refusal(&self, order: Key) -> bool {
        self.differing.contains_key(&order)
    }

    /// A row submits this order.
    pub(crate) fn submit(&mut self, order: Key) {
        self.submitted.insert(order);
    }

    /// Judges an execution by what rested before it.
    pub(crate) fn judge(&self, row: usize, named: &Named, executions: &[Execution]) -> Option<Missed> {
        let order = Key::Numbered(named.order);
        let ours = order.id(self.symbol);
        if matches!(executions, [only] if (only.maker, only.quantity) == (ours, named.quantity)) {
            return None;
        }
        let other = executions.iter().find(|execution| execution.maker != ours);
        let hit = other.and_then(|execution| self.keys.get(&execution.maker).copied());
        let was_short = self.here.left(order) < named.quantity;
        let (reason, of) = match hit {
            None if other.is_some() => (Reason::Stranger, order),
            None if was_short => (Reason::Follows, order),
            None => (Reason::Unexplained, order),
            Some(_) if executions.first().is_some_and(|first| first.maker == ours) && was_short => {
                (Reason::Follows, order)
            }
            Some(ahead) => (self.behind(order, ahead), ahead),
        };
        let since = if reason == Reason::Follows { self.differing.get(&of).copied() } else { None };
        Some(Missed { row, order: named.order, hit, reason, since })
    }

    /// Reason why the exchange's order was taken while this one stood before it here.
    fn behind(&self, order: Key, ahead: Key) -> Reason {
        let (Some(taken), Some(other)) = (self.exchange.order(order), self.exchange.order(ahead)) else {
            return Reason::Unexplained;
        };
        let both_submitted = self.submitted.contains(&order) && self.submitted.contains(&ahead);
        match (other.left() == Lots::ZERO, both_submitted, taken.level == other.level) {
            (true, _, _) => Reason::Follows,
            (false, false, _) => Reason::UnknownPlace,
            (false, true, false) => Reason::PassedOver,
            (false, true, true) if order < ahead => Reason::Older,
            (false, true, true) => Reason::PassedOver,
        }
    }

    /// Takes down what was asked in this row, what the exchange made of it, and what was answered.
    pub(crate) fn apply(&mut self, row: usize, action: &Action, executed: Option<&Named>, answer: &Answer) {
        let asked = action.order();
        let mut touched = vec![asked];
        self.exchange.apply(action);
        if let Some(named) = executed {
            self.exchange.fill(Key::Numbered(named.order), named.quantity);
            touched.push(Key::Numbered(named.order));
        }
        if answer.refused.is_none() {
            self.here.apply(action);
            self.keys.insert(asked.id(self.symbol), asked);
        }
        for execution in &answer.executions {
            self.here.fill(asked, execution.quantity);
            if let Some(maker) = self.keys.get(&execution.maker) {
                self.here.fill(*maker, execution.quantity);
                touched.push(*maker);
            }
        }
        for order in touched {
            if self.exchange.left(order) == self.here.left(order) {
                self.differing.remove(&order);
            } else {
                self.differing.entry(order).or_insert(row);
            }
        }
    }
}
