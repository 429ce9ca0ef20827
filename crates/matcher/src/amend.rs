//! Amends and cancels of orders that rest.

use std::sync::Arc;

use fillstream_domain::{
    OrderId, UserId,
    book::{AmendRequested, CancelRequested, InputResult, Lots, Refusal, Ticks},
};
use fillstream_order_book::{Amend, Amended, Refused, Resting};

use crate::{Machine, judge, market::Market, telling::Told};

impl Machine {
    pub(crate) fn amend(&mut self, asked: &AmendRequested, told: &mut Told) -> InputResult {
        match self.try_amend(asked, told) {
            Ok(Amended::Unchanged) => InputResult::Unchanged,
            Ok(Amended::KeptPlace | Amended::Requeued | Amended::Filled) => InputResult::Amended,
            Err(refusal) => InputResult::Refused(refusal),
        }
    }

    fn try_amend(&mut self, asked: &AmendRequested, told: &mut Told) -> Result<Amended, Refusal> {
        let (market, order) = self.owned(asked.order_id, asked.user_id)?;
        let (quantity, price) = self.judge_amend(&market, &order, asked)?;
        let amend = Amend { order_id: asked.order_id, user_id: asked.user_id, quantity, price };
        let taking = self.taking(&market);
        let amended = self.book.amend(&amend, taking, &mut self.events).map_err(judge::by_book)?;
        self.tell(&market, told);
        Ok(amended)
    }

    /// What the order would be is judged like a new order, with two exceptions: what it already is, and an amend to
    /// what is filled, which only ends it. The band judges a new price only.
    fn judge_amend(
        &self,
        market: &Market,
        order: &Resting,
        asked: &AmendRequested,
    ) -> Result<(Option<Lots>, Option<Ticks>), Refusal> {
        let definition = &market.definition;
        let (is_quantity, is_price) = (definition.quantity(order.quantity), definition.price(order.price));
        let (quantity, price) = (asked.quantity.unwrap_or(is_quantity), asked.price.unwrap_or(is_price));
        if (quantity, price) == (is_quantity, is_price) {
            return Ok((None, None));
        }
        let ticks = if price == is_price {
            judge::price(definition, price)?
        } else {
            judge::price_in_band(definition, self.last_price, price)?
        };
        if order.filled > Lots::ZERO && quantity == definition.quantity(order.filled) {
            return Ok((Some(order.filled), Some(ticks)));
        }
        let lots = judge::quantity(definition, quantity)?;
        judge::notional(definition, price, quantity)?;
        Ok((Some(lots), Some(ticks)))
    }

    pub(crate) fn cancel(&mut self, asked: &CancelRequested, told: &mut Told) -> InputResult {
        match self.try_cancel(asked, told) {
            Ok(()) => InputResult::Cancelled,
            Err(refusal) => InputResult::Refused(refusal),
        }
    }

    fn try_cancel(&mut self, asked: &CancelRequested, told: &mut Told) -> Result<(), Refusal> {
        let (market, order) = self.owned(asked.order_id, asked.user_id)?;
        self.book.cancel(order.order_id, order.user_id, &mut self.events).map_err(judge::by_book)?;
        self.tell(&market, told);
        Ok(())
    }

    /// An order that rests and belongs to who asks. Before the first definition nothing rests.
    fn owned(&self, order_id: OrderId, user_id: UserId) -> Result<(Arc<Market>, Resting), Refusal> {
        let found = self.market.clone().zip(self.book.order(order_id));
        let (market, order) = found.ok_or_else(|| judge::by_book(Refused::UnknownOrEnded))?;
        if order.user_id != user_id {
            return Err(judge::by_book(Refused::NotOwner));
        }
        Ok((market, order))
    }
}
