//! The book's cases as far as they are the machine's business.

use fillstream_domain::{
    Seq, Timestamp, UserId,
    book::{
        BookInput, BookPlaced, InputResult, OrderType, RefusalCode, SelfTradePrevention, Side, TimeInForce,
    },
};

use crate::desk::{
    Desk, amend, amount, buy, cancel, changes, clock, levels, limit, order_id, refusal, sell, user_id,
};

/// Gives `inputs` after `before`; the last one's changes and levels.
fn check(before: &[&BookInput], last: BookInput, expected: &[&str], expected_levels: &str) {
    let mut desk = Desk::open();
    for input in before {
        desk.give((*input).clone());
    }
    let outcome = desk.give(last);
    assert_eq!(changes(&outcome), expected, "{outcome:?}");
    assert_eq!(levels(&outcome), expected_levels, "{outcome:?}");
}

fn with(order: BookInput, change: impl FnOnce(&mut BookPlaced)) -> BookInput {
    let BookInput::Placed(mut order) = order else { panic!("{order:?} is no order") };
    change(&mut order);
    BookInput::Placed(order)
}

fn gtd(order: BookInput, ms: i64) -> BookInput {
    with(order, |order| {
        order.time_in_force = TimeInForce::Gtd;
        order.expires_at = Some(Timestamp::from_unix_ms(ms));
    })
}

#[test]
fn what_is_told_of_orders_and_levels() {
    let market = |id, quantity| {
        with(buy(id, quantity, "1"), |order| {
            (order.order_type, order.price) = (OrderType::Market, None);
        })
    };
    let in_force = |order, time_in_force| with(order, |order| order.time_in_force = time_in_force);
    let (s1, s2) = (sell(1, "10", "100"), sell(2, "10", "101"));
    check(&[], s1.clone(), &["new(1)"], " / 10@100");
    check(&[&s1, &s2], buy(3, "15", "101"), &["new(3)", "T(3,1,100,10)", "T(3,2,101,5)"], " / 0@100 5@101");
    check(&[&s1], buy(3, "15", "102"), &["new(3)", "T(3,1,100,10)"], "5@102 / 0@100");
    // What came and went within the input is no change of a level.
    check(&[&s1], in_force(buy(3, "5", "99"), TimeInForce::Ioc), &["new(3)", "done(3,5,IOC)"], " / ");
    check(&[&s1], in_force(buy(3, "11", "100"), TimeInForce::Fok), &["new(3)", "done(3,11,FOK)"], " / ");
    check(&[&s1], market(3, "12"), &["new(3)", "T(3,1,100,10)", "done(3,2,no liquidity)"], " / 0@100");
    check(&[&s1, &buy(2, "4", "100")], cancel(1), &["done(1,6,requested)"], " / 0@100");
    check(&[&s1, &s2], amend(1, Some("6"), None), &["A(1,6@100)"], " / 6@100");
    check(&[&s1, &s2], amend(1, Some("12"), Some("101")), &["A(1,12@101)"], " / 0@100 22@101");
    check(
        &[&buy(1, "10", "100"), &sell(2, "10", "105")],
        amend(1, Some("12"), Some("106")),
        &["A(1,12@106)", "T(1,2,105,10)"],
        "2@106 0@100 / 0@105",
    );
    check(&[&s1, &buy(2, "4", "100")], amend(1, Some("4"), None), &["A(1,4@100)"], " / 0@100");
    check(&[&s1], amend(1, Some("10"), Some("100")), &[], " / ");
    // A requeued order at its own level: the level is what it was.
    check(
        &[&s1, &sell(2, "5", "100"), &amend(1, Some("11"), None)],
        amend(1, Some("10"), None),
        &["A(1,10@100)"],
        " / 15@100",
    );
}

