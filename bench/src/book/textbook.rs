//! The book of the textbooks: a tree of queues for each side, and a map that tells where an order lies. No owners, no
//! hash, ids of 64 bits.

use std::collections::{BTreeMap, HashMap, VecDeque};

use fillstream_domain::book::{Pricing, Side};
use fillstream_order_book::NewOrder;

use super::{
    contender::{Contender, Trades},
    script::{Operation, Wanted},
};

#[derive(Default)]
pub(super) struct Textbook {
    bids: BTreeMap<u32, VecDeque<Held>>,
    asks: BTreeMap<u32, VecDeque<Held>>,
    places: HashMap<u64, (Side, u32)>,
}

struct Held {
    order: u64,
    left: u64,
}

impl Textbook {
    fn place(&mut self, number: u64, order: &NewOrder, trades: &mut Trades) {
        let limit = match order.pricing {
            Pricing::Market { .. } => None,
            Pricing::Limit { price, .. } | Pricing::PostOnly { price, .. } => Some(price.get()),
        };
        let left = self.take(order.side, limit, order.quantity.get(), trades);
        if let Some(price) = limit.filter(|_| left > 0) {
            self.side(order.side).entry(price).or_default().push_back(Held { order: number, left });
            self.places.insert(number, (order.side, price));
        }
    }

    /// What is left of the quantity.
    fn take(&mut self, side: Side, limit: Option<u32>, mut left: u64, trades: &mut Trades) -> u64 {
        while left > 0 {
            let best = match side {
                Side::Buy => self.asks.first_entry(),
                Side::Sell => self.bids.last_entry(),
            };
            let Some(mut level) = best else { break };
            let price = *level.key();
            let agreed = limit.is_none_or(|limit| match side {
                Side::Buy => price <= limit,
                Side::Sell => price >= limit,
            });
            if !agreed {
                break;
            }
            while left > 0
                && let Some(maker) = level.get_mut().front_mut()
            {
                let traded = left.min(maker.left);
                trades.add(maker.order, u64::from(price), traded);
                (left, maker.left) = (left - traded, maker.left - traded);
                if maker.left == 0 {
                    self.places.remove(&maker.order);
                    level.get_mut().pop_front();
                }
            }
            if level.get().is_empty() {
                level.remove();
            }
        }
        left
    }

    fn cancel(&mut self, order: u64) {
        let (side, price) = self.places.remove(&order).expect("the order rests");
        let levels = self.side(side);
        let level = levels.get_mut(&price).expect("its level is there");
        let place = level.iter().position(|held| held.order == order).expect("an order lies at its price");
        level.remove(place);
        if level.is_empty() {
            levels.remove(&price);
        }
    }

    const fn side(&mut self, side: Side) -> &mut BTreeMap<u32, VecDeque<Held>> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }
}

impl Contender for Textbook {
    const NAME: &'static str = "textbook: BTreeMap, VecDeque, HashMap";
    type Command = Operation;

    fn new() -> Self {
        Self::default()
    }

    fn command(operation: &Operation) -> Operation {
        *operation
    }

    fn answer(&mut self, command: &Operation, trades: &mut Trades) {
        match &command.wanted {
            Wanted::Place(order) => self.place(command.number, order, trades),
            Wanted::Cancel { order, .. } => self.cancel(*order),
        }
    }
}
