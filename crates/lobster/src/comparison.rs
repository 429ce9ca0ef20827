//! The matcher's book held against the exchange's, after each row.

use std::collections::BTreeMap;
use std::fmt;

use fillstream_domain::book::{Lots, Side, Ticks};

use crate::Answer;
use crate::ledger::{Ledger, Level};

/// A level to be judged after a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// Bids or asks.
    pub side: Side,
    /// The level's price.
    pub price: Ticks,
    /// What the exchange's book shows there.
    pub published: Lots,
    /// What the rows so far give, and earlier books.
    pub planned: Lots,
    /// Whether it is to be compared.
    pub standing: Standing,
    /// It is seen for the first time.
    pub fresh: bool,
    /// The first of the rows just before this one after which the level lay behind the last one shown.
    pub unseen_since: Option<usize>,
}

/// How a level is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Seeded from the first book, or named by a message: compared.
    Known,
    /// It rolled in from behind the last level, unseen, and no message has named it since.
    Adopted,
}

/// A compared level at which another quantity rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// The row, from 1.
    pub row: usize,
    /// Bids or asks.
    pub side: Side,
    /// The level's price.
    pub price: Ticks,
    /// What the exchange's book shows there.
    pub published: Lots,
    /// What rests here.
    pub here: Lots,
    /// Why.
    pub cause: Cause,
}

/// Why a level differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// From `since` until the row before, the level lay behind the last one shown: the message file leaves out what
    /// happened there.
    Unseen {
        /// A row, from 1.
        since: usize,
    },
    /// The rows give what the book shows, and the executions here give what rests here: they have hit other orders.
    Execution,
    /// Neither can be shown.
    Unexplained,
}

/// How far the matcher's book is the exchange's, over all rows behind the first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// Rows.
    pub rows: u64,
    /// Levels that were seeded or named, row by row.
    pub compared: u64,
    /// Those of them with the same price and quantity.
    pub equal: u64,
    /// Levels that rolled in unseen, row by row.
    pub adopted: u64,
    /// Those of them that were seen for the first time.
    pub rolled_in: u64,
    /// The other adopted ones that were again what was adopted.
    pub adopted_equal: u64,
    /// Compared levels that are not equal.
    pub differences: Vec<Difference>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unseen { since } => {
                write!(
                    f,
                    "behind the last level from row {since} on: the file leaves out what happened there"
                )
            }
            Self::Execution => f.write_str("executions have hit other orders here"),
            Self::Unexplained => f.write_str("NOT EXPLAINED"),
        }
    }
}

/// The matcher's levels as its answers tell them.
#[derive(Debug, Default)]
pub(crate) struct LevelsHere(BTreeMap<Level, Lots>);

impl LevelsHere {
    pub(crate) fn apply(&mut self, answer: &Answer) {
        for (side, price, quantity) in &answer.levels {
            if *quantity == Lots::ZERO {
                self.0.remove(&(*side, *price));
            } else {
                self.0.insert((*side, *price), *quantity);
            }
        }
    }

    fn at(&self, level: Level) -> Lots {
        self.0.get(&level).copied().unwrap_or(Lots::ZERO)
    }

    /// Levels here at least as good as the worst one shown which no check names.
    fn strays<'a>(&'a self, checks: &'a [Check]) -> impl Iterator<Item = (Side, Ticks, Lots)> + 'a {
        let worst = |of: Side| {
            let shown = checks.iter().filter(move |check| check.side == of && check.published > Lots::ZERO);
            let prices = shown.map(|check| check.price);
            match of {
                Side::Buy => prices.min(),
                Side::Sell => prices.max(),
            }
        };
        let (bid, ask) = (worst(Side::Buy), worst(Side::Sell));
        let inside = move |side, price| match side {
            Side::Buy => bid.is_none_or(|bid| price >= bid),
            Side::Sell => ask.is_none_or(|ask| price <= ask),
        };
        let named = |side, price| checks.iter().any(|check| (check.side, check.price) == (side, price));
        let levels = self.0.iter().map(|((side, price), quantity)| (*side, *price, *quantity));
        levels.filter(move |(side, price, _)| inside(*side, *price) && !named(*side, *price))
    }
}

impl Comparison {
    /// Judges the levels of a row; `orders` is what the matcher's executions leave of each order.
    pub(crate) fn judge(&mut self, row: usize, checks: &[Check], levels: &LevelsHere, orders: &Ledger) {
        self.rows += u64::from(!checks.is_empty());
        for check in checks {
            let here = levels.at((check.side, check.price));
            match check.standing {
                Standing::Known => self.compare(row, check, here, orders),
                Standing::Adopted => {
                    self.adopted += 1;
                    self.rolled_in += u64::from(check.fresh);
                    self.adopted_equal += u64::from(!check.fresh && here == check.published);
                }
            }
        }
        if !checks.is_empty() {
            for (side, price, here) in levels.strays(checks) {
                let nothing = Lots::ZERO;
                let (planned, standing) = (nothing, Standing::Known);
                let check = Check {
                    side,
                    price,
                    published: nothing,
                    planned,
                    standing,
                    fresh: false,
                    unseen_since: None,
                };
                self.compare(row, &check, here, orders);
            }
        }
    }

    fn compare(&mut self, row: usize, check: &Check, here: Lots, orders: &Ledger) {
        let &Check { side, price, published, planned, .. } = check;
        self.compared += 1;
        if here == published {
            self.equal += 1;
            return;
        }
        let cause = match check.unseen_since {
            _ if planned == published && orders.level((side, price)) == here => Cause::Execution,
            Some(since) if planned == here => Cause::Unseen { since },
            Some(_) | None => Cause::Unexplained,
        };
        self.differences.push(Difference { row, side, price, published, here, cause });
    }
}