#[test]
fn self_trade_prevention_tells_of_both() {
    let own = |order: BookInput, prevention| {
        with(order, |order| {
            (order.user_id, order.self_trade_prevention) = (user_id(7), prevention);
        })
    };
    let before = [sell(1, "10", "100"), own(sell(2, "10", "100"), SelfTradePrevention::None)];
    for (prevention, expected, expected_levels) in [
        (
            SelfTradePrevention::CancelNewest,
            &["new(3)", "T(3,1,100,10)", "done(3,5,self trade)"][..],
            " / 10@100",
        ),
        (
            SelfTradePrevention::CancelOldest,
            &["new(3)", "T(3,1,100,10)", "done(2,10,self trade)"],
            "5@100 / 0@100",
        ),
        (
            SelfTradePrevention::CancelBoth,
            &["new(3)", "T(3,1,100,10)", "done(2,10,self trade)", "done(3,5,self trade)"],
            " / 0@100",
        ),
        (SelfTradePrevention::None, &["new(3)", "T(3,1,100,10)", "T(3,2,100,5)"], " / 5@100"),
    ] {
        let mut desk = Desk::open();
        before.iter().for_each(|input| drop(desk.give(input.clone())));
        let outcome = desk.give(own(buy(3, "15", "100"), prevention));
        let mut found = changes(&outcome);
        // Which of the two is told first is the book's to say.
        found[2..].sort();
        assert_eq!(found, expected, "{prevention}");
        assert_eq!(levels(&outcome), expected_levels, "{prevention}");
    }
}

/// Case 27.
#[test]
fn an_order_ends_before_the_input_that_reaches_its_expiry() {
    for (at, expected) in [
        (49, &["new(2)", "T(2,1,100,10)"][..]),
        (50, &["done(1,10,expired)", "new(2)"]),
        (51, &["done(1,10,expired)", "new(2)"]),
    ] {
        let mut desk = Desk::open();
        desk.give_at(10, Ok(gtd(sell(1, "10", "100"), 50)));
        assert_eq!(desk.machine.next_expiry(), Some(Timestamp::from_unix_ms(50)));
        let outcome = desk.give_at(at, Ok(buy(2, "10", "100"))).outcome;
        assert_eq!(
            (changes(&outcome), outcome.at.unix_ms()),
            (expected.iter().map(|s| (*s).to_owned()).collect(), at)
        );
        assert_eq!(desk.machine.next_expiry(), None);
    }
}

#[test]
fn time_is_the_latest_recorded_time() {
    let mut desk = Desk::open();
    desk.give_at(10, Ok(gtd(sell(1, "10", "100"), 50)));
    // The log's clock was set back: the market's was not.
    assert_eq!(desk.give_at(60, Ok(clock())).outcome.changes.len(), 1);
    let outcome = desk.give_at(20, Ok(gtd(sell(2, "10", "100"), 55))).outcome;
    assert_eq!((outcome.at.unix_ms(), desk.machine.market_time().unix_ms()), (60, 60));
    assert_eq!(refusal(&outcome).unwrap().0, RefusalCode::Expired);
    // A cancel that comes with the expiry comes too late.
    desk.give_at(61, Ok(gtd(sell(3, "10", "100"), 70)));
    let outcome = desk.give_at(70, Ok(cancel(3))).outcome;
    assert_eq!(changes(&outcome), ["done(3,10,expired)"]);
    assert_eq!(refusal(&outcome).unwrap().0, RefusalCode::UnknownOrEnded);
}

