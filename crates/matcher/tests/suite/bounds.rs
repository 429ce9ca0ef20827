//! Bounds of one input's effects and of a user's orders, and stamps that move market time.

use std::collections::HashSet;

use fillstream_domain::{
    OrderId, Timestamp,
    book::{
        BookInput, BookPlaced, CancelReason, Change, Definition, InputResult, Life, OrderType, Outcome,
        Pricing, RefusalCode, Side, TimeInForce,
    },
};
use fillstream_matcher::{Audit, Machine, Pending};

use crate::desk::{
    Desk, amend, amount, buy, cancel, changes, clock, definition, limit, order_id, refusal, sell, symbol,
    user_id,
};

/// When orders of these cases expire.
const EXPIRY: i64 = 50_000;

fn until(mut order: BookPlaced, ms: i64) -> BookInput {
    order.time_in_force = TimeInForce::Gtd;
    order.expires_at = Some(Timestamp::from_unix_ms(ms));
    BookInput::Placed(order)
}

fn ended(outcome: &Outcome) -> Vec<OrderId> {
    let expired = |change: &Change| match change {
        Change::Cancelled { order, reason: CancelReason::Expired } => Some(order.order_id),
        Change::Cancelled { .. }
        | Change::Created(_)
        | Change::Rejected(_)
        | Change::Trade(_)
        | Change::Amended(_) => None,
    };
    outcome.changes.iter().filter_map(expired).collect()
}

/// Thousands of orders whose time is over at the same instant, while others come: each input ends a few, its commit stays
/// small, nobody trades with what is due, and all of them end.
#[test]
fn what_is_due_at_once_ends_in_bounded_steps() {
    const ORDERS: u128 = 3_000;
    const MAX_MAKERS: u32 = 50;
    let mut desk = Desk::with(Definition { max_makers: MAX_MAKERS, ..definition() });
    let mut audit = Audit::new();
    let mut gone = HashSet::new();
    let mut read = |outcome: &Outcome| {
        assert_eq!(audit.read(outcome), Ok(()));
        let expired = ended(outcome);
        assert!(expired.len() <= 2 * MAX_MAKERS as usize, "{} in one input", expired.len());
        assert!(expired.iter().all(|order| gone.insert(*order)), "an order ends twice");
    };
    for id in 0..ORDERS {
        let price = (1_000 + id % 7).to_string();
        read(&desk.give(until(limit(Side::Sell, id, "1", &price), EXPIRY)));
    }
    let (mut inputs, mut pending) = (0, Pending::new());
    for round in 0.. {
        if desk.machine.book().is_empty() {
            break;
        }
        // A taker that reaches them all, a maker that may not trade, and time itself.
        let taker = 1_000_000 + round;
        let input = match round % 3 {
            0 => clock(),
            1 => buy(taker, "2", "1006"),
            _ => {
                let mut maker = limit(Side::Buy, taker, "1", "1000");
                maker.post_only = true;
                BookInput::Placed(maker)
            }
        };
        let applied = desk.give_at(EXPIRY + i64::try_from(round).unwrap(), Ok(input));
        let outcome = applied.outcome.clone();
        read(&outcome);
        assert!(!outcome.changes.iter().any(|change| matches!(change, Change::Trade(_))), "{outcome:?}");
        pending.push(applied);
        let parts = pending.cut(&symbol(), usize::MAX);
        assert!(parts.iter().all(|part| part.payload.len() < 60_000), "{} bytes", parts[0].payload.len());
        pending.drop_covered(desk.machine.cursor());
        // Whoever took what was free of the due ones goes again, so that the book empties.
        if let [.., Change::Created(_)] = &outcome.changes[..] {
            read(&desk.give_at(EXPIRY + i64::try_from(round).unwrap(), Ok(cancel(taker))).outcome);
        }
        inputs += 1;
    }
    let all: HashSet<_> = (0..ORDERS).map(order_id).collect();
    assert!(gone == all, "{} of {} have ended", gone.len(), all.len());
    assert!(inputs <= ORDERS / u128::from(MAX_MAKERS) + 3, "{inputs} inputs");
    assert!(!desk.machine.is_late());
}

