//! Two markets that go on as a matcher might have it: what it says is well-formed, not necessarily clever.

use std::cmp::Reverse;

use fillstream_domain::book::{
    BookPlaced, CancelReason, Change, Commit, Definition, InputResult, Levels, OrderState, OrderType,
    Outcome, Refusal, RefusalCode, SelfTradePrevention, Side, Symbol, TimeInForce, Trade, trade_id,
};
use fillstream_domain::{Amount, ClientKey, OrderId, Seq, Timestamp, UserId, parse_exact};
use fillstream_projections::market::{LevelRow, MarketBatch, MarketPatch, MarketRow};

use crate::lives::{Dice, Recorded, What};

pub const SYMBOLS: [&str; 2] = ["BTC/USDT", "ETH/USDT"];

pub fn symbol(number: usize) -> Symbol {
    SYMBOLS[number].parse().unwrap()
}

pub fn user(number: usize) -> UserId {
    format!("0198c0de-0000-7c3a-9f00-{number:012x}").parse().unwrap()
}

fn book_order(number: usize) -> OrderId {
    format!("0198c0de-1111-7c3a-9f00-{:012x}", number * 7919 % 1_048_576).parse().unwrap()
}

fn amount(number: usize) -> Amount {
    Amount::new(parse_exact(&format!("{number}.5")).unwrap()).unwrap()
}

fn whole(number: usize) -> Amount {
    Amount::new(parse_exact(&number.to_string()).unwrap()).unwrap()
}

fn at(seq: u64) -> Timestamp {
    Timestamp::from_unix_ms(1_768_030_215_000 + seq.cast_signed())
}

/// The markets so far.
#[derive(Default)]
pub struct Markets {
    placed: usize,
    defined: [bool; 2],
    open: [Vec<OrderState>; 2],
}

impl Markets {
    /// Some inputs and the commit that covers them.
    pub fn go_on(&mut self, stream: &mut Vec<Recorded>, seq: &mut u64, dice: &mut Dice) {
        let market = dice.roll(2);
        let mut outcomes = Vec::new();
        for _ in 0..=dice.roll(3) {
            *seq += 1;
            outcomes.push(self.input(market, stream, *seq, dice));
        }
        *seq += 1;
        let parts = cut(&symbol(market), *seq, outcomes, dice);
        *seq = parts.last().unwrap().0.get();
        stream.push(Recorded { seq: *seq, what: What::Commit(parts) });
    }

    fn input(&mut self, market: usize, stream: &mut Vec<Recorded>, seq: u64, dice: &mut Dice) -> Outcome {
        let known = self.open[market].len();
        let (result, changes) = match dice.roll(10) {
            _ if !self.defined[market] => return self.define(market, stream, seq),
            0 => return self.define(market, stream, seq),
            1 if known > 0 => {
                let order = self.open[market].swap_remove(dice.roll(known));
                (InputResult::Cancelled, vec![Change::Cancelled { order, reason: CancelReason::Requested }])
            }
            2 if known > 0 => {
                let order = &mut self.open[market][dice.roll(known)];
                order.quantity = sum(order.quantity, whole(1));
                (InputResult::Amended, vec![Change::Amended(order.clone())])
            }
            // Somebody has placed another order under the id of one that rests.
            3 if known > 0 => {
                let twice = self.open[market][dice.roll(known)].clone();
                let refusal = refusal(RefusalCode::DuplicateOrder);
                (InputResult::Rejected(refusal), vec![Change::Rejected(twice)])
            }
            4 => (InputResult::Ticked, vec![]),
            _ => self.place(market, stream, seq, dice),
        };
        Outcome {
            seq: Seq::new(seq),
            at: at(seq),
            result,
            continued: false,
            goes_on: false,
            changes,
            levels: levels(dice),
        }
    }

    fn define(&mut self, market: usize, stream: &mut Vec<Recorded>, seq: u64) -> Outcome {
        self.defined[market] = true;
        let definition = Definition::standard(symbol(market), at(seq));
        stream.push(Recorded { seq, what: What::Definition(definition) });
        let (result, changes, levels) = (InputResult::Defined, vec![], Levels::default());
        Outcome { seq: Seq::new(seq), at: at(seq), result, continued: false, goes_on: false, changes, levels }
    }

