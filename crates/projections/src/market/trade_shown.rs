//! A trade as it is shown: to everybody with its parties, without them, or to one of the two.

use fillstream_domain::{Amount, OrderId, Timestamp, TradeId, UserId, book::Symbol};
use schemars::JsonSchema;
use serde::Serialize;

use super::messages::{TradeExecuted, tagged};

/// Whose names a reader of a trade sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parties {
    /// Everybody's: where nobody proves who they are, nobody hides.
    Named,
    /// Nobody's: to the public a trade is a price and a quantity.
    Unnamed,
    /// This user's own alone.
    Own(UserId),
}

/// `trade_executed`: two orders traded. What the reader may not know is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "type", rename = "trade_executed")]
#[schemars(transform = tagged("trade_executed"))]
#[expect(missing_docs, reason = "the names are the contract's own")]
pub struct TradeShown {
    pub trade_id: TradeId,
    pub symbol: Symbol,
    /// The maker's.
    pub price: Amount,
    pub quantity: Amount,
    /// The user who bought.
    pub buyer_id: Option<UserId>,
    /// The user who sold.
    pub seller_id: Option<UserId>,
    /// In the quote.
    pub buyer_fee: Option<Amount>,
    /// In the quote.
    pub seller_fee: Option<Amount>,
    pub maker_order_id: Option<OrderId>,
    pub taker_order_id: Option<OrderId>,
    /// Market time of the taking input.
    pub executed_at: Timestamp,
}

impl TradeExecuted {
    /// The users whose orders these are, each once.
    pub fn users(&self) -> impl Iterator<Item = UserId> {
        let other = (self.buyer_id != self.seller_id).then_some(self.seller_id);
        std::iter::once(self.buyer_id).chain(other)
    }

    /// As a reader sees it. Which of the two orders is a user's own is seen by `maker_id` only.
    #[must_use]
    pub fn shown(&self, parties: Parties) -> TradeShown {
        let is_shown = |user: UserId| match parties {
            Parties::Named => true,
            Parties::Unnamed => false,
            Parties::Own(own) => own == user,
        };
        let (buyer, seller) = (is_shown(self.buyer_id), is_shown(self.seller_id));
        let maker = self.maker_id.map_or(buyer && seller, is_shown);
        let taker = match self.maker_id {
            Some(maker) if maker == self.buyer_id => seller,
            Some(_) => buyer,
            None => buyer && seller,
        };
        TradeShown {
            trade_id: self.trade_id,
            symbol: self.symbol.clone(),
            price: self.price,
            quantity: self.quantity,
            buyer_id: buyer.then_some(self.buyer_id),
            seller_id: seller.then_some(self.seller_id),
            buyer_fee: buyer.then_some(self.buyer_fee),
            seller_fee: seller.then_some(self.seller_fee),
            maker_order_id: maker.then_some(self.maker_order_id),
            taker_order_id: taker.then_some(self.taker_order_id),
            executed_at: self.executed_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::fixture::{amount, order, user};

    #[test]
    fn a_reader_sees_its_own_side_alone() {
        let [ann, bob, eve] = [1, 2, 3].map(user);
        let trade = |seller: UserId, maker: Option<UserId>| TradeExecuted {
            trade_id: TradeId::new(order(9).uuid()),
            symbol: "BTC/USDT".parse().unwrap(),
            price: amount("100"),
            quantity: amount("1"),
            buyer_id: ann,
            seller_id: seller,
            buyer_fee: amount("0.05"),
            seller_fee: amount("0.1"),
            maker_order_id: order(11),
            taker_order_id: order(12),
            maker_id: maker,
            executed_at: Timestamp::from_unix_ms(0),
        };
        // Buyer, seller, maker's order, taker's order.
        for (seller, maker, parties, seen) in [
            (bob, Some(ann), Parties::Named, [true; 4]),
            (bob, None, Parties::Named, [true; 4]),
            (bob, Some(ann), Parties::Unnamed, [false; 4]),
            (bob, None, Parties::Unnamed, [false; 4]),
            (bob, Some(ann), Parties::Own(ann), [true, false, true, false]),
            (bob, Some(ann), Parties::Own(bob), [false, true, false, true]),
            (bob, Some(bob), Parties::Own(ann), [true, false, false, true]),
            (bob, Some(bob), Parties::Own(bob), [false, true, true, false]),
            (bob, Some(bob), Parties::Own(eve), [false; 4]),
            (bob, None, Parties::Own(ann), [true, false, false, false]),
            (ann, Some(ann), Parties::Own(ann), [true; 4]),
        ] {
            let shown = trade(seller, maker).shown(parties);
            let found = [
                shown.buyer_id.is_some(),
                shown.seller_id.is_some(),
                shown.maker_order_id.is_some(),
                shown.taker_order_id.is_some(),
            ];
            assert_eq!(found, seen, "{parties:?} {maker:?}");
            assert_eq!([shown.buyer_fee.is_some(), shown.seller_fee.is_some()], [seen[0], seen[1]]);
        }
        let users = |seller| trade(seller, None).users().collect::<Vec<_>>();
        assert_eq!((users(bob), users(ann)), (vec![ann, bob], vec![ann]));
    }
}
