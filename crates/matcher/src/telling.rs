//! The book's events as changes that stand for themselves.
//!
//! ```text
//!  Event (lots, ticks) ──▶ accounts: what the order has traded and pays ──▶ Change with the order after it
//!                     └──▶ levels: what came, what left
//! ```

use fillstream_domain::{
    OrderId, Seq, UserId,
    book::{CancelReason, Change, Lots, OrderState, OrderType, Side, Ticks, Trade, trade_id},
};
use fillstream_order_book::{Ended, Event, Resting};

use crate::{
    Machine,
    accounts::{Account, Role},
    levels::Moved,
    market::Market,
    units::Worth,
};

/// An order at the moment of which is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    pub(crate) order_id: OrderId,
    pub(crate) user_id: UserId,
    pub(crate) side: Side,
    /// None on market orders.
    pub(crate) price: Option<Ticks>,
    pub(crate) quantity: Lots,
    pub(crate) filled: Lots,
}

impl From<Ended> for Order {
    fn from(order: Ended) -> Self {
        let Ended { order_id, user_id, side, price, quantity, filled } = order;
        Self { order_id, user_id, side, price, quantity, filled }
    }
}

impl From<Resting> for Order {
    fn from(order: Resting) -> Self {
        Ended::from(order).into()
    }
}

/// What is told of one input.
#[derive(Debug)]
pub(crate) struct Told {
    seq: Seq,
    trades: u32,
    /// The order of this input that trades with what rests.
    pub(crate) taker: Option<Order>,
    pub(crate) changes: Vec<Change>,
    pub(crate) moved: Moved,
}

impl Told {
    pub(crate) fn new(seq: Seq) -> Self {
        Self { seq, trades: 0, taker: None, changes: Vec::new(), moved: Moved::default() }
    }
}

/// Sums that an order trades in one event.
#[derive(Debug, Clone, Copy)]
struct Traded {
    maker: Order,
    taker_filled: Lots,
    price: Ticks,
    quantity: Lots,
}

impl Machine {
    /// Tells of all events that the book has left in `self.events`.
    pub(crate) fn tell(&mut self, market: &Market, told: &mut Told) {
        let mut events = std::mem::take(&mut self.events);
        for event in events.drain(..) {
            self.tell_event(market, event, told);
        }
        self.events = events;
    }

    fn tell_event(&mut self, market: &Market, event: Event, told: &mut Told) {
        match event {
            Event::Trade { maker, taker: _, taker_filled, price, quantity } => {
                let traded = Traded { maker: maker.into(), taker_filled, price, quantity };
                told.moved.left(maker.side, price, quantity);
                if maker.left() == Lots::ZERO {
                    self.open.ended(maker.user_id);
                }
                self.tell_trade(market, traded, told);
            }
            Event::Cancelled { order, left, reason } => {
                let is_taker = told.taker.is_some_and(|taker| taker.order_id == order.order_id);
                if let Some(price) = order.price.filter(|_| !is_taker) {
                    told.moved.left(order.side, price, left);
                    self.open.ended(order.user_id);
                }
                self.tell_cancelled(market, order.into(), reason, told);
            }
            Event::Rested { order } => {
                told.moved.came(order.side, order.price, order.left());
                self.open.rested(order.user_id);
            }
            Event::Amended { before, after, kept_place } => {
                told.moved.left(before.side, before.price, before.left());
                if kept_place {
                    told.moved.came(after.side, after.price, after.left());
                } else {
                    self.open.ended(before.user_id);
                    told.taker = Some(after.into());
                }
                told.changes.push(Change::Amended(self.state(market, after.into())));
                self.forget_if_filled(after.into());
            }
        }
    }

    fn tell_trade(&mut self, market: &Market, traded: Traded, told: &mut Told) {
        let Traded { maker, taker_filled, price, quantity } = traded;
        let taker = told.taker.as_mut().expect("nothing trades but a placed or a requeued order");
        taker.filled = taker_filled;
        let (taker, worth) = (*taker, Worth::of(price, quantity));
        let (units, rates) = (&market.units, market.rates);
        let maker_fee = self.accounts.trade(maker.order_id, Role::Maker, worth, units, rates);
        let taker_fee = self.accounts.trade(taker.order_id, Role::Taker, worth, units, rates);
        told.changes.push(Change::Trade(Box::new(Trade {
            trade_id: trade_id(self.symbol(), told.seq, told.trades),
            price: market.definition.price(price),
            quantity: market.definition.quantity(quantity),
            maker_fee: units.fee_amount(maker_fee),
            taker_fee: units.fee_amount(taker_fee),
            maker: self.state(market, maker),
            taker: self.state(market, taker),
        })));
        told.trades += 1;
        self.last_price = Some(price);
        self.forget_if_filled(maker);
        self.forget_if_filled(taker);
    }

    fn tell_cancelled(&mut self, market: &Market, order: Order, reason: CancelReason, told: &mut Told) {
        let order_id = order.order_id;
        told.changes.push(Change::Cancelled { order: self.state(market, order), reason });
        self.accounts.end(order_id);
    }

    /// The order as it stands on the wire.
    pub(crate) fn state(&self, market: &Market, order: Order) -> OrderState {
        let account = self.accounts.get(order.order_id).copied();
        let account = account.unwrap_or_else(|| Account::new(market.rates));
        let definition = &market.definition;
        OrderState {
            order_id: order.order_id,
            user_id: order.user_id,
            side: order.side,
            order_type: if order.price.is_some() { OrderType::Limit } else { OrderType::Market },
            price: order.price.map(|price| definition.price(price)),
            quantity: definition.quantity(order.quantity),
            filled_quantity: definition.quantity(order.filled),
            filled_quote: market.units.quote(account.worth()),
            fee: market.units.fee_amount(account.fees(&market.units)),
        }
    }

    fn forget_if_filled(&mut self, order: Order) {
        if order.filled == order.quantity {
            self.accounts.end(order.order_id);
        }
    }
}
