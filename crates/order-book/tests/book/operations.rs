//! Random operations of all kinds, from a seed.

use fillstream_domain::Timestamp;
use fillstream_domain::book::{Life, Lots, Pricing, SelfTradePrevention, Side, Ticks};
use fillstream_order_book::{Amend, NewOrder, Taking};

use crate::dice::Dice;
use crate::engine::{Operation, Step, order_id, user_id};

/// Users that trade; few, so that they meet themselves.
const USERS: u64 = 4;
/// Cancels and amends aim at one of this many orders before the next; about half of them rest.
const RECENT: u64 = 96;

/// Range of prices.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Prices {
    /// Within a few ticks: deep queues.
    Narrow,
    /// Around a touch that wanders and sometimes leaps, with some orders far away: levels fall out of every window.
    Wide,
    /// At the ends of what a price can be.
    Ends,
}

/// Makes operations; what it remembers of the past are numbers alone.
pub(crate) struct Operations {
    prices: Prices,
    late: bool,
    middle: u32,
    now: i64,
    orders: u64,
}

impl Operations {
    /// All that is due is ended whenever time goes on. What this makes never changes: hashes of it are written down.
    pub(crate) const fn new(prices: Prices) -> Self {
        Self { prices, late: false, middle: 1 << 20, now: 0, orders: 0 }
    }

    /// Time also goes on between the sweeps, and a sweep may leave some: orders that are due stand in the way of others.
    pub(crate) const fn late(prices: Prices) -> Self {
        Self { late: true, ..Self::new(prices) }
    }

    pub(crate) fn next(&mut self, dice: &mut Dice) -> Step {
        let max_makers = if dice.one_in(8) { u32::try_from(dice.below(6)).unwrap() } else { u32::MAX };
        let late = self.late;
        if late && dice.one_in(30) {
            self.go_on(dice);
        }
        let (operation, max_makers) = match dice.below(100) {
            0..58 => (self.place(dice), max_makers),
            58..80 => (self.cancel(dice), max_makers),
            95 if late => (Operation::ExpireOrder(order_id(self.recent(dice))), max_makers),
            80..97 => (self.amend(dice), max_makers),
            _ if late => (Operation::Expire, max_makers),
            _ => {
                self.go_on(dice);
                (Operation::Expire, u32::MAX)
            }
        };
        Step { operation, taking: Taking { max_makers, now: Timestamp::from_unix_ms(self.now) } }
    }

    fn go_on(&mut self, dice: &mut Dice) {
        self.now += i64::try_from(dice.below(40)).unwrap();
    }

    fn place(&mut self, dice: &mut Dice) -> Operation {
        let again = dice.one_in(50);
        let number = if again { self.recent(dice) } else { self.orders };
        self.orders += u64::from(!again);
        let side = dice.pick(Side::ALL);
        Operation::Place(NewOrder {
            order_id: order_id(number),
            user_id: user_id(number % USERS),
            side,
            quantity: quantity(dice),
            pricing: self.pricing(side, dice),
            self_trade_prevention: if dice.one_in(3) {
                dice.pick(SelfTradePrevention::ALL)
            } else {
                SelfTradePrevention::None
            },
        })
    }

    fn pricing(&mut self, side: Side, dice: &mut Dice) -> Pricing {
        let price = self.price(side, dice);
        let expiry = Timestamp::from_unix_ms(self.now + 1 + i64::try_from(dice.below(90)).unwrap());
        match dice.below(20) {
            0 => Pricing::Market { fill_or_kill: false },
            1 => Pricing::Market { fill_or_kill: true },
            2 => Pricing::Limit { price, life: Life::Ioc },
            3 | 4 => Pricing::Limit { price, life: Life::Fok },
            5 | 6 => Pricing::Limit { price, life: Life::Gtd(expiry) },
            7 => Pricing::PostOnly { price, expires_at: None },
            8 => Pricing::PostOnly { price, expires_at: Some(expiry) },
            _ => Pricing::Limit { price, life: Life::Gtc },
        }
    }

    /// Mostly on the passive side of the middle, so that something rests.
    fn price(&mut self, side: Side, dice: &mut Dice) -> Ticks {
        let spread = match self.prices {
            Prices::Narrow => 12,
            Prices::Ends => 8,
            Prices::Wide => self.wander(dice),
        };
        let middle = if let Prices::Ends = self.prices { dice.pick(&[5, u32::MAX - 5]) } else { self.middle };
        let offset = u32::try_from(dice.below(spread)).unwrap();
        let up = (side == Side::Sell) != dice.one_in(4);
        let price = if up { middle.saturating_add(offset) } else { middle.saturating_sub(offset) };
        Ticks::new(price.max(1)).unwrap()
    }

    /// Moves the middle, and says how far from it this order's price may lie.
    fn wander(&mut self, dice: &mut Dice) -> u64 {
        let step = u32::try_from(dice.below(9)).unwrap();
        self.middle = (self.middle + step).saturating_sub(4).clamp(1, u32::MAX / 2);
        if dice.one_in(5_000) {
            self.middle = u32::try_from(1 + dice.below(1 << 24)).unwrap();
        }
        dice.pick(&[10, 10, 10, 300, 300, 40_000, 400_000])
    }

    fn recent(&self, dice: &mut Dice) -> u64 {
        self.orders.saturating_sub(1 + dice.below(RECENT))
    }

    /// An order and who asks: mostly its owner.
    fn asked(&self, dice: &mut Dice) -> (u64, u64) {
        let number = self.recent(dice);
        (number, if dice.one_in(20) { dice.below(USERS) } else { number % USERS })
    }

    fn cancel(&self, dice: &mut Dice) -> Operation {
        let (number, asker) = self.asked(dice);
        Operation::Cancel(order_id(number), user_id(asker))
    }

    fn amend(&mut self, dice: &mut Dice) -> Operation {
        let (number, asker) = self.asked(dice);
        let side = dice.pick(Side::ALL);
        Operation::Amend(Amend {
            order_id: order_id(number),
            user_id: user_id(asker),
            quantity: (!dice.one_in(3)).then(|| quantity(dice)),
            price: dice.one_in(2).then(|| self.price(side, dice)),
        })
    }
}

/// Small, so that orders fill as wholes too; at times none, at times so much that a level overflows.
fn quantity(dice: &mut Dice) -> Lots {
    Lots::new(match dice.below(200) {
        0 => 0,
        1 => u64::MAX - dice.below(3),
        2 => u64::MAX / 3,
        _ => 1 + dice.below(12),
    })
}
