//! The same market the naive way: one Vec of orders per side, in the order in which they took their places, searched
//! from end to end for everything. A fill-or-kill order is tried on a copy.

use fillstream_domain::book::{CancelReason, Life, Lots, Pricing, SelfTradePrevention, Side, Ticks};
use fillstream_domain::{OrderId, Timestamp, UserId};
use fillstream_order_book::{Amend, Amended, Ended, Event, NewOrder, Refused, Resting, Taking};

use crate::engine::{Answer, Engine, Operation, Step};
use crate::standing::Standing;

#[derive(Debug, Clone, Default)]
pub(crate) struct Twin {
    bids: Vec<Held>,
    asks: Vec<Held>,
    /// How many have taken a place so far.
    places: u64,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    is: Resting,
    place: u64,
    prevention: SelfTradePrevention,
    post_only: bool,
    expires_at: Option<Timestamp>,
}

/// An order that looks for others, and what it does when it finds no more.
#[derive(Debug, Clone, Copy)]
struct Seeker {
    is: Ended,
    prevention: SelfTradePrevention,
    then: Then,
}

#[derive(Debug, Clone, Copy)]
enum Then {
    Cancel(CancelReason),
    Stay { post_only: bool, expires_at: Option<Timestamp> },
}

impl Held {
    fn is_due(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

impl Twin {
    fn side(&mut self, side: Side) -> &mut Vec<Held> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    /// Best price first, oldest order first.
    pub(crate) fn standing(&self) -> Standing {
        let sorted = |orders: &[Held], key: fn(&Held) -> i64| {
            let mut orders = orders.to_vec();
            orders.sort_by_key(|order| (key(order), order.place));
            orders.into_iter().map(|order| order.is).collect()
        };
        let price = |order: &Held| i64::from(order.is.price.get());
        [sorted(&self.bids, |order| -i64::from(order.is.price.get())), sorted(&self.asks, price)]
    }

    pub(crate) fn next_expiry(&self) -> Option<Timestamp> {
        self.bids.iter().chain(&self.asks).filter_map(|order| order.expires_at).min()
    }

    fn find(&self, id: OrderId) -> Option<Held> {
        self.bids.iter().chain(&self.asks).find(|order| order.is.order_id == id).copied()
    }

    fn take_out(&mut self, id: OrderId) {
        self.bids.retain(|order| order.is.order_id != id);
        self.asks.retain(|order| order.is.order_id != id);
    }

    fn end(&mut self, order: Resting, reason: CancelReason, events: &mut Vec<Event>) {
        self.take_out(order.order_id);
        events.push(Event::Cancelled { order: order.into(), left: order.left(), reason });
    }

    /// The order of the other side that is served first, when `limit` lets them trade.
    fn partner(&self, side: Side, limit: Option<Ticks>) -> Option<Held> {
        let first = match side {
            Side::Buy => self.asks.iter().min_by_key(|order| (order.is.price, order.place)),
            Side::Sell => self.bids.iter().max_by_key(|order| (order.is.price, u64::MAX - order.place)),
        }?;
        let agreed = match (side, limit) {
            (_, None) => true,
            (Side::Buy, Some(limit)) => first.is.price <= limit,
            (Side::Sell, Some(limit)) => first.is.price >= limit,
        };
        agreed.then_some(*first)
    }

    /// The reasons against an order that means to stay.
    fn judge(&self, seeker: &Seeker, taking: Taking) -> Result<(), Refused> {
        let Then::Stay { post_only, .. } = seeker.then else { return Ok(()) };
        if post_only && self.meets_alive(seeker, taking) {
            return Err(Refused::WouldTake);
        }
        let beside = self.bids.iter().chain(&self.asks).filter(|order| {
            let is = order.is;
            is.side == seeker.is.side
                && Some(is.price) == seeker.is.price
                && is.order_id != seeker.is.order_id
        });
        let sum: u128 = beside.map(|order| u128::from(order.is.left().get())).sum();
        let left = u128::from(seeker.is.quantity.get() - seeker.is.filled.get());
        if sum + left > u128::from(u64::MAX) { Err(Refused::LevelFull) } else { Ok(()) }
    }

    /// Whether a seeker that must not trade would meet an order that is alive, among those that it may meet and the next.
    fn meets_alive(&self, seeker: &Seeker, taking: Taking) -> bool {
        let mut others = self.clone();
        for _ in 0..=taking.max_makers {
            match others.partner(seeker.is.side, seeker.is.price) {
                Some(partner) if partner.is_due(taking.now) => others.take_out(partner.is.order_id),
                Some(_) => return true,
                None => return false,
            }
        }
        false
    }

    fn seek(&mut self, mut seeker: Seeker, taking: Taking, events: &mut Vec<Event>) {
        let mut met = 0;
        while seeker.is.filled < seeker.is.quantity {
            let Some(partner) = self.partner(seeker.is.side, seeker.is.price) else {
                return match seeker.then {
                    Then::Cancel(reason) => give_up(&seeker, reason, events),
                    Then::Stay { post_only, expires_at } => self.stay(&seeker, post_only, expires_at, events),
                };
            };
            if met == taking.max_makers {
                return give_up(&seeker, CancelReason::MaxMakers, events);
            }
            met += 1;
            if partner.is_due(taking.now) {
                self.end(partner.is, CancelReason::Expired, events);
            } else if partner.is.user_id == seeker.is.user_id
                && seeker.prevention != SelfTradePrevention::None
            {
                if seeker.prevention != SelfTradePrevention::CancelNewest {
                    self.end(partner.is, CancelReason::SelfTrade, events);
                }
                if seeker.prevention != SelfTradePrevention::CancelOldest {
                    return give_up(&seeker, CancelReason::SelfTrade, events);
                }
            } else {
                self.trade(&mut seeker, partner.is, events);
            }
        }
    }

    fn trade(&mut self, seeker: &mut Seeker, mut maker: Resting, events: &mut Vec<Event>) {
        let wanted = seeker.is.quantity.get() - seeker.is.filled.get();
        let quantity = wanted.min(maker.quantity.get() - maker.filled.get());
        seeker.is.filled = Lots::new(seeker.is.filled.get() + quantity);
        maker.filled = Lots::new(maker.filled.get() + quantity);
        if maker.filled == maker.quantity {
            self.take_out(maker.order_id);
        } else {
            let held = self.side(maker.side).iter_mut().find(|held| held.is.order_id == maker.order_id);
            held.unwrap().is = maker;
        }
        events.push(Event::Trade {
            maker,
            taker: seeker.is.order_id,
            taker_filled: seeker.is.filled,
            price: maker.price,
            quantity: Lots::new(quantity),
        });
    }

    fn stay(
        &mut self,
        seeker: &Seeker,
        post_only: bool,
        expires_at: Option<Timestamp>,
        events: &mut Vec<Event>,
    ) {
        let Ended { order_id, user_id, side, price, quantity, filled } = seeker.is;
        let is = Resting { order_id, user_id, side, price: price.unwrap(), quantity, filled };
        let held = Held { is, place: self.places, prevention: seeker.prevention, post_only, expires_at };
        self.places += 1;
        self.side(side).push(held);
        events.push(Event::Rested { order: is });
    }

    fn place(&mut self, order: &NewOrder, taking: Taking, events: &mut Vec<Event>) -> Result<(), Refused> {
        if self.find(order.order_id).is_some() {
            return Err(Refused::DuplicateOrder);
        }
        if order.quantity == Lots::ZERO {
            return Err(Refused::ZeroQuantity);
        }
        let (price, then) = terms(order.pricing);
        let NewOrder { order_id, user_id, side, quantity, .. } = *order;
        let is = Ended { order_id, user_id, side, price, quantity, filled: Lots::ZERO };
        let seeker = Seeker { is, prevention: order.self_trade_prevention, then };
        self.judge(&seeker, taking)?;
        if let Then::Cancel(CancelReason::FillOrKill) = then {
            let (mut copy, mut tried) = (self.clone(), Vec::new());
            copy.seek(seeker, taking, &mut tried);
            if let Some(Event::Cancelled { order, reason, .. }) = tried.last()
                && order.order_id == order_id
            {
                let killed = CancelReason::FillOrKill;
                give_up(&seeker, if *reason == CancelReason::MaxMakers { *reason } else { killed }, events);
                return Ok(());
            }
        }
        self.seek(seeker, taking, events);
        Ok(())
    }

    fn amend(&mut self, amend: &Amend, taking: Taking, events: &mut Vec<Event>) -> Result<Amended, Refused> {
        let held = self.find(amend.order_id).ok_or(Refused::UnknownOrEnded)?;
        let before = held.is;
        let after = Resting {
            quantity: amend.quantity.unwrap_or(before.quantity),
            price: amend.price.unwrap_or(before.price),
            ..before
        };
        let refused = [
            (before.user_id != amend.user_id, Refused::NotOwner),
            (after.quantity == Lots::ZERO, Refused::ZeroQuantity),
            (after.quantity < before.filled, Refused::BelowFilled),
        ];
        if let Some((_, why)) = refused.into_iter().find(|(wrong, _)| *wrong) {
            return Err(why);
        }
        if after == before {
            return Ok(Amended::Unchanged);
        }
        if after.quantity == after.filled {
            self.take_out(before.order_id);
            events.push(Event::Amended { before, after, kept_place: false });
            return Ok(Amended::Filled);
        }
        if after.price == before.price && after.quantity < before.quantity {
            let held = self.side(before.side).iter_mut().find(|held| held.is.order_id == before.order_id);
            held.unwrap().is = after;
            events.push(Event::Amended { before, after, kept_place: true });
            return Ok(Amended::KeptPlace);
        }
        let then = Then::Stay { post_only: held.post_only, expires_at: held.expires_at };
        let seeker = Seeker { is: after.into(), prevention: held.prevention, then };
        self.judge(&seeker, taking)?;
        self.take_out(before.order_id);
        events.push(Event::Amended { before, after, kept_place: false });
        self.seek(seeker, taking, events);
        Ok(Amended::Requeued)
    }

    fn cancel(&mut self, id: OrderId, user: UserId, events: &mut Vec<Event>) -> Result<(), Refused> {
        let order = self.find(id).ok_or(Refused::UnknownOrEnded)?.is;
        if order.user_id != user {
            return Err(Refused::NotOwner);
        }
        self.end(order, CancelReason::Requested, events);
        Ok(())
    }

    fn expire(&mut self, taking: Taking, events: &mut Vec<Event>) {
        let mut due: Vec<Held> = self.bids.iter().chain(&self.asks).copied().collect();
        due.retain(|order| order.is_due(taking.now));
        due.sort_by_key(|order| (order.expires_at, order.place));
        for order in due.into_iter().take(taking.max_makers as usize) {
            self.end(order.is, CancelReason::Expired, events);
        }
    }
}

fn give_up(seeker: &Seeker, reason: CancelReason, events: &mut Vec<Event>) {
    let left = seeker.is.quantity.minus(seeker.is.filled).unwrap();
    events.push(Event::Cancelled { order: seeker.is, left, reason });
}

fn terms(pricing: Pricing) -> (Option<Ticks>, Then) {
    match pricing {
        Pricing::Market { fill_or_kill: true } => (None, Then::Cancel(CancelReason::FillOrKill)),
        Pricing::Market { fill_or_kill: false } => (None, Then::Cancel(CancelReason::NoLiquidity)),
        Pricing::PostOnly { price, expires_at } => (Some(price), Then::Stay { post_only: true, expires_at }),
        Pricing::Limit { price, life } => {
            let then = match life {
                Life::Gtc => Then::Stay { post_only: false, expires_at: None },
                Life::Gtd(at) => Then::Stay { post_only: false, expires_at: Some(at) },
                Life::Ioc => Then::Cancel(CancelReason::ImmediateOrCancel),
                Life::Fok => Then::Cancel(CancelReason::FillOrKill),
            };
            (Some(price), then)
        }
    }
}

impl Engine for Twin {
    fn apply(&mut self, step: &Step, events: &mut Vec<Event>) -> Answer {
        match step.operation {
            Operation::Place(order) => self.place(&order, step.taking, events).map(|()| None),
            Operation::Amend(amend) => self.amend(&amend, step.taking, events).map(Some),
            Operation::Cancel(order_id, user_id) => self.cancel(order_id, user_id, events).map(|()| None),
            Operation::Expire => {
                self.expire(step.taking, events);
                Ok(None)
            }
            Operation::ExpireOrder(order_id) => {
                if let Some(order) = self.find(order_id).filter(|order| order.is_due(step.taking.now)) {
                    self.end(order.is, CancelReason::Expired, events);
                }
                Ok(None)
            }
        }
    }
}
