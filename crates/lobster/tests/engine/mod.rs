//! The engine in memory as a venue.

use std::collections::BTreeSet;
use std::convert::Infallible;

use fillstream_domain::book::{Life, Lots, Pricing, SelfTradePrevention, Side, Symbol, Ticks};
use fillstream_domain::{OrderId, UserId};
use fillstream_lobster::{Action, Answer, Execution, Plan, Venue};
use fillstream_order_book::{Amend, Book, Event, NewOrder, Refused, Taking};
use uuid::Uuid;

/// A book whose tick is a ten-thousandth of a dollar and whose lot is a share.
pub(crate) struct Engine {
    book: Book,
    symbol: Symbol,
}

impl Engine {
    pub(crate) fn new(symbol: &Symbol) -> Self {
        Self { book: Book::new(), symbol: symbol.clone() }
    }

    fn ask(&mut self, action: &Action, events: &mut Vec<Event>) -> Result<(), Refused> {
        let (order_id, user_id) = (action.order().id(&self.symbol), UserId::new(Uuid::nil()));
        let self_trade_prevention = SelfTradePrevention::None;
        let mut place = |side, price, quantity, life| {
            let pricing = Pricing::Limit { price, life };
            let order = NewOrder { order_id, user_id, side, quantity, pricing, self_trade_prevention };
            self.book.place(&order, Taking::UNBOUNDED, events)
        };
        match *action {
            Action::Place { side, price, quantity, .. } => place(side, price, quantity, Life::Gtc),
            Action::Take { side, price, quantity, .. } => place(side, price, quantity, Life::Ioc),
            Action::Less { quantity, .. } => {
                let amend = Amend { order_id, user_id, quantity: Some(quantity), price: None };
                self.book.amend(&amend, Taking::UNBOUNDED, events).map(drop)
            }
            Action::Cancel { .. } => self.book.cancel(order_id, user_id, events),
        }
    }
}

impl Venue for Engine {
    type Error = Infallible;

    fn act(&mut self, action: &Action) -> Result<Answer, Infallible> {
        let mut events = Vec::new();
        let refused = self.ask(action, &mut events).err().map(|refused| refused.to_string());
        let (mut executions, mut touched) = (Vec::new(), BTreeSet::new());
        for event in events {
            match event {
                Event::Trade { maker, price, quantity, .. } => {
                    executions.push(Execution { maker: maker.order_id, price, quantity });
                    touched.insert((maker.side, price));
                }
                Event::Cancelled { order, .. } => {
                    touched.extend(order.price.map(|price| (order.side, price)));
                }
                Event::Rested { order } => {
                    touched.insert((order.side, order.price));
                }
                Event::Amended { before, after, .. } => {
                    touched.extend([before, after].map(|order| (order.side, order.price)));
                }
            }
        }
        let level = |(side, price): (Side, Ticks)| -> (Side, Ticks, Lots) {
            (side, price, self.book.level(side, price))
        };
        Ok(Answer { refused, executions, levels: touched.into_iter().map(level).collect() })
    }
}

/// All trades of a plan: order, price, quantity; what one order gives in a row is one. With `merged`, the executions of
/// one instant and side that follow each other are one aggressive order, as it must have been at the exchange.
pub(crate) fn trades(plan: &Plan, merged: bool) -> Vec<(OrderId, u32, u64)> {
    let (mut engine, mut trades) = (Engine::new(&plan.symbol), Vec::<(OrderId, u32, u64)>::new());
    let mut waiting: Option<(u64, Action)> = None;
    for row in &plan.rows {
        let joined = match (waiting, row.event) {
            (Some((time, one)), Some(next)) if time == row.message.time && row.before.is_empty() => {
                join(one, next)
            }
            _ => None,
        };
        if joined.is_none() {
            flush(&mut engine, waiting.take(), &mut trades);
        }
        row.before.iter().for_each(|action| flush(&mut engine, Some((0, *action)), &mut trades));
        waiting = joined.or(row.event).map(|event| (row.message.time, event));
        if !merged || !row.after.is_empty() {
            flush(&mut engine, waiting.take(), &mut trades);
        }
        row.after.iter().for_each(|action| flush(&mut engine, Some((0, *action)), &mut trades));
    }
    flush(&mut engine, waiting, &mut trades);
    trades
}

/// One aggressive order out of two that go on in the same direction.
fn join(one: Action, next: Action) -> Option<Action> {
    match (one, next) {
        (
            Action::Take { order, side, price, quantity },
            Action::Take { side: next_side, price: next_price, quantity: more, .. },
        ) if side == next_side => {
            let price = if side == Side::Buy { price.max(next_price) } else { price.min(next_price) };
            Some(Action::Take { order, side, price, quantity: quantity.plus(more)? })
        }
        _ => None,
    }
}

fn flush(engine: &mut Engine, action: Option<(u64, Action)>, trades: &mut Vec<(OrderId, u32, u64)>) {
    let Some((_, action)) = action else { return };
    for Execution { maker, price, quantity } in engine.act(&action).unwrap().executions {
        match trades.last_mut().filter(|last| (last.0, last.1) == (maker, price.get())) {
            Some(last) => last.2 += quantity.get(),
            None => trades.push((maker, price.get(), quantity.get())),
        }
    }
}
