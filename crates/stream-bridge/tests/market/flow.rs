//! Commits as a matcher writes them, made by hand.

use fillstream_domain::{
    Amount, OrderId, Seq, Timestamp, TradeId, UserId,
    book::{
        CancelReason, Change, Commit, InputResult, Levels, OrderState, OrderType, Outcome, Side, Symbol,
        Trade,
    },
    parse_exact,
    subject::market_commits,
};
use fillstream_event_log::NewRecord;
use uuid::Uuid;

pub(crate) fn user(number: u128) -> UserId {
    UserId::new(Uuid::from_u128(number))
}

pub(crate) fn order(number: u128) -> OrderId {
    OrderId::new(Uuid::from_u128(number))
}

pub(crate) fn symbol(text: &str) -> Symbol {
    text.parse().unwrap()
}

pub(crate) fn amount(text: &str) -> Amount {
    Amount::new(parse_exact(text).unwrap()).unwrap()
}

fn number(value: u64) -> Amount {
    amount(&value.to_string())
}

/// An order of this user, so much of it filled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lot {
    pub(crate) order: u128,
    pub(crate) user: u128,
    pub(crate) side: Side,
    pub(crate) price: u64,
    pub(crate) quantity: u64,
    pub(crate) filled: u64,
}

pub(crate) fn lot(order: u128, user: u128, side: Side, price: u64, quantity: u64) -> Lot {
    Lot { order, user, side, price, quantity, filled: 0 }
}

impl Lot {
    pub(crate) fn filled(self, filled: u64) -> Self {
        Self { filled, ..self }
    }

    fn state(self) -> OrderState {
        OrderState {
            order_id: order(self.order),
            user_id: user(self.user),
            side: self.side,
            order_type: OrderType::Limit,
            price: Some(number(self.price)),
            quantity: number(self.quantity),
            filled_quantity: number(self.filled),
            filled_quote: number(self.filled * self.price),
            fee: number(0),
        }
    }
}

pub(crate) fn created(lot: Lot) -> Change {
    Change::Created(lot.filled(0).state())
}

pub(crate) fn cancelled(lot: Lot) -> Change {
    Change::Cancelled { order: lot.state(), reason: CancelReason::Requested }
}

/// The two orders after they traded so much.
pub(crate) fn trade(maker: Lot, taker: Lot, quantity: u64) -> Change {
    Change::Trade(Box::new(Trade {
        trade_id: TradeId::new(Uuid::from_u128(maker.order << 64 | taker.order)),
        price: number(maker.price),
        quantity: number(quantity),
        maker_fee: amount("0.05"),
        taker_fee: amount("0.1"),
        maker: maker.state(),
        taker: taker.state(),
    }))
}

pub(crate) fn levels(bids: &[(u64, u64)], asks: &[(u64, u64)]) -> Levels {
    let side = |levels: &[(u64, u64)]| levels.iter().map(|(p, q)| (number(*p), number(*q))).collect();
    Levels { bids: side(bids), asks: side(asks) }
}

pub(crate) fn outcome(changes: Vec<Change>, levels: Levels) -> Outcome {
    Outcome {
        seq: Seq::FIRST,
        at: Timestamp::from_unix_ms(1_768_000_000_123),
        result: InputResult::Accepted,
        continued: false,
        goes_on: false,
        changes,
        levels,
    }
}

pub(crate) fn commit(market: &str, outcomes: Vec<Outcome>) -> Commit {
    Commit {
        rules: fillstream_domain::book::Rules::TODAY,
        symbol: symbol(market),
        first_input: Seq::FIRST,
        last_input: Seq::FIRST,
        part: 1,
        last: true,
        hash: Some("00000000000000ff".to_owned()),
        outcomes,
    }
}

/// One outcome for each part, all of one input.
pub(crate) fn parts(market: &str, outcomes: Vec<Outcome>) -> Vec<Commit> {
    let count = u32::try_from(outcomes.len()).unwrap();
    let cut = |(outcome, part): (Outcome, u32)| {
        let outcome = Outcome { continued: part > 1, goes_on: part < count, ..outcome };
        Commit { part, last: part == count, ..commit(market, vec![outcome]) }
    };
    outcomes.into_iter().zip(1..).map(cut).collect()
}

pub(crate) fn record(commit: &Commit) -> NewRecord {
    NewRecord {
        subject: market_commits(&commit.symbol),
        after: Seq::ZERO,
        event_id: Uuid::now_v7(),
        event_type: Commit::EVENT_TYPE.cloud_event_type(),
        time: "2026-01-10T07:30:15.123Z".to_owned(),
        traceparent: None,
        retries: None,
        payload: commit.encode().into(),
    }
}
