//! A seeded flow of orders to measure books with: the same numbers on every machine, for any book.
//!
//! ```text
//!  about 55 %  new orders behind a middle that walks at random
//!  about 40 %  cancels of orders that rest
//!       2.5 %  market orders      2.5 %  limit orders across the touch
//! ```
//! The number of resting orders swings around the size that is asked for: below it most are new orders, above it most
//! are cancels, and the shares are what comes of it. A book of its own tells the flow which orders rest, so that no cancel goes astray.

use fillstream_domain::book::{Life, Lots, Pricing, SelfTradePrevention, Side, Ticks};
use fillstream_domain::{OrderId, UserId};
use uuid::Uuid;

use crate::{Book, Event, NewOrder, Taking};

/// Lowest price of the middle, in ticks: 600.00 in cents.
const MIDDLE: u32 = 60_000;
/// The middle moves by a tick once in this many operations.
const MOVES_EVERY: u64 = 16;
/// Lots of a passive order: from 1 to this many.
const MOST_LOTS: u64 = 100;
/// Lots of an aggressive order: up to this many, so that it meets about three makers.
const MOST_TAKEN: u64 = 3 * MOST_LOTS;
/// Of a thousand: up to this many draws bring the number of resting orders nearer to its size, the others do not.
const OFTEN: u64 = 800;
/// Users who place orders.
const USERS: u64 = 1_000;

/// Request to the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// A new order.
    Place(NewOrder),
    /// An order that rests is taken out by its owner.
    Cancel(OrderId, UserId),
}

impl Ask {
    /// Asks a book. Nothing of the flow is refused by a book that has seen all of it.
    pub fn apply(&self, book: &mut Book, events: &mut Vec<Event>) {
        let answer = match self {
            Self::Place(order) => book.place(order, Taking::UNBOUNDED, events),
            Self::Cancel(order_id, user_id) => book.cancel(*order_id, *user_id, events),
        };
        answer.expect("the flow asks for nothing that is refused");
    }
}

/// The flow, without end.
#[derive(Debug, Clone)]
pub struct Flow {
    state: u64,
    size: usize,
    /// Ticks behind the middle in which new orders lie: the more orders, the deeper the book.
    depth: u64,
    middle: u32,
    placed: u64,
    book: Book,
    events: Vec<Event>,
    /// Orders that rested when they came; those that have gone since are forgotten when they are drawn.
    resting: Vec<(OrderId, UserId)>,
}

impl Flow {
    /// About `size` orders rest once that many have come.
    #[must_use]
    pub fn new(seed: u64, size: usize) -> Self {
        Self {
            state: seed,
            size,
            depth: 40 + size as u64 / 400,
            middle: MIDDLE,
            placed: 0,
            book: Book::new(),
            events: Vec::new(),
            resting: Vec::new(),
        }
    }

    /// `SplitMix64`.
    const fn dice(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn walk(&mut self) {
        match self.dice() % (2 * MOVES_EVERY) {
            0 => self.middle += 1,
            1 => self.middle = (self.middle - 1).max(MIDDLE / 2),
            _ => {}
        }
    }

    fn ask(&mut self) -> Ask {
        self.walk();
        match self.dice() % 1_000 {
            0..25 => self.taking(|_| Pricing::Market { fill_or_kill: false }),
            25..50 => self.taking(|price| Pricing::Limit { price, life: Life::Gtc }),
            draw => {
                let missing = self.book.len() < self.size;
                let add = missing == (draw < OFTEN);
                if add { self.passive() } else { self.cancel().unwrap_or_else(|| self.passive()) }
            }
        }
    }

    fn passive(&mut self) -> Ask {
        let (side, lots) = (self.side(), 1 + self.dice() % MOST_LOTS);
        // The lesser of two draws: most orders lie near the touch.
        let depth = 1 + (self.dice() % self.depth).min(self.dice() % self.depth);
        let price = self.away(side, depth);
        self.order(side, lots, Pricing::Limit { price, life: Life::Gtc })
    }

    fn taking(&mut self, pricing: impl Fn(Ticks) -> Pricing) -> Ask {
        let (side, lots) = (self.side(), 1 + self.dice() % MOST_TAKEN);
        let price = self.away(side.opposite(), 5);
        self.order(side, lots, pricing(price))
    }

    fn cancel(&mut self) -> Option<Ask> {
        while !self.resting.is_empty() {
            let drawn = usize::try_from(self.dice() % self.resting.len() as u64).ok()?;
            let (order_id, user_id) = self.resting.swap_remove(drawn);
            if self.book.order(order_id).is_some() {
                return Some(Ask::Cancel(order_id, user_id));
            }
        }
        None
    }

    const fn side(&mut self) -> Side {
        if self.dice() >> 63 == 0 { Side::Buy } else { Side::Sell }
    }

    /// So many ticks from the middle to this side's own end.
    fn away(&self, side: Side, ticks: u64) -> Ticks {
        let ticks = u32::try_from(ticks).expect("the depth of a book is a few thousand ticks");
        let price = match side {
            Side::Buy => self.middle.saturating_sub(ticks),
            Side::Sell => self.middle.saturating_add(ticks),
        };
        Ticks::new(price.max(1)).expect("at least 1")
    }

    fn order(&mut self, side: Side, lots: u64, pricing: Pricing) -> Ask {
        self.placed += 1;
        // As UUIDs of version 7 are made: time in front, dice behind.
        let id = Uuid::from_u64_pair(self.placed << 16 | 0x7000, 1 << 63 | self.dice() >> 2);
        let user = Uuid::from_u128(u128::from(self.dice() % USERS));
        Ask::Place(NewOrder {
            order_id: OrderId::new(id),
            user_id: UserId::new(user),
            side,
            quantity: Lots::new(lots),
            pricing,
            self_trade_prevention: SelfTradePrevention::None,
        })
    }
}

impl Iterator for Flow {
    type Item = Ask;

    fn next(&mut self) -> Option<Ask> {
        let ask = self.ask();
        self.events.clear();
        ask.apply(&mut self.book, &mut self.events);
        if let Some(Event::Rested { order }) = self.events.last() {
            self.resting.push((order.order_id, order.user_id));
        }
        Some(ask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mixture_is_what_it_says() {
        const ASKS: usize = 200_000;
        let mut flow = Flow::new(1, 2_000);
        let (mut cancels, mut markets) = (0, 0);
        for ask in flow.by_ref().take(ASKS) {
            match ask {
                Ask::Cancel(..) => cancels += 1,
                Ask::Place(order) => markets += usize::from(matches!(order.pricing, Pricing::Market { .. })),
            }
        }
        let percent = |count: usize| (count * 100).div_ceil(ASKS);
        assert!((36..=46).contains(&percent(cancels)), "{} % cancels", percent(cancels));
        assert!((2..=4).contains(&percent(markets)), "{} % market orders", percent(markets));
        assert!((1_900..=2_100).contains(&flow.book.len()), "{} orders", flow.book.len());
        let again: Vec<Ask> = Flow::new(1, 2_000).take(9).collect();
        assert_eq!(again, Flow::new(1, 2_000).take(9).collect::<Vec<_>>());
    }
}
