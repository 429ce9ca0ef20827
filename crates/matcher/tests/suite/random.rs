//! A seeded flow of everything that can be asked, held to the invariants of the market.

use std::collections::HashMap;

use fillstream_domain::{
    Amount, OrderId, Seq, Timestamp,
    book::{
        BookInput, Change, Definition, InputResult, OrderState, OrderType, SelfTradePrevention, Side,
        TimeInForce,
    },
};
use fillstream_matcher::{Applied, Audit, Machine, Pending, Recorded};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_decimal::Decimal;

use crate::desk::{amend, amount, cancel, clock, definition, limit, symbol, user_id, written_at};

/// Inputs around a price of 1000, a few of which cannot be read, change the definition, or are refused.
pub(crate) fn flow(seed: u64, inputs: u64) -> Vec<Recorded> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let mut now = 0;
    let mut all = vec![Recorded {
        seq: Seq::FIRST,
        stored_at: Timestamp::from_unix_ms(0),
        input: Ok(BookInput::Definition(definition())),
    }];
    for n in 1..inputs {
        now += dice.random_range(0..20);
        // The log's clock may be set back.
        let back = if dice.random_bool(0.01) { 50 } else { 0 };
        let input =
            if dice.random_bool(0.005) { Err(format!("damaged {n}")) } else { Ok(input(&mut dice, n, now)) };
        let input = input.map(|input| written_at(input, Timestamp::from_unix_ms(now)));
        let seq = all[all.len() - 1].seq.plus(dice.random_range(1..4));
        all.push(Recorded { seq, stored_at: Timestamp::from_unix_ms(now - back), input });
    }
    all
}

fn input(dice: &mut ChaCha8Rng, n: u64, now: i64) -> BookInput {
    let side = if dice.random_bool(0.5) { Side::Buy } else { Side::Sell };
    let recent = |dice: &mut ChaCha8Rng| u128::from(n.saturating_sub(dice.random_range(1..200)));
    match dice.random_range(0..1_000) {
        0 => {
            let rate = |dice: &mut ChaCha8Rng| amount(&format!("0.00{:04}", dice.random_range(0..3000)));
            let (maker_fee, taker_fee) = (rate(dice), rate(dice));
            let (max_makers, of_user) = (dice.random_range(2..30), Some(dice.random_range(40..120)));
            BookInput::Definition(Definition {
                maker_fee,
                taker_fee,
                max_makers,
                max_open_orders_per_user: of_user,
                ..definition()
            })
        }
        1..20 => clock(),
        20..270 => cancel_of_owner(recent(dice)),
        270..400 => {
            let quantity = dice.random_range(0..60).to_string();
            let price = (1_000 + dice.random_range(-12_i64..12)).to_string();
            let which = dice.random_range(0..3);
            let id = recent(dice);
            by_owner(id, amend(id, (which != 0).then_some(&quantity), (which != 1).then_some(&price)))
        }
        _ => BookInput::Placed(order(dice, side, n, now)),
    }
}

fn order(dice: &mut ChaCha8Rng, side: Side, n: u64, now: i64) -> fillstream_domain::book::BookPlaced {
    let quantity = dice.random_range(0..40).to_string();
    let away = dice.random_range(-12_i64..4);
    let price = if side == Side::Buy { 1_000 + away } else { 1_000 - away };
    let mut order = limit(side, u128::from(n), &quantity, &price.to_string());
    order.user_id = user_id(u128::from(n % 10));
    order.self_trade_prevention =
        SelfTradePrevention::ALL[dice.random_range(0..SelfTradePrevention::ALL.len())];
    match dice.random_range(0..20) {
        0 => (order.order_type, order.price) = (OrderType::Market, None),
        1 => {
            (order.order_type, order.price) = (OrderType::Market, None);
            order.time_in_force = TimeInForce::Fok;
        }
        2 => order.time_in_force = TimeInForce::Ioc,
        3 => order.time_in_force = TimeInForce::Fok,
        4..7 => {
            order.time_in_force = TimeInForce::Gtd;
            order.expires_at = Some(Timestamp::from_unix_ms(now + dice.random_range(-5..2_000)));
            order.post_only = dice.random_bool(0.3);
        }
        7 => order.post_only = true,
        _ => {}
    }
    order
}

fn cancel_of_owner(id: u128) -> BookInput {
    by_owner(id, cancel(id))
}

/// Orders belong to ten users.
fn by_owner(id: u128, input: BookInput) -> BookInput {
    match input {
        BookInput::AmendRequested(mut amend) => {
            amend.user_id = user_id(id % 10);
            BookInput::AmendRequested(amend)
        }
        BookInput::CancelRequested(mut cancel) => {
            cancel.user_id = user_id(id % 10);
            BookInput::CancelRequested(cancel)
        }
        other @ (BookInput::Placed(_) | BookInput::Definition(_) | BookInput::Clock(_)) => other,
    }
}

pub(crate) fn run(machine: &mut Machine, inputs: &[Recorded]) -> Vec<Applied> {
    inputs.iter().map(|input| machine.apply(input).unwrap()).collect()
}

/// Every order as it was told of last, and what all trades come to.
#[derive(Default)]
struct Sums {
    orders: HashMap<OrderId, OrderState>,
    trades: u32,
    traded: Decimal,
    quote: Decimal,
    paid: Decimal,
    received: Decimal,
    fees: Decimal,
}

