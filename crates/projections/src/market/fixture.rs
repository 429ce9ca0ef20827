//! Hand-made commits of BTC/USDT. Orders and users are numbered.

use fillstream_domain::book::{
    BookPlaced, CancelReason, Change, Commit, InputResult, Levels, OrderState, OrderType, Outcome, Refusal,
    RefusalCode, SelfTradePrevention, Side, Symbol, TimeInForce, Trade, trade_id,
};
use fillstream_domain::{Amount, OrderId, Seq, Timestamp, UserId, parse_exact};
use rust_decimal::Decimal;

pub(crate) fn amount(text: &str) -> Amount {
    Amount::new(parse_exact(text).unwrap()).unwrap()
}

pub(crate) fn symbol() -> Symbol {
    "BTC/USDT".parse().unwrap()
}

pub(crate) fn order(number: u32) -> OrderId {
    format!("0198c0de-7a5e-7c3a-9f00-{number:012}").parse().unwrap()
}

pub(crate) fn user(number: u32) -> UserId {
    format!("0198c0de-0000-7c3a-9f00-{number:012}").parse().unwrap()
}

/// Market time of the input at `seq`.
pub(crate) fn at(seq: u64) -> Timestamp {
    Timestamp::from_unix_ms(1_768_030_215_000 + i64::try_from(seq).unwrap())
}

/// A limit order at 100: what is filled of it was filled there, its fee is 0.1 per unit.
pub(crate) fn state(number: u32, owner: u32, side: Side, quantity: &str, filled: &str) -> OrderState {
    let times = |factor| Amount::new(amount(filled).decimal() * factor).unwrap();
    OrderState {
        order_id: order(number),
        user_id: user(owner),
        side,
        order_type: OrderType::Limit,
        price: Some(amount("100")),
        quantity: amount(quantity),
        filled_quantity: amount(filled),
        filled_quote: times(Decimal::ONE_HUNDRED),
        fee: times(Decimal::new(1, 1)),
    }
}

pub(crate) fn placed(number: u32, owner: u32, side: Side, quantity: &str) -> BookPlaced {
    BookPlaced {
        order_id: order(number),
        user_id: user(owner),
        client_order_id: None,
        symbol: symbol(),
        side,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Gtc,
        price: Some(amount("100")),
        quantity: amount(quantity),
        expires_at: None,
        post_only: number.is_multiple_of(2),
        self_trade_prevention: SelfTradePrevention::None,
        fingerprint: "f".to_owned(),
        at: at(0),
    }
}

pub(crate) fn trade(input: u64, place: u32, quantity: &str, taker: OrderState, maker: OrderState) -> Change {
    Change::Trade(Box::new(Trade {
        trade_id: trade_id(&symbol(), Seq::new(input), place),
        price: amount("100"),
        quantity: amount(quantity),
        maker_fee: amount("0.05"),
        taker_fee: amount("0.1"),
        maker,
        taker,
    }))
}

pub(crate) fn cancelled(order: OrderState, reason: CancelReason) -> Change {
    Change::Cancelled { order, reason }
}

pub(crate) fn refusal(code: RefusalCode) -> Refusal {
    Refusal { code, detail: "must be good".to_owned() }
}

/// `bids`, `asks`: pairs of price and quantity.
pub(crate) fn levels(bids: &[(&str, &str)], asks: &[(&str, &str)]) -> Levels {
    let side = |levels: &[(&str, &str)]| {
        levels.iter().map(|(price, quantity)| (amount(price), amount(quantity))).collect()
    };
    Levels { bids: side(bids), asks: side(asks) }
}

pub(crate) fn outcome(seq: u64, result: InputResult, changes: Vec<Change>, levels: Levels) -> Outcome {
    Outcome { seq: Seq::new(seq), at: at(seq), result, continued: false, goes_on: false, changes, levels }
}

/// A commit in one part.
pub(crate) fn commit(outcomes: Vec<Outcome>) -> Commit {
    let input = |outcome: Option<&Outcome>| outcome.map_or(Seq::ZERO, |outcome| outcome.seq);
    Commit {
        rules: fillstream_domain::book::Rules::TODAY,
        symbol: symbol(),
        first_input: input(outcomes.first()),
        last_input: input(outcomes.last()),
        part: 1,
        last: true,
        hash: Some("00000000000000ff".to_owned()),
        outcomes,
    }
}

/// A commit in parts, the first at `seq`. An input that is in two of them goes on.
pub(crate) fn parts(seq: u64, outcomes: Vec<Vec<Outcome>>) -> Vec<(Seq, Commit)> {
    let (first, end) = (outcomes[0][0].seq, outcomes.last().unwrap().last().unwrap().seq);
    let inputs: Vec<_> = outcomes.iter().map(|part| (part[0].seq, part.last().unwrap().seq)).collect();
    let mut parts = Vec::new();
    for (place, outcomes) in outcomes.into_iter().enumerate() {
        let last = place + 1 == inputs.len();
        let mut part = Commit { first_input: first, last_input: end, last, ..commit(outcomes) };
        part.part = u32::try_from(place).unwrap() + 1;
        part.hash = part.hash.filter(|_| last);
        part.outcomes[0].continued = place > 0 && inputs[place - 1].1 == inputs[place].0;
        let goes_on = !last && inputs[place].1 == inputs[place + 1].0;
        part.outcomes.last_mut().unwrap().goes_on = goes_on;
        parts.push((Seq::new(seq + place as u64), part));
    }
    parts
}
