//! Amends: less at the same price keeps the place in the queue, everything else loses it and may trade.
//!
//! ```text
//!  quantity:  0 ─ refused ─ filled ── less, same price: in place ── as it is, same price: unchanged ── more
//!                             └ ended, filled                        another price, or more: matched anew
//! ```

use fillstream_domain::book::{Lots, Ticks};

use crate::slab::Order;
use crate::taker::{Rest, Taker};
use crate::{Amend, Amended, Book, Event, Refused, Resting, Taking};

impl Book {
    /// Changes a resting order. One that loses its place trades like a new order with the terms that it was placed
    /// with (self-trade prevention, post-only, expiry) and under the same bounds as [`Self::place`]. It is not looked at here whether its own time is over:
    /// [`Self::expire_order`] runs first.
    ///
    /// # Errors
    /// `UnknownOrEnded`, `NotOwner`, `ZeroQuantity`, `BelowFilled`, `WouldTake`, `LevelFull`: the order stays as it is.
    pub fn amend(
        &mut self,
        amend: &Amend,
        taking: Taking,
        events: &mut Vec<Event>,
    ) -> Result<Amended, Refused> {
        let entry = self.owned(amend.order_id, amend.user_id)?;
        let order = *self.slab.get(entry.slot);
        let quantity = amend.quantity.unwrap_or(order.quantity);
        let price = amend.price.unwrap_or(order.price);
        if quantity == Lots::ZERO {
            return Err(Refused::ZeroQuantity);
        }
        if quantity < order.filled {
            return Err(Refused::BelowFilled);
        }
        if (quantity, price) == (order.quantity, order.price) {
            return Ok(Amended::Unchanged);
        }
        let kept_place = price == order.price && quantity < order.quantity && quantity > order.filled;
        let before = order.view();
        let amended = Event::Amended { before, after: Resting { quantity, price, ..before }, kept_place };
        if quantity == order.filled {
            self.remove(entry);
            events.push(amended);
            return Ok(Amended::Filled);
        }
        if kept_place {
            self.resize(entry.slot, quantity, order.filled);
            events.push(amended);
            return Ok(Amended::KeptPlace);
        }
        let taker = taker(&order, quantity, price);
        self.refuse(&order, &taker, price, taking)?;
        events.push(amended);
        let rest = Rest::InBook { price, post_only: order.post_only, expires_at: self.remove(entry) };
        self.take(taker, rest, taking, events);
        Ok(Amended::Requeued)
    }

    /// Refuses new terms with which an order would take and must not, or with which its level could not hold it. Where it
    /// takes, nothing of its own side rests: a level that it could overfill it does not trade with.
    fn refuse(&self, order: &Order, taker: &Taker, price: Ticks, taking: Taking) -> Result<(), Refused> {
        if self.reaches(order.side, price) {
            let would_take = order.post_only && self.meets_alive(taker, taking);
            return if would_take { Err(Refused::WouldTake) } else { Ok(()) };
        }
        let own = if price == order.price { order.left() } else { Lots::ZERO };
        let others = self.ladder.get(price).lots.minus(own).expect("a level holds what its orders hold");
        others.plus(taker.left()).map(|_| ()).ok_or(Refused::LevelFull)
    }
}

/// The order as it takes with its new terms.
const fn taker(order: &Order, quantity: Lots, price: Ticks) -> Taker {
    Taker {
        id: order.id,
        user: order.user,
        side: order.side,
        limit: Some(price),
        quantity,
        filled: order.filled,
        self_trade_prevention: order.self_trade_prevention,
    }
}
