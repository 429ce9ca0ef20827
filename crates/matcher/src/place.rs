//! New orders.

use fillstream_domain::{
    Amount,
    book::{BookPlaced, Change, InputResult, Lots, OrderState, Pricing, Refusal, RefusalCode, Rules, Ticks},
};
use fillstream_order_book::{NewOrder, Refused};
use rust_decimal::Decimal;

use crate::{
    Machine, judge,
    market::Market,
    telling::{Order, Told},
};

impl Machine {
    pub(crate) fn place(&mut self, asked: &BookPlaced, told: &mut Told) -> InputResult {
        let Some(market) = self.market.clone() else {
            let unknown = judge::refusal(RefusalCode::UnknownMarket, "the market has no definition yet");
            return reject(asked, unknown, told);
        };
        if self.book.order(asked.order_id).is_some() {
            return reject(asked, judge::by_book(Refused::DuplicateOrder), told);
        }
        let placed = judge::placed(&market, self.last_price, self.market_time, asked)
            .and_then(|order| self.place_in_book(&market, &order, told));
        match placed {
            Ok(()) => InputResult::Accepted,
            Err(refusal) => reject(asked, refusal, told),
        }
    }

    fn place_in_book(&mut self, market: &Market, order: &NewOrder, told: &mut Told) -> Result<(), Refusal> {
        self.has_room_for(market, order)?;
        let taking = self.taking(market);
        self.book.place(order, taking, &mut self.events).map_err(judge::by_book)?;
        let NewOrder { order_id, user_id, side, quantity, .. } = *order;
        let taker =
            Order { order_id, user_id, side, price: limit(order.pricing), quantity, filled: Lots::ZERO };
        told.changes.push(Change::Created(self.state(market, taker)));
        told.taker = Some(taker);
        self.tell(market, told);
        Ok(())
    }

    /// An order that may come to rest counts among its user's and the market's, also if it would trade at once.
    fn has_room_for(&self, market: &Market, order: &NewOrder) -> Result<(), Refusal> {
        if self.rules < Rules::V2 || !order.pricing.may_rest() {
            return Ok(());
        }
        let full = |detail| Err(judge::refusal(RefusalCode::TooManyOpenOrders, detail));
        let (of_user, of_all) = (market.definition.open_orders_per_user(), market.definition.open_orders());
        if self.open.of_user(order.user_id) >= of_user {
            return full(format!(
                "a user may have at most {of_user} open orders in this market (max_open_orders_per_user)"
            ));
        }
        if self.book.len() >= of_all as usize {
            return full(format!(
                "all users may have at most {of_all} open orders in this market (max_open_orders)"
            ));
        }
        Ok(())
    }
}

const fn limit(pricing: Pricing) -> Option<Ticks> {
    match pricing {
        Pricing::Market { .. } => None,
        Pricing::Limit { price, .. } | Pricing::PostOnly { price, .. } => Some(price),
    }
}

/// Says what was asked, also when it cannot be counted in ticks and lots. A duplicate has no change: it would be told
/// of the order that rests under the same id.
fn reject(asked: &BookPlaced, refusal: Refusal, told: &mut Told) -> InputResult {
    if refusal.code != RefusalCode::DuplicateOrder {
        let nothing = Amount::new(Decimal::ZERO).expect("0 is not negative");
        told.changes.push(Change::Rejected(OrderState {
            order_id: asked.order_id,
            user_id: asked.user_id,
            side: asked.side,
            order_type: asked.order_type,
            price: asked.price,
            quantity: asked.quantity,
            filled_quantity: nothing,
            filled_quote: nothing,
            fee: nothing,
        }));
    }
    InputResult::Rejected(refusal)
}
