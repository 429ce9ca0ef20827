//! Matching: what an order trades with, and what becomes of the rest of it.
//!
//! ```text
//!  place ─▶ refused?  ─▶ fill or kill: ─▶ sweep: best level, oldest order,  ─▶ filled
//!           (nothing      foresee the      again and again: trade, or        ├▶ rests
//!            happens)     sweep first      self-trade prevention             └▶ cancelled
//! ```

use fillstream_domain::Timestamp;
use fillstream_domain::book::{CancelReason, Lots, Side, Ticks};

use crate::index::Key;
use crate::ladder::is_better;
use crate::slab::{Order, Slot};
use crate::taker::{Meeting, Rest, Stop, Taker};
use crate::{Book, Event, NewOrder, Refused, Resting, Taking};

impl Book {
    /// Takes a new order: its trades, best price first and oldest order first, then what became of the rest of it
    /// (no event when all of it has traded).
    ///
    /// It meets at most `max_makers` orders, trading with them, cancelling them as its self-trade prevention asks, or
    /// ending them because their time is over; instead of meeting the next one its rest is cancelled. A fill-or-kill order that cannot trade as a whole under
    /// these rules is cancelled as a whole, without a trade, and leaves the makers alone.
    ///
    /// # Errors
    /// `DuplicateOrder`, `ZeroQuantity`, `WouldTake`, `LevelFull`.
    pub fn place(
        &mut self,
        order: &NewOrder,
        taking: Taking,
        events: &mut Vec<Event>,
    ) -> Result<(), Refused> {
        let key = Key::of(order.order_id);
        if self.index.find(key, order.order_id, &self.slab).is_some() {
            return Err(Refused::DuplicateOrder);
        }
        if order.quantity == Lots::ZERO {
            return Err(Refused::ZeroQuantity);
        }
        match Rest::of(order.pricing) {
            Rest::InBook { price, post_only, expires_at } if !self.reaches(order.side, price) => {
                let on_level = self.ladder.get(price).lots;
                on_level.plus(order.quantity).ok_or(Refused::LevelFull)?;
                let taker = Taker::of(order);
                self.rest(key, Order { post_only, ..resting(&taker, price) }, expires_at, events);
            }
            Rest::InBook { post_only: true, .. } if self.meets_alive(&Taker::of(order), taking) => {
                return Err(Refused::WouldTake);
            }
            rest @ (Rest::InBook { .. } | Rest::Cancel(_)) => {
                self.take(Taker::of(order), rest, taking, events);
            }
        }
        Ok(())
    }

    /// True when an order of this side and limit would meet another one at once.
    pub(crate) fn reaches(&self, side: Side, limit: Ticks) -> bool {
        self.ladder.best(side.opposite()).is_some_and(|best| !is_better(side, best, limit))
    }

    /// True when a taker, which reaches the best price of the other side, would meet an order whose time is not over before
    /// it has met as many as it may.
    #[inline(never)]
    pub(crate) fn meets_alive(&self, taker: &Taker, taking: Taking) -> bool {
        let in_the_way = (0..).zip(self.in_the_way_of(taker));
        let mut may_meet = in_the_way.take_while(|(met, _)| *met <= taking.max_makers);
        may_meet.any(|(_, slot)| !self.is_due(slot, taking.now))
    }