/// An order that is due is gone for who asks for it, wherever in the line it stands.
#[test]
fn whoever_asks_for_an_order_that_is_due_finds_it_ended() {
    let late = || {
        let mut desk = Desk::with(Definition { max_makers: 1, ..definition() });
        for id in 1..=5 {
            desk.give(until(limit(Side::Sell, id, "1", "1000"), EXPIRY));
        }
        desk.give_at(EXPIRY, Ok(clock()));
        assert!(desk.machine.is_late() && desk.machine.book().len() == 4);
        desk
    };
    let mut desk = late();
    let outcome = desk.give_at(EXPIRY, Ok(cancel(5))).outcome;
    assert_eq!(changes(&outcome), ["done(5,1,expired)", "done(2,1,expired)"]);
    assert_eq!(refusal(&outcome).unwrap().0, RefusalCode::UnknownOrEnded);
    let mut desk = late();
    let outcome = desk.give_at(EXPIRY, Ok(amend(5, Some("3"), None))).outcome;
    assert_eq!(changes(&outcome), ["done(5,1,expired)", "done(2,1,expired)"]);
    assert_eq!(refusal(&outcome).unwrap().0, RefusalCode::UnknownOrEnded);
    // Its id may come again.
    let mut desk = late();
    let outcome = desk.give_at(EXPIRY, Ok(sell(5, "1", "1001"))).outcome;
    assert_eq!(changes(&outcome), ["done(5,1,expired)", "done(2,1,expired)", "new(5)"]);
    // An input that cannot be read ends nothing, as ever.
    let mut desk = late();
    let parked = desk.give_at(EXPIRY, Err("unreadable".to_owned())).outcome;
    assert_eq!((changes(&parked).len(), desk.machine.book().len()), (0, 4));
}

/// A machine that is restored amid the orders that are due goes on like the one that it was taken of.
#[test]
fn a_snapshot_amid_orders_that_are_due_goes_on() {
    let mut desk = Desk::with(Definition { max_makers: 7, ..definition() });
    for id in 0..100 {
        desk.give(until(limit(Side::Sell, id, "1", "1000"), EXPIRY));
    }
    desk.give_at(EXPIRY, Ok(clock()));
    let mut restored =
        Desk { machine: Machine::restore(&desk.machine.snapshot()).unwrap(), log: desk.log.clone() };
    for input in [buy(200, "5", "1000"), clock(), buy(201, "5", "2000"), cancel(99), clock()] {
        let one = desk.give_at(EXPIRY, Ok(input.clone()));
        assert_eq!(one, restored.give_at(EXPIRY, Ok(input)));
    }
    assert_eq!(desk.machine.snapshot(), restored.machine.snapshot());
}

#[test]
fn a_user_and_a_market_have_a_limit_of_open_orders() {
    let limits = |of_user, of_all| {
        let (max_open_orders_per_user, max_open_orders) = (of_user, of_all);
        Definition { max_open_orders_per_user, max_open_orders, ..definition() }
    };
    let mut desk = Desk::with(limits(Some(2), Some(4)));
    let by = |user: u128, id: u128, price: &str, change: fn(&mut BookPlaced)| {
        let mut order = limit(Side::Sell, id, "2", price);
        order.user_id = user_id(user);
        change(&mut order);
        BookInput::Placed(order)
    };
    let gtc = |_: &mut BookPlaced| ();
    let code = |desk: &mut Desk, input| refusal(&desk.give(input)).map(|(code, _)| code);
    let full = Some(RefusalCode::TooManyOpenOrders);
    assert_eq!(code(&mut desk, by(7, 1, "100", gtc)), None);
    assert_eq!(code(&mut desk, by(7, 2, "101", gtc)), None);
    let refused = desk.give(by(7, 3, "102", gtc));
    assert_eq!(changes(&refused), ["REJ(3)"]);
    let detail = "a user may have at most 2 open orders in this market (max_open_orders_per_user)";
    assert_eq!(refusal(&refused), Some((RefusalCode::TooManyOpenOrders, detail)));
    assert_eq!(code(&mut desk, by(7, 3, "102", |order| order.post_only = true)), full);
    // What never rests is not counted.
    assert_eq!(code(&mut desk, by(7, 3, "102", |order| order.time_in_force = TimeInForce::Ioc)), None);
    let market = |order: &mut BookPlaced| (order.order_type, order.price) = (OrderType::Market, None);
    assert_eq!(code(&mut desk, by(7, 4, "102", market)), None);
    // An order keeps its place among them when it is amended, whichever way.
    for (quantity, price) in [(Some("1"), None), (Some("9"), None), (None, Some("103"))] {
        let BookInput::AmendRequested(mut amend) = amend(2, quantity, price) else { panic!("an amend") };
        amend.user_id = user_id(7);
        assert_eq!(code(&mut desk, BookInput::AmendRequested(amend)), None);
    }
    assert_eq!(code(&mut desk, by(7, 5, "102", gtc)), full);
    // Each way in which one ends makes room: traded, cancelled, expired.
    assert_eq!(code(&mut desk, buy(100, "2", "100")), None);
    assert_eq!(code(&mut desk, by(7, 5, "104", gtc)), None);
    assert_eq!(code(&mut desk, by(7, 6, "104", gtc)), full);
    let BookInput::CancelRequested(mut gone) = cancel(5) else { panic!("a cancel") };
    gone.user_id = user_id(7);
    assert_eq!(code(&mut desk, BookInput::CancelRequested(gone)), None);
    let BookInput::Placed(mut placed) = by(7, 6, "104", gtc) else { panic!("an order") };
    placed.time_in_force = TimeInForce::Gtd;
    placed.expires_at = Some(Timestamp::from_unix_ms(EXPIRY));
    assert_eq!(code(&mut desk, BookInput::Placed(placed)), None);
    assert_eq!(code(&mut desk, by(7, 8, "104", gtc)), full);
    desk.give_at(EXPIRY, Ok(clock()));
    let outcome = desk.give_at(EXPIRY, Ok(by(7, 8, "104", gtc))).outcome;
    assert_eq!(outcome.result, InputResult::Accepted);
    // All users together.
    for (user, id) in [(8, 9), (9, 10)] {
        assert_eq!(desk.give_at(EXPIRY, Ok(by(user, id, "105", gtc))).outcome.result, InputResult::Accepted);
    }
    let refused = desk.give_at(EXPIRY, Ok(by(10, 11, "105", gtc))).outcome;
    assert_eq!(
        refusal(&refused),
        Some((
            RefusalCode::TooManyOpenOrders,
            "all users may have at most 4 open orders in this market (max_open_orders)"
        ))
    );
    // A snapshot counts them again.
    let mut restored =
        Desk { machine: Machine::restore(&desk.machine.snapshot()).unwrap(), log: desk.log.clone() };
    let outcome = restored.give_at(EXPIRY, Ok(by(7, 12, "104", gtc))).outcome;
    assert_eq!(refusal(&outcome).unwrap().0, RefusalCode::TooManyOpenOrders);
    // A definition that says nothing means the defaults.
    let absent = limits(None, None);
    assert_eq!((absent.open_orders_per_user(), absent.open_orders()), (10_000, 1_000_000));
    assert!(Pricing::Limit { price: definition().ticks(amount("5")).unwrap(), life: Life::Gtc }.may_rest());
}

