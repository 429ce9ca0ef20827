//! Matching: what an order trades with, and what becomes of the rest of it.
//!
//! ```text
//!  place ─▶ refused?  ─▶ fill or kill: ─▶ sweep: best level, oldest order,  ─▶ filled
//!           (nothing      foresee the      again and again: trade, or        ├▶ rests
//!            happens)     sweep first      self-trade prevention             └▶ cancelled
//! ```

use fillstream_domain::book::{CancelReason, Lots, Ticks};

use crate::slab::{Order, Slot};
use crate::taker::{Meeting, Rest, Stop, Taker};
use crate::{Book, Event, NewOrder, Refused};

impl Book {
    /// Takes a new order: its trades, best price first and oldest order first, then what became of the rest of it
    /// (no event when all of it has traded).
    ///
    /// It meets at most `max_makers` orders, trading with them or cancelling them as its self-trade prevention asks;
    /// instead of meeting the next one its rest is cancelled. A fill-or-kill order that cannot trade as a whole under
    /// these rules is cancelled as a whole, without a trade, and leaves the makers alone.
    ///
    /// # Errors
    /// `DuplicateOrder`, `ZeroQuantity`, `WouldTake`, `LevelFull`.
    pub fn place(
        &mut self,
        order: &NewOrder,
        max_makers: u32,
        events: &mut Vec<Event>,
    ) -> Result<(), Refused> {
        if self.index.find(order.order_id, &self.slab).is_some() {
            return Err(Refused::DuplicateOrder);
        }
        if order.quantity == Lots::ZERO {
            return Err(Refused::ZeroQuantity);
        }
        let (taker, rest) = (Taker::of(order), Rest::of(order.pricing));
        if let Rest::InBook { price, post_only, .. } = rest {
            let on_level = self.level(order.side, price);
            self.refuse_rest(&taker, post_only, on_level)?;
        }
        self.take(taker, rest, max_makers, events);
        Ok(())
    }

    /// Refuses an order that must not take and would, or that its level, with `on_level` of other orders, cannot hold.
    /// A level that the taker would trade through has nothing of its own side, so that the second is exact.
    pub(crate) fn refuse_rest(&self, taker: &Taker, post_only: bool, on_level: Lots) -> Result<(), Refused> {
        let best = self.ladder.best(taker.side.opposite());
        if post_only && best.is_some_and(|best| taker.reaches(best)) {
            return Err(Refused::WouldTake);
        }
        on_level.plus(taker.left()).map(|_| ()).ok_or(Refused::LevelFull)
    }

    /// Matches an order that is not refused.
    pub(crate) fn take(&mut self, mut taker: Taker, rest: Rest, max_makers: u32, events: &mut Vec<Event>) {
        let stop = match rest {
            Rest::Cancel(CancelReason::FillOrKill) => match self.foresee(&taker, max_makers) {
                Stop::Filled => self.sweep(&mut taker, max_makers, events),
                Stop::OwnOrder => Stop::NoMore,
                stop @ (Stop::NoMore | Stop::MaxMakers) => stop,
            },
            Rest::Cancel(_) | Rest::InBook { .. } => self.sweep(&mut taker, max_makers, events),
        };
        let reason = match stop {
            Stop::Filled => return,
            Stop::OwnOrder => CancelReason::SelfTrade,
            Stop::MaxMakers => CancelReason::MaxMakers,
            Stop::NoMore => match rest {
                Rest::Cancel(reason) => reason,
                Rest::InBook { price, post_only, expires_at } => {
                    let priority = self.take_priority();
                    let order = Order {
                        priority,
                        post_only,
                        expires: expires_at.is_some(),
                        ..resting(&taker, price)
                    };
                    events.push(Event::Rested { order: order.view() });
                    return self.insert(order, expires_at);
                }
            },
        };
        events.push(taker.cancelled(reason));
    }

    /// How a sweep would end. It is one rule with [`Self::sweep`], without the changes.
    fn foresee(&self, taker: &Taker, max_makers: u32) -> Stop {
        let mut left = taker.left();
        let reached = self.prices(taker.side.opposite()).take_while(|&price| taker.reaches(price));
        let makers = reached.flat_map(|price| self.slots_from(self.ladder.get(price).head));
        for (met, slot) in (0..).zip(makers) {
            let maker = self.slab.get(slot);
            if met == max_makers {
                return Stop::MaxMakers;
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

    fn sweep(&mut self, taker: &mut Taker, max_makers: u32, events: &mut Vec<Event>) -> Stop {
        for met in 0.. {
            if taker.left() == Lots::ZERO {
                return Stop::Filled;
            }
            let Some(slot) = self.next_maker(taker) else { return Stop::NoMore };
            if met == max_makers {
                return Stop::MaxMakers;
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
        let maker = *self.slab.get(slot);
        let quantity = taker.left().min(maker.left());
        let filled = |before: Lots| before.plus(quantity).expect("at most the order's quantity");
        taker.filled = filled(taker.filled);
        let mut after = maker.view();
        after.filled = filled(maker.filled);
        if after.left() == Lots::ZERO {
            self.remove(slot);
        } else {
            self.resize(slot, after.quantity, after.filled);
        }
        events.push(Event::Trade {
            maker: after,
            taker: taker.id,
            taker_filled: taker.filled,
            price: maker.price,
            quantity,
        });
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