/// Case 28, and the terms.
#[test]
fn a_refused_order_changes_nothing_and_names_the_rule() {
    use RefusalCode::{
        DuplicateOrder, Expired, LotSize, MaxPrice, MaxQuantity, MinNotional, MinPrice, MinQuantity, Terms,
        TickSize, WouldTake,
    };
    type Edit = fn(&mut BookPlaced);
    let rows: &[(Edit, RefusalCode, &str)] = &[
        (|o| o.quantity = amount("0"), MinQuantity, "quantity must be at least 1 (min_quantity)"),
        (|o| o.quantity = amount("1.5"), LotSize, "quantity must be a multiple of 1 (lot_size)"),
        (|o| o.quantity = amount("1000001"), MaxQuantity, "quantity must be at most 1000000 (max_quantity)"),
        (|o| o.price = Some(amount("0")), MinPrice, "price must be at least 1 (min_price)"),
        (|o| o.price = Some(amount("90.5")), TickSize, "price must be a multiple of 1 (tick_size)"),
        (|o| o.price = Some(amount("100001")), MaxPrice, "price must be at most 100000 (max_price)"),
        (
            |o| (o.price, o.quantity) = (Some(amount("2")), amount("2")),
            MinNotional,
            "price times quantity must be at least 5 (min_notional)",
        ),
        (|o| o.price = None, Terms, "LIMIT needs a price"),
        (|o| o.order_type = OrderType::Market, Terms, "MARKET has no price"),
        (
            |o| (o.order_type, o.price, o.post_only) = (OrderType::Market, None, true),
            Terms,
            "post_only goes with LIMIT",
        ),
        (|o| o.time_in_force = TimeInForce::Gtd, Terms, "expires_at belongs to GTD, and GTD needs it"),
        (
            |o| o.expires_at = Some(Timestamp::from_unix_ms(99)),
            Terms,
            "expires_at belongs to GTD, and GTD needs it",
        ),
        (
            |o| (o.post_only, o.time_in_force) = (true, TimeInForce::Ioc),
            Terms,
            "post_only goes with GTC and GTD",
        ),
        (
            |o| (o.post_only, o.time_in_force) = (true, TimeInForce::Fok),
            Terms,
            "post_only goes with GTC and GTD",
        ),
        (
            |o| {
                (o.order_type, o.price, o.time_in_force) = (OrderType::Market, None, TimeInForce::Gtd);
                o.expires_at = Some(Timestamp::from_unix_ms(99));
            },
            Terms,
            "MARKET does not wait for an expiry",
        ),
        (
            |o| {
                o.time_in_force = TimeInForce::Gtd;
                o.expires_at = Some(Timestamp::from_unix_ms(3));
            },
            Expired,
            "expired at 1970-01-01T00:00:00.003Z, and it is 1970-01-01T00:00:00.003Z",
        ),
        (
            |o| (o.post_only, o.price) = (true, Some(amount("100"))),
            WouldTake,
            "the post-only order would take",
        ),
        (|o| o.order_id = order_id(1), DuplicateOrder, "an order with this id is already in the book"),
        (
            |o| (o.order_id, o.price) = (order_id(1), None),
            DuplicateOrder,
            "an order with this id is already in the book",
        ),
    ];
    for (edit, code, detail) in rows {
        let mut desk = Desk::open();
        desk.give(sell(1, "10", "100"));
        let book = desk.machine.book().hash();
        let mut order = limit(Side::Buy, 2, "10", "90");
        edit(&mut order);
        let outcome = desk.give(BookInput::Placed(order.clone()));
        assert!(matches!(outcome.result, InputResult::Rejected(_)), "{outcome:?}");
        assert_eq!(refusal(&outcome), Some((*code, *detail)));
        assert_eq!((desk.machine.book().hash(), outcome.levels.is_empty()), (book, true), "{detail}");
        let Some(fillstream_domain::book::Change::Rejected(told)) = outcome.changes.first() else {
            // Of the order that rests under the id nothing is told.
            assert_eq!((*code, outcome.changes.len()), (DuplicateOrder, 0));
            continue;
        };
        assert_eq!((told.quantity, told.price, outcome.changes.len()), (order.quantity, order.price, 1));
    }
}