impl Sums {
    fn read(&mut self, change: &Change) {
        match change {
            Change::Created(order) => {
                assert_eq!(self.orders.insert(order.order_id, order.clone()), None, "created twice");
            }
            Change::Trade(trade) => {
                let quote = trade.price.decimal() * trade.quantity.decimal();
                let (buyer_fee, seller_fee) = trade.fees();
                self.traded += trade.quantity.decimal();
                self.quote += quote;
                self.paid += quote + buyer_fee.decimal();
                self.received += quote - seller_fee.decimal();
                self.fees += buyer_fee.decimal() + seller_fee.decimal();
                self.trades += 1;
                for order in [&trade.maker, &trade.taker] {
                    self.orders.insert(order.order_id, order.clone());
                }
            }
            Change::Cancelled { order, .. } | Change::Amended(order) => {
                self.orders.insert(order.order_id, order.clone());
            }
            Change::Rejected(order) => assert!(!self.orders.contains_key(&order.order_id)),
        }
    }

    /// The sum of what buyers got is what sellers gave, quote paid is quote received plus fees, exactly.
    fn check(&self) {
        let sum = |side, value: fn(&OrderState) -> Amount| -> Decimal {
            self.orders.values().filter(|order| order.side == side).map(|order| value(order).decimal()).sum()
        };
        for side in [Side::Buy, Side::Sell] {
            assert_eq!(sum(side, |order| order.filled_quantity), self.traded, "{side}");
            assert_eq!(sum(side, |order| order.filled_quote), self.quote, "{side}");
        }
        let fee = |side| sum(side, |order| order.fee);
        assert_eq!(self.paid, self.quote + fee(Side::Buy));
        assert_eq!(self.received, self.quote - fee(Side::Sell));
        assert_eq!(self.paid, self.received + self.fees);
    }
}

/// Invariants 2, 6 and 7, as who reads the outcomes sees them.
#[test]
fn what_is_told_adds_up() {
    for seed in 0..3 {
        let (mut machine, mut audit, mut sums) = (Machine::new(symbol()), Audit::new(), Sums::default());
        let mut results = HashMap::new();
        for input in flow(seed, 15_000) {
            let outcome = machine.apply(&input).unwrap().outcome;
            assert_eq!(audit.read(&outcome), Ok(()));
            outcome.changes.iter().for_each(|change| sums.read(change));
            *results.entry(std::mem::discriminant(&outcome.result)).or_insert(0) += 1;
        }
        sums.check();
        let by_id = |orders: Vec<OrderState>| {
            orders.into_iter().map(|order| (order.order_id, order)).collect::<HashMap<_, _>>()
        };
        let (resting, alive) = (by_id(machine.resting().collect()), by_id(audit.alive().cloned().collect()));
        assert_eq!((resting.len(), resting == alive), (machine.book().len(), true));
        // Everything that can happen has happened, often.
        assert!(sums.trades > 2_000, "{} trades", sums.trades);
        assert_eq!(results.len(), 9, "{results:?}");
        assert!(results[&std::mem::discriminant(&InputResult::Amended)] > 200, "{results:?}");
    }
}

/// From any input on.
#[test]
fn an_audit_goes_on_behind_a_machine() {
    let mut machine = Machine::new(symbol());
    let inputs = flow(4, 3_000);
    let (before, behind) = inputs.split_at(2_000);
    run(&mut machine, before);
    let mut audit = Audit::behind(&machine);
    for applied in run(&mut machine, behind) {
        assert_eq!(audit.read(&applied.outcome), Ok(()));
    }
}

/// Invariant 8.
#[test]
fn the_same_flow_gives_the_same_bytes() {
    let inputs = flow(7, 10_000);
    let (one, other) = (run(&mut Machine::new(symbol()), &inputs), run(&mut Machine::new(symbol()), &inputs));
    assert_eq!(one, other);
    let commit = |applied: &[Applied]| {
        let mut pending = Pending::new();
        applied.iter().cloned().for_each(|applied| pending.push(applied));
        pending.cut(&symbol(), usize::MAX)
    };
    assert_eq!(commit(&one), commit(&other));
    let other = run(&mut Machine::new(symbol()), &flow(8, 10_000));
    assert_ne!(one.last().unwrap().hash, other.last().unwrap().hash);
}

/// Case 29.
#[test]
fn a_restored_machine_goes_on_as_if_nothing_had_been() {
    let inputs = flow(9, 6_000);
    let mut machine = Machine::new(symbol());
    let (mut whole, mut dice) = (Vec::new(), ChaCha8Rng::seed_from_u64(1));
    let mut points: Vec<usize> = (0..20).map(|_| dice.random_range(0..inputs.len())).collect();
    points.sort_unstable();
    let mut snapshots = Vec::new();
    for at in points {
        whole.extend(run(&mut machine, &inputs[whole.len()..at]));
        snapshots.push((at, machine.snapshot(), machine.hash(), machine.cursor()));
    }
    whole.extend(run(&mut machine, &inputs[whole.len()..]));
    for (at, bytes, hash, cursor) in snapshots {
        let mut restored = Machine::restore(&bytes).unwrap();
        assert_eq!((restored.snapshot(), restored.hash(), restored.cursor()), (bytes, hash, cursor));
        assert_eq!(run(&mut restored, &inputs[at..]), whole[at..], "from {at}");
        assert_eq!(restored.snapshot(), machine.snapshot());
    }
}

/// Every bit counts.
#[test]
fn a_damaged_snapshot_is_refused() {
    let mut machine = Machine::new(symbol());
    run(&mut machine, &flow(10, 300));
    let bytes = machine.snapshot();
    assert!(Machine::restore(&bytes).is_ok());
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        assert!(
            Machine::restore(&damaged).is_err(),
            "byte {at} of {}: {:?}",
            bytes.len(),
            damaged[at] as char
        );
        assert!(Machine::restore(&bytes[..at]).is_err(), "cut at {at}");
    }
}
