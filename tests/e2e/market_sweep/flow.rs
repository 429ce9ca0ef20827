//! Orders of all kinds around one price, some of which expire at once.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fillstream_domain::{
    Amount, OrderId, Timestamp, UserId,
    book::{
        AmendRequested, BookInput, BookPlaced, CancelRequested, OrderType, SelfTradePrevention, Side, Symbol,
        TimeInForce,
    },
    parse_exact,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use uuid::Uuid;

pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

pub(super) struct Flow {
    symbol: Symbol,
    dice: ChaCha8Rng,
    known: Vec<(OrderId, UserId)>,
}

impl Flow {
    pub(super) fn new(symbol: Symbol) -> Self {
        Self { symbol, dice: ChaCha8Rng::seed_from_u64(1), known: Vec::new() }
    }

    /// The next input, with the order that it is about.
    pub(super) fn next(&mut self) -> (OrderId, BookInput) {
        let picked = self.known.get(self.dice.random_range(0..self.known.len().max(1))).copied();
        match (self.dice.random_range(0..10), picked) {
            (0..=1, Some((order_id, user_id))) => {
                let symbol = self.symbol.clone();
                (
                    order_id,
                    BookInput::CancelRequested(CancelRequested { order_id, user_id, symbol, at: now() }),
                )
            }
            (2, Some((order_id, user_id))) => {
                let (symbol, quantity) = (self.symbol.clone(), Some(self.amount(1..9)));
                let amend = AmendRequested { order_id, user_id, symbol, quantity, price: None, at: now() };
                (order_id, BookInput::AmendRequested(amend))
            }
            _ => self.placed(),
        }
    }

    fn placed(&mut self) -> (OrderId, BookInput) {
        let order_id = OrderId::new(Uuid::now_v7());
        let user_id = UserId::new(Uuid::from_u64_pair(1, self.dice.random_range(0..5)));
        let expires = self.dice.random_bool(0.1);
        let side = if self.dice.random_bool(0.5) { Side::Buy } else { Side::Sell };
        self.known.push((order_id, user_id));
        let placed = BookPlaced {
            order_id,
            user_id,
            client_order_id: None,
            symbol: self.symbol.clone(),
            side,
            order_type: OrderType::Limit,
            time_in_force: if expires { TimeInForce::Gtd } else { TimeInForce::Gtc },
            price: Some(self.amount(95..106)),
            quantity: self.amount(1..9),
            expires_at: expires.then(|| now().after(Duration::from_millis(50))),
            post_only: false,
            self_trade_prevention: SelfTradePrevention::CancelOldest,
            fingerprint: String::new(),
            at: now(),
        };
        (order_id, BookInput::Placed(placed))
    }

    fn amount(&mut self, range: std::ops::Range<u32>) -> Amount {
        let text = self.dice.random_range(range).to_string();
        let decimal = parse_exact(&text).expect("a whole number");
        Amount::new(decimal).expect("not negative")
    }
}
