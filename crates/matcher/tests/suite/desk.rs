//! A market to try things on: every call is one input, stored one millisecond after the one before.

use fillstream_domain::{
    Amount, OrderId, Seq, Timestamp, UserId,
    book::{
        AmendRequested, BookInput, BookPlaced, CancelReason, CancelRequested, Change, Clock, Definition,
        InputResult, OrderType, Outcome, RefusalCode, SelfTradePrevention, Side, Symbol, TimeInForce,
    },
    parse_exact,
};
use fillstream_matcher::{Applied, Machine, Recorded};
use uuid::Uuid;

pub(crate) fn amount(text: &str) -> Amount {
    Amount::new(parse_exact(text).unwrap()).unwrap()
}

pub(crate) fn symbol() -> Symbol {
    "BTC/USDT".parse().unwrap()
}

pub(crate) fn order_id(id: u128) -> OrderId {
    OrderId::new(Uuid::from_u128(id))
}

pub(crate) fn user_id(user: u128) -> UserId {
    UserId::new(Uuid::from_u128(user << 64))
}

/// Whole ticks and lots, a fee of 0.05 % and 0.1 % in cents.
pub(crate) fn definition() -> Definition {
    Definition {
        tick_size: amount("1"),
        lot_size: amount("1"),
        min_quantity: amount("1"),
        max_quantity: amount("1000000"),
        min_price: amount("1"),
        max_price: amount("100000"),
        min_notional: amount("5"),
        quote_decimals: 2,
        ..Definition::standard(symbol(), Timestamp::from_unix_ms(0))
    }
}

/// A limit order of `id` by an account of its own, GTC.
pub(crate) fn limit(side: Side, id: u128, quantity: &str, price: &str) -> BookPlaced {
    BookPlaced {
        order_id: order_id(id),
        user_id: user_id(id),
        client_order_id: None,
        symbol: symbol(),
        side,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Gtc,
        price: Some(amount(price)),
        quantity: amount(quantity),
        expires_at: None,
        post_only: false,
        self_trade_prevention: SelfTradePrevention::None,
        fingerprint: String::new(),
        at: Timestamp::from_unix_ms(0),
    }
}

pub(crate) fn buy(id: u128, quantity: &str, price: &str) -> BookInput {
    BookInput::Placed(limit(Side::Buy, id, quantity, price))
}

pub(crate) fn sell(id: u128, quantity: &str, price: &str) -> BookInput {
    BookInput::Placed(limit(Side::Sell, id, quantity, price))
}

pub(crate) fn amend(id: u128, quantity: Option<&str>, price: Option<&str>) -> BookInput {
    BookInput::AmendRequested(AmendRequested {
        order_id: order_id(id),
        user_id: user_id(id),
        symbol: symbol(),
        quantity: quantity.map(amount),
        price: price.map(amount),
        at: Timestamp::from_unix_ms(0),
    })
}

pub(crate) fn cancel(id: u128) -> BookInput {
    BookInput::CancelRequested(CancelRequested {
        order_id: order_id(id),
        user_id: user_id(id),
        symbol: symbol(),
        at: Timestamp::from_unix_ms(0),
    })
}

pub(crate) fn clock() -> BookInput {
    BookInput::Clock(Clock { symbol: symbol(), at: Timestamp::from_unix_ms(0) })
}

/// The input as it is written then.
pub(crate) fn written_at(mut input: BookInput, now: Timestamp) -> BookInput {
    let at = match &mut input {
        BookInput::Placed(placed) => &mut placed.at,
        BookInput::AmendRequested(amend) => &mut amend.at,
        BookInput::CancelRequested(cancel) => &mut cancel.at,
        BookInput::Clock(clock) => &mut clock.at,
        // Compared as wholes.
        BookInput::Definition(_) => return input,
    };
    *at = now;
    input
}

/// A machine and the inputs that it was given.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) machine: Machine,
    pub(crate) log: Vec<Recorded>,
}

impl Desk {
    /// A market with [`definition`].
    pub(crate) fn open() -> Self {
        Self::with(definition())
    }

    pub(crate) fn with(definition: Definition) -> Self {
        let mut desk = Self::empty();
        assert_eq!(desk.give(BookInput::Definition(definition)).result, InputResult::Defined);
        desk
    }

    pub(crate) fn empty() -> Self {
        Self { machine: Machine::new(symbol()), log: Vec::new() }
    }

    pub(crate) fn give(&mut self, input: BookInput) -> Outcome {
        self.give_at(self.log.len() as i64 + 1, Ok(input)).outcome
    }

    pub(crate) fn give_at(&mut self, ms: i64, input: Result<BookInput, String>) -> Applied {
        let stored_at = Timestamp::from_unix_ms(ms);
        let input = input.map(|input| written_at(input, stored_at));
        let recorded = Recorded { seq: Seq::new(10 * (self.log.len() as u64 + 1)), stored_at, input };
        self.log.push(recorded.clone());
        self.machine.apply(&recorded).unwrap()
    }
}

/// Each change in the notation of the cases, `id` being the number that the order was made of.
pub(crate) fn changes(outcome: &Outcome) -> Vec<String> {
    let id = |order: OrderId| order.uuid().as_u128();
    let text = |change: &Change| match change {
        Change::Created(order) => format!("new({})", id(order.order_id)),
        Change::Rejected(order) => format!("REJ({})", id(order.order_id)),
        Change::Trade(trade) => format!(
            "T({},{},{},{})",
            id(trade.taker.order_id),
            id(trade.maker.order_id),
            trade.price,
            trade.quantity
        ),
        Change::Cancelled { order, reason } => {
            let left = order.quantity.decimal() - order.filled_quantity.decimal();
            format!("done({},{left},{})", id(order.order_id), word(*reason))
        }
        Change::Amended(order) => {
            format!("A({},{}@{})", id(order.order_id), order.quantity, order.price.unwrap())
        }
    };
    outcome.changes.iter().map(text).collect()
}

const fn word(reason: CancelReason) -> &'static str {
    match reason {
        CancelReason::Requested => "requested",
        CancelReason::Expired => "expired",
        CancelReason::ImmediateOrCancel => "IOC",
        CancelReason::FillOrKill => "FOK",
        CancelReason::NoLiquidity => "no liquidity",
        CancelReason::SelfTrade => "self trade",
        CancelReason::MaxMakers => "max makers",
    }
}

/// The changed levels, as `bids / asks`.
pub(crate) fn levels(outcome: &Outcome) -> String {
    let side = |levels: &[(Amount, Amount)]| {
        let text: Vec<String> =
            levels.iter().map(|(price, quantity)| format!("{quantity}@{price}")).collect();
        text.join(" ")
    };
    format!("{} / {}", side(&outcome.levels.bids), side(&outcome.levels.asks))
}

/// Why it was refused.
pub(crate) fn refusal(outcome: &Outcome) -> Option<(RefusalCode, &str)> {
    match &outcome.result {
        InputResult::Rejected(refusal) | InputResult::Refused(refusal) => {
            Some((refusal.code, &refusal.detail))
        }
        InputResult::Accepted
        | InputResult::Amended
        | InputResult::Unchanged
        | InputResult::Cancelled
        | InputResult::Defined
        | InputResult::Ticked
        | InputResult::Parked { .. } => None,
    }
}