    fn place(
        &mut self,
        market: usize,
        stream: &mut Vec<Recorded>,
        seq: u64,
        dice: &mut Dice,
    ) -> (InputResult, Vec<Change>) {
        self.placed += 1;
        let mut taker = OrderState {
            order_id: book_order(self.placed),
            user_id: user(dice.roll(3)),
            side: if dice.roll(2) == 0 { Side::Buy } else { Side::Sell },
            order_type: OrderType::Limit,
            price: Some(amount(95 + dice.roll(10))),
            quantity: whole(5),
            filled_quantity: whole(0),
            filled_quote: whole(0),
            fee: whole(0),
        };
        if dice.roll(6) == 0 {
            (taker.order_type, taker.price) = (OrderType::Market, None);
        }
        stream.push(Recorded { seq, what: What::Placed(placed(market, seq, &taker)) });
        if dice.roll(8) == 0 {
            let refusal = refusal(RefusalCode::PriceBand);
            return (InputResult::Rejected(refusal), vec![Change::Rejected(taker)]);
        }
        let mut changes = vec![Change::Created(taker.clone())];
        for place in 0..u32::try_from(dice.roll(4)).unwrap() {
            let open = &mut self.open[market];
            let Some(found) = open.iter().position(|maker| maker.side != taker.side) else { break };
            for order in [&mut taker, &mut open[found]] {
                order.filled_quantity = sum(order.filled_quantity, whole(1));
                order.filled_quote = sum(order.filled_quote, amount(100));
                order.fee = sum(order.fee, amount(0));
            }
            let maker = open[found].clone();
            if maker.is_filled() {
                open.remove(found);
            }
            changes.push(Change::Trade(Box::new(Trade {
                trade_id: trade_id(&symbol(market), Seq::new(seq), place),
                price: amount(100),
                quantity: whole(1),
                maker_fee: amount(0),
                taker_fee: amount(0),
                maker,
                taker: taker.clone(),
            })));
        }
        if dice.roll(4) == 0 {
            let reason = CancelReason::NoLiquidity;
            changes.push(Change::Cancelled { order: taker, reason });
        } else {
            self.open[market].push(taker);
        }
        (InputResult::Accepted, changes)
    }
}

fn sum(one: Amount, other: Amount) -> Amount {
    Amount::new(one.decimal() + other.decimal()).unwrap()
}

fn refusal(code: RefusalCode) -> Refusal {
    Refusal { code, detail: "it's \"late\" \u{0} \\ ünï".to_owned() }
}

fn placed(market: usize, seq: u64, order: &OrderState) -> BookPlaced {
    BookPlaced {
        order_id: order.order_id,
        user_id: order.user_id,
        client_order_id: seq.is_multiple_of(2).then(|| ClientKey::new("it's-mine").unwrap()),
        symbol: symbol(market),
        side: order.side,
        order_type: order.order_type,
        time_in_force: TimeInForce::Gtd,
        price: order.price,
        quantity: order.quantity,
        expires_at: seq.is_multiple_of(3).then(|| at(seq + 1000)),
        post_only: seq.is_multiple_of(5),
        self_trade_prevention: SelfTradePrevention::CancelOldest,
        fingerprint: "9f86\u{0}d081".to_owned(),
        at: at(seq),
    }
}

fn levels(dice: &mut Dice) -> Levels {
    let mut side = |base: usize| {
        (0..dice.roll(3)).map(|_| (amount(base + dice.roll(12)), whole(dice.roll(3)))).collect()
    };
    Levels { bids: side(90), asks: side(102) }
}

/// In one part, or in several: then the last input goes on over two of them.
fn cut(symbol: &Symbol, seq: u64, mut outcomes: Vec<Outcome>, dice: &mut Dice) -> Vec<(Seq, Commit)> {
    let (first_input, last_input) = (outcomes[0].seq, outcomes.last().unwrap().seq);
    let mut parts = vec![outcomes.clone()];
    if dice.roll(4) == 0 {
        let mut begun = outcomes.pop().unwrap();
        let mut rest = Outcome {
            continued: true,
            changes: begun.changes.split_off(begun.changes.len() / 2),
            ..begun.clone()
        };
        begun.goes_on = true;
        (rest.levels.bids, begun.levels.asks) = (vec![], vec![]);
        parts = outcomes.into_iter().map(|outcome| vec![outcome]).chain([vec![begun], vec![rest]]).collect();
    }
    let count = parts.len();
    let parts = parts.into_iter().enumerate().map(|(place, outcomes)| {
        let last = place + 1 == count;
        let part = Commit {
            rules: fillstream_domain::book::Rules::TODAY,
            symbol: symbol.clone(),
            first_input,
            last_input,
            part: u32::try_from(place).unwrap() + 1,
            last,
            hash: last.then(|| format!("{seq:016x}")),
            outcomes,
        };
        (Seq::new(seq + place as u64), part)
    });
    parts.collect()
}

/// The market's row after a batch that begins with the stream.
pub fn row(batch: &MarketBatch, patch: &MarketPatch) -> MarketRow {
    let definition = batch.definitions().iter().find(|row| Some(row.seq) == patch.definition_seq);
    MarketRow {
        symbol: patch.symbol.clone(),
        definition: definition.map(|row| row.definition.clone()),
        definition_seq: patch.definition_seq,
        commit_seq: patch.commit_seq,
        last_input: patch.last_input,
        hash: patch.hash.clone(),
        market_time: patch.market_time.unwrap(),
        depth_seq: patch.depth_seq.unwrap_or(Seq::new(0)),
        depth_index: patch.depth_index.unwrap_or(0),
    }
}

/// The market's levels, bids then asks, best first.
pub fn book(batch: &MarketBatch, patch: &MarketPatch) -> Vec<LevelRow> {
    let of_market = batch.levels().filter(|level| level.symbol == patch.symbol && level.quantity > whole(0));
    let (mut bids, asks): (Vec<_>, Vec<_>) = of_market.cloned().partition(|level| level.side == Side::Buy);
    bids.sort_by_key(|level| Reverse(level.price));
    bids.extend(asks);
    bids
}
