//! Invariants that hold for the outcomes by themselves, whatever machine they came from.
//!
//! ```text
//!  Outcome ──▶ orders that are alive ──▶ nothing follows an end, a trade fills both sides alike and within limits,
//!         │                             fees grow by what the trade says
//!         └──▶ what rests by price ────▶ is what the levels say, and never crosses
//! ```
//! [`follow`](crate::follow) shows that a commit is what the machine makes of its inputs; this shows that it may be.

use std::collections::{BTreeMap, HashMap};

use fillstream_domain::{
    Amount, OrderId,
    book::{Change, Levels, OrderState, Outcome, Side, Trade},
};
use rust_decimal::Decimal;

use crate::{Difference, Machine};

/// Knowledge of a reader who has nothing but the outcomes. Holds the orders that are alive.
#[derive(Debug, Default)]
pub struct Audit {
    orders: HashMap<OrderId, OrderState>,
    bids: BTreeMap<Amount, Decimal>,
    asks: BTreeMap<Amount, Decimal>,
    /// Levels that the outcome has touched, with what rested there before it.
    touched: BTreeMap<(Side, Amount), Decimal>,
}

type Judged = Result<(), String>;

impl Audit {
    /// Of a market that nothing was asked of yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on behind the machine's last input.
    #[must_use]
    pub fn behind(machine: &Machine) -> Self {
        let mut audit = Self::new();
        machine.resting().for_each(|order| audit.put(order));
        audit.touched.clear();
        audit
    }

    /// Takes the next outcome, a whole one.
    ///
    /// # Errors
    /// The first invariant that it breaks. The audit is worth nothing more then.
    pub fn read(&mut self, outcome: &Outcome) -> Result<(), Difference> {
        self.judge(outcome).map_err(|what| Difference { seq: outcome.seq, what })
    }

    /// The orders that are alive.
    pub fn alive(&self) -> impl Iterator<Item = &OrderState> {
        self.orders.values()
    }

    fn judge(&mut self, outcome: &Outcome) -> Judged {
        outcome.changes.iter().try_for_each(|change| self.change(change))?;
        let levels = self.changed_levels();
        if levels != outcome.levels {
            return Err(format!("levels are {:?}, and the orders make {levels:?}", outcome.levels));
        }
        match self.bids.last_key_value().zip(self.asks.first_key_value()) {
            Some(((bid, _), (ask, _))) if bid >= ask => Err(format!("the book is crossed: {bid} and {ask}")),
            Some(_) | None => Ok(()),
        }
    }

    fn change(&mut self, change: &Change) -> Judged {
        match change {
            Change::Created(order) => {
                let fresh =
                    !self.orders.contains_key(&order.order_id) && order.filled_quantity.decimal().is_zero();
                self.put(order.clone());
                hold(fresh, || format!("{} is created while it is alive", order.order_id))
            }
            Change::Rejected(order) => {
                let unknown = !self.orders.contains_key(&order.order_id);
                hold(unknown, || format!("{} is rejected while it is alive", order.order_id))
            }
            Change::Trade(trade) => self.trade(trade),
            Change::Cancelled { order, reason: _ } => {
                let before = self.take(order.order_id)?;
                hold(before == *order, || {
                    format!("{} is not what it was when it is cancelled", order.order_id)
                })
            }
            Change::Amended(order) => {
                let before = self.take(order.order_id)?;
                let traded = |order: &OrderState| (order.filled_quantity, order.filled_quote, order.fee);
                self.put(order.clone());
                hold(traded(&before) == traded(order), || format!("an amend of {} trades", order.order_id))
            }
        }
    }

    fn trade(&mut self, trade: &Trade) -> Judged {
        let quote = trade.price.decimal() * trade.quantity.decimal();
        let taken =
            hold(trade.maker.price == Some(trade.price), || "a trade is not at the maker's price".to_owned());
        let sides = hold(trade.maker.side != trade.taker.side, || "a trade has one side".to_owned());
        taken.and(sides)?;
        for (after, fee) in [(&trade.maker, trade.maker_fee), (&trade.taker, trade.taker_fee)] {
            let before = self.take(after.order_id)?;
            let grown = |value: fn(&OrderState) -> Amount| value(after).decimal() - value(&before).decimal();
            let exact = grown(|order| order.filled_quantity) == trade.quantity.decimal()
                && grown(|order| order.filled_quote) == quote
                && grown(|order| order.fee) == fee.decimal();
            hold(exact, || format!("{} does not grow by its trade {}", after.order_id, trade.trade_id))?;
            let within = after.price.is_none_or(|limit| match after.side {
                Side::Buy => trade.price <= limit,
                Side::Sell => trade.price >= limit,
            });
            hold(within, || format!("{} trades through its limit", after.order_id))?;
            hold(after.filled_quantity <= after.quantity, || format!("{} trades too much", after.order_id))?;
            self.put(after.clone());
        }
        Ok(())
    }

    /// The order lives on, unless it is filled.
    fn put(&mut self, order: OrderState) {
        if !order.is_filled() {
            self.rest(&order, left(&order));
            self.orders.insert(order.order_id, order);
        }
    }

    fn take(&mut self, order_id: OrderId) -> Result<OrderState, String> {
        let order = self.orders.remove(&order_id);
        let order = order.ok_or_else(|| format!("{order_id} is not alive, and something happens to it"))?;
        self.rest(&order, -left(&order));
        Ok(order)
    }

    /// A taker counts as resting until it has ended: only what an outcome leaves is looked at.
    fn rest(&mut self, order: &OrderState, more: Decimal) {
        let Some(price) = order.price else { return };
        let side = match order.side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        let before = side.remove(&price).unwrap_or_default();
        self.touched.entry((order.side, price)).or_insert(before);
        if before + more != Decimal::ZERO {
            side.insert(price, before + more);
        }
    }

    /// The levels that are not what they were, best first.
    fn changed_levels(&mut self) -> Levels {
        let mut levels = Levels::default();
        for ((side, price), before) in std::mem::take(&mut self.touched) {
            let (now, told) = match side {
                Side::Buy => (&self.bids, &mut levels.bids),
                Side::Sell => (&self.asks, &mut levels.asks),
            };
            let now = now.get(&price).copied().unwrap_or_default();
            if let Some(now) = Amount::new(now).filter(|now| now.decimal() != before) {
                told.push((price, now));
            }
        }
        levels.bids.reverse();
        levels
    }
}

fn left(order: &OrderState) -> Decimal {
    order.quantity.decimal() - order.filled_quantity.decimal()
}

fn hold(holds: bool, what: impl FnOnce() -> String) -> Judged {
    if holds { Ok(()) } else { Err(what()) }
}
