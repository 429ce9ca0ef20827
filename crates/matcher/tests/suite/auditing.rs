//! An audit that finds nothing would be worth nothing: each invariant, broken.

use fillstream_domain::Seq;
use fillstream_domain::book::{CancelReason, Change, OrderState, Outcome, Side, Trade};
use fillstream_matcher::Audit;

use crate::desk::{Desk, amend, amount, buy, cancel, sell};

/// Two asks; a bid that takes the first and rests; an amend, a cancel.
fn outcomes() -> Vec<Outcome> {
    let mut desk = Desk::open();
    let inputs = [
        sell(1, "10", "100"),
        sell(2, "10", "101"),
        buy(3, "15", "100"),
        amend(2, Some("5"), None),
        cancel(3),
    ];
    inputs.into_iter().map(|input| desk.give(input)).collect()
}

fn trade(outcomes: &mut [Outcome]) -> &mut Trade {
    let Change::Trade(trade) = &mut outcomes[2].changes[1] else { panic!("it trades") };
    trade
}

fn cancelled(outcomes: &mut [Outcome]) -> &mut OrderState {
    let Change::Cancelled { order, .. } = &mut outcomes[4].changes[0] else { panic!("it is cancelled") };
    order
}

#[test]
fn each_broken_invariant_is_found() {
    let check = |edit: &dyn Fn(&mut [Outcome]), seq, what: &str| {
        let mut outcomes = outcomes();
        edit(&mut outcomes);
        let mut audit = Audit::new();
        let found =
            outcomes.iter().find_map(|outcome| audit.read(outcome).err()).expect("something is found");
        assert_eq!(found.seq, Seq::new(seq), "{found}");
        assert!(found.what.contains(what), "{found}");
    };
    check(&|all| trade(all).quantity = amount("9"), 40, "does not grow by its trade");
    check(&|all| trade(all).maker_fee = amount("9"), 40, "does not grow by its trade");
    check(&|all| trade(all).taker.fee = amount("9"), 40, "does not grow by its trade");
    check(&|all| trade(all).maker.filled_quote = amount("9"), 40, "does not grow by its trade");
    check(&|all| trade(all).price = amount("99"), 40, "not at the maker's price");
    check(&|all| trade(all).taker.price = Some(amount("99")), 40, "trades through its limit");
    check(&|all| trade(all).taker.side = Side::Sell, 40, "one side");
    check(&|all| trade(all).taker.quantity = amount("9"), 40, "trades too much");
    check(&|all| all[2].levels.bids.clear(), 40, "the orders make");
    check(&|all| all[2].levels.asks.push((amount("102"), amount("1"))), 40, "the orders make");
    check(&|all| drop(all[2].changes.remove(0)), 40, "is not alive");
    check(&|all| cancelled(all).quantity = amount("14"), 60, "is not what it was");
    let twice = |all: &mut [Outcome]| {
        let again = all[4].changes[0].clone();
        all[4].changes.push(again);
    };
    check(&twice, 60, "is not alive");
    let again = |all: &mut [Outcome]| all[1].changes = all[0].changes.clone();
    check(&again, 30, "is created while it is alive");
    let rejected = |all: &mut [Outcome]| {
        let Change::Created(order) = all[0].changes[0].clone() else { panic!("it is created") };
        all[1].changes.push(Change::Rejected(order));
    };
    check(&rejected, 30, "is rejected while it is alive");
    let filled_by_amend = |all: &mut [Outcome]| {
        let Change::Amended(order) = &mut all[3].changes[0] else { panic!("it is amended") };
        order.filled_quantity = amount("1");
    };
    check(&filled_by_amend, 50, "an amend of");
    // Two orders that should have met.
    let crossed = |all: &mut [Outcome]| {
        all[2].changes.remove(1);
        all[2].levels.bids[0].1 = amount("15");
        all[2].levels.asks.clear();
    };
    check(&crossed, 40, "the book is crossed: 100 and 100");
}

#[test]
fn an_untouched_flow_passes() {
    let mut audit = Audit::new();
    let all = outcomes();
    all.iter().for_each(|outcome| assert_eq!(audit.read(outcome), Ok(())));
    assert!(matches!(all[4].changes[0], Change::Cancelled { reason: CancelReason::Requested, .. }));
    assert_eq!(audit.alive().count(), 1);
}