/// One wrong clock kills nobody's orders and stops no market.
#[test]
fn a_stamp_far_ahead_does_not_move_market_time_there() {
    const YEARS: i64 = 10 * 365 * 24 * 3_600_000;
    let mut desk = Desk::open();
    let give = |desk: &mut Desk, stored_at: i64, at: i64, input: BookInput| {
        let stored_at = Timestamp::from_unix_ms(stored_at);
        let input = Ok(crate::desk::written_at(input, Timestamp::from_unix_ms(at)));
        let seq = desk.machine.cursor().next();
        desk.machine.apply(&fillstream_matcher::Recorded { seq, stored_at, input }).unwrap().outcome
    };
    give(&mut desk, 1_000, 1_000, until(limit(Side::Sell, 1, "1", "1000"), EXPIRY));
    // The stream's server is years ahead for a while: its writers' clocks count.
    assert_eq!(give(&mut desk, YEARS, 2_000, sell(2, "1", "1001")).at.unix_ms(), 2_000);
    assert_eq!(give(&mut desk, YEARS, 2_500, clock()).at.unix_ms(), 2_500);
    assert_eq!(give(&mut desk, 3_000, 3_000, sell(3, "1", "1001")).at.unix_ms(), 3_000);
    // A writer that is years ahead or behind counts for nothing while the stream's server is right.
    assert_eq!(give(&mut desk, 4_000, YEARS, sell(4, "1", "1001")).at.unix_ms(), 4_000);
    assert_eq!(give(&mut desk, 4_500, -YEARS, sell(5, "1", "1001")).at.unix_ms(), 4_000);
    assert_eq!(desk.machine.book().len(), 5, "nothing has expired");
    // A stamp as far ahead as clocks may be apart counts, one more does not.
    assert_eq!(give(&mut desk, 66_000, 6_000, clock()).at.unix_ms(), 66_000);
    assert_eq!(desk.machine.book().len(), 4, "order 1 has expired");
    assert_eq!(give(&mut desk, 200_001, 140_000, sell(6, "1", "1001")).at.unix_ms(), 140_000);
    // All were years ahead, and were set right: what they said then holds, the next clock input turns the market back.
    assert_eq!(give(&mut desk, YEARS, YEARS, sell(7, "1", "1001")).at.unix_ms(), YEARS);
    assert_eq!(give(&mut desk, 150_000, 150_000, sell(8, "1", "1001")).at.unix_ms(), YEARS);
    // The server alone has gone back: nothing says that it is right.
    assert_eq!(give(&mut desk, 150_000, YEARS, clock()).at.unix_ms(), YEARS);
    assert_eq!(
        give(&mut desk, YEARS - 60_000, YEARS - 60_000, clock()).at.unix_ms(),
        YEARS,
        "no more than they may"
    );
    assert_eq!(give(&mut desk, 151_000, 150_000, clock()).at.unix_ms(), 151_000);
    let next = give(&mut desk, 152_000, 152_000, until(limit(Side::Sell, 9, "1", "1000"), 160_000));
    assert_eq!((next.result, next.at.unix_ms()), (InputResult::Accepted, 152_000));
}
