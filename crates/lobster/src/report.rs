//! Results of a replay.

use std::collections::BTreeMap;
use std::fmt;

use fillstream_domain::book::Ticks;

use crate::{Comparison, Key, Missed, Reason};

/// Executions, and books when they were there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Rows of the message file.
    pub rows: u64,
    /// Auctions among them, which ask for nothing.
    pub crosses: u64,
    /// Halts and resumptions among them, which ask for nothing.
    pub halts: u64,
    /// Orders that were placed though no row submits them, without those that a book has shown.
    pub unsubmitted: u64,
    /// What was asked because a published book showed what no row tells.
    pub put_right: u64,
    /// Executions at the exchange, hidden orders included.
    pub executions: u64,
    /// Those that hit the same resting order here, with the same quantity.
    pub same: u64,
    /// The others, by reason.
    pub reasons: BTreeMap<Reason, u64>,
    /// Each of the others, except those of hidden orders.
    pub missed: Vec<Missed>,
    /// Submitted orders that traded at once here, which at the exchange they did not.
    pub crossed: u64,
    /// What the matcher refused.
    pub refusals: Vec<Refusal>,
    /// The published books, when there are any.
    pub comparison: Option<Comparison>,
}

/// An action that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The row, from 1.
    pub row: usize,
    /// The order.
    pub order: Key,
    /// The matcher's words.
    pub why: String,
    /// An earlier row has gone otherwise: another quantity of the order is left here than at the exchange.
    pub follows: bool,
}

/// A price in dollars.
struct Dollars(Ticks);

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, rest) = (self.0.get() / 10_000, self.0.get() % 10_000);
        if rest.is_multiple_of(100) {
            write!(f, "{dollars}.{:02}", rest / 100)
        } else {
            write!(f, "{dollars}.{rest:04}")
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Numbered(number) => write!(f, "order {number}"),
            Self::Anonymous(count) => write!(f, "anonymous order {count}"),
            Self::Aggressor(row) => write!(f, "the aggressor of row {row}"),
        }
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { row, order, hit, reason, since } = self;
        write!(f, "row {row}: the exchange took order {order}, here ")?;
        match hit {
            Some(hit) => write!(f, "{hit} stood before it: {reason}")?,
            None => write!(f, "it was not there: {reason}")?,
        }
        since.map_or(Ok(()), |since| write!(f, " (row {since})"))
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, compared, equal, adopted, rolled_in, adopted_equal, differences } = self;
        writeln!(f, "levels of {rows} books: compared {compared}, equal {equal}, adopted {adopted}")?;
        writeln!(
            f,
            "  adopted: {rolled_in} rolled in unseen, {adopted_equal} stood as adopted in later books"
        )?;
        for found in differences {
            let (row, side, price) = (found.row, found.side, Dollars(found.price));
            let (published, here) = (found.published.get(), found.here.get());
            writeln!(f, "  row {row}: {side} {price} holds {published}, here {here}: {}", found.cause)?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, crosses, halts, executions, same, unsubmitted, put_right, crossed, .. } = self;
        writeln!(f, "{rows} rows, {crosses} auctions and {halts} halts among them")?;
        writeln!(
            f,
            "{unsubmitted} orders placed that no row submits, {put_right} actions after a published book"
        )?;
        writeln!(f, "{executions} executions, {same} hit the same resting order")?;
        for (reason, count) in &self.reasons {
            writeln!(f, "  {count:>6}  {reason}")?;
        }
        let roots = self.missed.iter().filter(|missed| missed.reason != Reason::Follows);
        for missed in roots {
            writeln!(f, "  {missed}")?;
        }
        let follow = self.refusals.iter().filter(|refusal| refusal.follows).count();
        let refused = self.refusals.len();
        writeln!(
            f,
            "{crossed} submitted orders traded at once; {refused} actions refused, {follow} of them because an earlier row has gone otherwise"
        )?;
        self.comparison.as_ref().map_or(Ok(()), |comparison| comparison.fmt(f))
    }
}