    /// The orders of the other side that the taker reaches, in the order in which it meets them.
    fn in_the_way_of(&self, taker: &Taker) -> impl Iterator<Item = Slot> + '_ {
        let taker = *taker;
        let reached = self.prices(taker.side.opposite()).take_while(move |&price| taker.reaches(price));
        reached.flat_map(|price| self.slots_from(self.ladder.get(price).head))
    }

    /// Matches an order that is not refused, and does what is to be done with the rest of it. Never inlined: most orders
    /// only rest, and their way is shorter without it.
    #[inline(never)]
    pub(crate) fn take(&mut self, mut taker: Taker, rest: Rest, taking: Taking, events: &mut Vec<Event>) {
        let stop = match rest {
            Rest::Cancel(CancelReason::FillOrKill) => match self.foresee(&taker, taking) {
                Stop::Filled => self.sweep(&mut taker, taking, events),
                Stop::OwnOrder => Stop::NoMore,
                stop @ (Stop::NoMore | Stop::MaxMakers) => stop,
            },
            Rest::Cancel(_) | Rest::InBook { .. } => self.sweep(&mut taker, taking, events),
        };
        let reason = match stop {
            Stop::Filled => return,
            Stop::OwnOrder => CancelReason::SelfTrade,
            Stop::MaxMakers => CancelReason::MaxMakers,
            Stop::NoMore => match rest {
                Rest::Cancel(reason) => reason,
                Rest::InBook { price, post_only, expires_at } => {
                    let order = Order { post_only, ..resting(&taker, price) };
                    return self.rest(Key::of(taker.id), order, expires_at, events);
                }
            },
        };
        events.push(taker.cancelled(reason));
    }

    /// Puts what is left of a taker behind all others of its price.
    #[inline(always)]
    fn rest(&mut self, key: Key, order: Order, expires_at: Option<Timestamp>, events: &mut Vec<Event>) {
        let (priority, expires) = (self.take_priority(), expires_at.is_some());
        let order = Order { priority, expires, ..order };
        events.push(Event::Rested { order: order.view() });
        self.insert(key, order, expires_at);
    }

    /// Forecast of a sweep's end. It is one rule with [`Self::sweep`], without the changes.
    fn foresee(&self, taker: &Taker, taking: Taking) -> Stop {
        let mut left = taker.left();
        for (met, slot) in (0..).zip(self.in_the_way_of(taker)) {
            let maker = self.slab.get(slot);
            if met == taking.max_makers {
                return Stop::MaxMakers;
            }
            if self.is_due(slot, taking.now) {
                continue;
            }
            match taker.meets(maker.user) {
                Meeting::CancelMaker => {}
                Meeting::CancelTaker | Meeting::CancelBoth => return Stop::OwnOrder,
                Meeting::Trade if maker.left() >= left => return Stop::Filled,
                Meeting::Trade => left = left.minus(maker.left()).expect("just compared"),
            }
        }
        Stop::NoMore
    }

    fn sweep(&mut self, taker: &mut Taker, taking: Taking, events: &mut Vec<Event>) -> Stop {
        for met in 0.. {
            if taker.left() == Lots::ZERO {
                return Stop::Filled;
            }
            let Some(slot) = self.next_maker(taker) else { return Stop::NoMore };
            if met == taking.max_makers {
                return Stop::MaxMakers;
            }
            if self.is_due(slot, taking.now) {
                self.cancel_slot(slot, CancelReason::Expired, events);
                continue;
            }
            match taker.meets(self.slab.get(slot).user) {
                Meeting::Trade => self.trade(taker, slot, events),
                Meeting::CancelMaker => self.cancel_slot(slot, CancelReason::SelfTrade, events),
                Meeting::CancelTaker => return Stop::OwnOrder,
                Meeting::CancelBoth => {
                    self.cancel_slot(slot, CancelReason::SelfTrade, events);
                    return Stop::OwnOrder;
                }
            }
        }
        unreachable!("max_makers, a u32, is met before a u32 ends")
    }

    /// The oldest order of the best level, if the taker reaches it.
    fn next_maker(&self, taker: &Taker) -> Option<Slot> {
        let price = self.ladder.best(taker.side.opposite())?;
        taker.reaches(price).then(|| self.ladder.get(price).head)
    }

    fn trade(&mut self, taker: &mut Taker, slot: Slot, events: &mut Vec<Event>) {
        let maker = self.slab.get(slot);
        let left = maker.left();
        let quantity = taker.left().min(left);
        let filled = |before: Lots| before.plus(quantity).expect("at most the order's quantity");
        taker.filled = filled(taker.filled);
        let after = Resting { filled: filled(maker.filled), ..maker.view() };
        events.push(Event::Trade {
            maker: after,
            taker: taker.id,
            taker_filled: taker.filled,
            price: maker.price,
            quantity,
        });
        if quantity == left {
            self.remove(self.index.entry_of(slot, &self.slab));
        } else {
            self.resize(slot, after.quantity, after.filled);
        }
    }
}

/// A taker as it comes to rest, with what it does not know of itself left open.
const fn resting(taker: &Taker, price: Ticks) -> Order {
    Order {
        id: taker.id,
        user: taker.user,
        quantity: taker.quantity,
        filled: taker.filled,
        priority: 0,
        price,
        side: taker.side,
        self_trade_prevention: taker.self_trade_prevention,
        post_only: false,
        expires: false,
    }
}