/// Cases 12 and 18: an amend is judged like an order, and a refused one changes nothing.
#[test]
fn a_refused_amend_or_cancel_changes_nothing() {
    use RefusalCode::{
        BelowFilled, LotSize, MaxQuantity, MinNotional, MinPrice, MinQuantity, NotOwner, TickSize,
        UnknownOrEnded,
    };
    let by = |input: BookInput, user: UserId| match input {
        BookInput::AmendRequested(mut amend) => {
            amend.user_id = user;
            BookInput::AmendRequested(amend)
        }
        BookInput::CancelRequested(mut cancel) => {
            cancel.user_id = user;
            BookInput::CancelRequested(cancel)
        }
        other @ (BookInput::Placed(_) | BookInput::Definition(_) | BookInput::Clock(_)) => other,
    };
    for (input, code) in [
        (cancel(999), UnknownOrEnded),
        (amend(999, Some("5"), None), UnknownOrEnded),
        (amend(3, Some("5"), None), UnknownOrEnded),
        (by(cancel(1), user_id(2)), NotOwner),
        (by(amend(1, Some("5"), None), user_id(2)), NotOwner),
        (amend(2, Some("0"), None), MinQuantity),
        (amend(1, Some("0"), None), MinQuantity),
        (amend(1, Some("3"), None), BelowFilled),
        (amend(1, Some("9.5"), None), LotSize),
        (amend(1, Some("1000001"), None), MaxQuantity),
        (amend(1, None, Some("100.5")), TickSize),
        (amend(1, Some("4"), Some("100.5")), TickSize),
        (amend(1, None, Some("0")), MinPrice),
        (amend(2, Some("1"), Some("3")), MinNotional),
    ] {
        let mut desk = Desk::open();
        desk.give(sell(1, "10", "100"));
        desk.give(buy(3, "4", "100"));
        desk.give(buy(2, "4", "50"));
        let book = desk.machine.book().hash();
        let outcome = desk.give(input.clone());
        assert!(matches!(outcome.result, InputResult::Refused(_)), "{input:?} {outcome:?}");
        assert_eq!(refusal(&outcome).map(|(code, _)| code), Some(code), "{input:?}");
        assert_eq!((desk.machine.book().hash(), outcome.changes.len()), (book, 0), "{input:?}");
        assert!(outcome.levels.is_empty());
    }
}

#[test]
fn the_makers_of_one_input_are_bounded() {
    let mut desk =
        Desk::with(fillstream_domain::book::Definition { max_makers: 2, ..crate::desk::definition() });
    (1..=3).for_each(|id| drop(desk.give(sell(id, "5", "100"))));
    let outcome = desk.give(buy(4, "15", "100"));
    assert_eq!(changes(&outcome), ["new(4)", "T(4,1,100,5)", "T(4,2,100,5)", "done(4,5,max makers)"]);
    // One that could only be filled by more than that is not filled at all.
    desk.give(sell(5, "5", "100"));
    desk.give(sell(6, "5", "100"));
    let fok = with(buy(7, "15", "100"), |order| order.time_in_force = TimeInForce::Fok);
    let outcome = desk.give(fok);
    assert_eq!(changes(&outcome)[0], "new(7)");
    assert_eq!(outcome.changes.len(), 2);
}

/// Case 30.
#[test]
fn the_same_input_twice_and_one_that_cannot_be_read() {
    let mut desk = Desk::open();
    desk.give_at(10, Ok(gtd(sell(1, "10", "100"), 50)));
    let hash = desk.machine.hash();
    for recorded in desk.log.clone() {
        let again = desk.machine.apply(&recorded).unwrap_err();
        assert_eq!((again.seq, again.cursor, desk.machine.hash()), (recorded.seq, Seq::new(20), hash));
    }
    let (book, time) = (desk.machine.book().hash(), desk.machine.market_time());
    let applied = desk.give_at(1_000, Err("no JSON".to_owned()));
    assert_eq!(applied.outcome.result, InputResult::Parked { reason: "no JSON".to_owned() });
    assert_eq!((applied.outcome.at, desk.machine.market_time()), (time, time));
    assert_eq!((desk.machine.book().hash(), desk.machine.cursor()), (book, Seq::new(30)));
    assert_eq!(changes(&desk.give_at(49, Ok(buy(2, "10", "100"))).outcome), ["new(2)", "T(2,1,100,10)"]);
}
