use fillstream_domain::Seq;
use fillstream_domain::book::{InputResult::*, Levels};
use serde_json::{Value, json};

use super::super::fixture::{
    at, cancelled, commit, order, outcome, parts, refusal, state, symbol, trade, user,
};
use super::Side::{Buy, Sell};
use super::*;

fn told(result: InputResult, changes: Vec<Change>) -> Messages {
    messages(Seq::new(30), &commit(vec![outcome(17, result, changes, Levels::default())]))
}

/// Each as `order user action status filled/quantity left seq.index[!]`, `!` on the last of its part and channel.
fn shown(messages: &Messages) -> Vec<String> {
    let number = |id: String| id.rsplit('-').next().unwrap().trim_start_matches('0').to_owned();
    let word = |value: Value| value.as_str().unwrap().to_owned();
    let each = messages.orders.iter().map(|message| {
        let Message { body, seq, index, last } = message;
        format!(
            "{} u{} {} {} {}/{} {} {seq}.{index}{}",
            number(body.order_id.to_string()),
            number(body.user_id.to_string()),
            word(json!(body.action)),
            body.status,
            body.filled_quantity,
            body.quantity,
            body.remaining_quantity,
            if *last { "!" } else { "" },
        )
    });
    each.collect()
}

fn check(result: InputResult, changes: Vec<Change>, orders: &[&str], trades: usize) {
    let told = told(result, changes);
    assert_eq!(shown(&told), orders);
    let places: Vec<_> = told.trades.iter().map(|trade| (trade.seq, trade.index, trade.last)).collect();
    let expected =
        (0..trades).map(|place| (Seq::new(30), u32::try_from(place).unwrap(), place + 1 == trades));
    assert_eq!(places, expected.collect::<Vec<_>>());
}

#[test]
fn an_order_is_created() {
    check(Accepted, vec![Change::Created(state(1, 7, Buy, "2", "0"))], &["1 u7 created OPEN 0/2 2 30.0!"], 0);
}

#[test]
fn both_sides_hear_of_a_trade_the_taker_first() {
    let created = || Change::Created(state(2, 8, Sell, "2", "0"));
    check(
        Accepted,
        vec![created(), trade(17, 0, "2", state(2, 8, Sell, "2", "2"), state(1, 7, Buy, "2", "2"))],
        &["2 u8 created OPEN 0/2 2 30.0", "2 u8 filled FILLED 2/2 0 30.1!", "1 u7 filled FILLED 2/2 0 30.0!"],
        1,
    );
    check(
        Accepted,
        vec![created(), trade(17, 0, "1.5", state(2, 8, Sell, "2", "1.5"), state(1, 7, Buy, "4", "3"))],
        &[
            "2 u8 created OPEN 0/2 2 30.0",
            "2 u8 partially_filled OPEN 1.5/2 0.5 30.1!",
            "1 u7 partially_filled OPEN 3/4 1 30.0!",
        ],
        1,
    );
}

#[test]
fn a_user_who_trades_with_himself_hears_both() {
    check(
        Accepted,
        vec![
            Change::Created(state(2, 7, Sell, "1", "0")),
            trade(17, 0, "1", state(2, 7, Sell, "1", "1"), state(1, 7, Buy, "2", "1")),
        ],
        &[
            "2 u7 created OPEN 0/1 1 30.0",
            "2 u7 filled FILLED 1/1 0 30.1",
            "1 u7 partially_filled OPEN 1/2 1 30.2!",
        ],
        1,
    );
}

#[test]
fn a_cancel_says_why() {
    for (reason, word) in [
        (CancelReason::Requested, "requested"),
        (CancelReason::Expired, "expired"),
        (CancelReason::ImmediateOrCancel, "immediate_or_cancel"),
        (CancelReason::FillOrKill, "fill_or_kill"),
        (CancelReason::NoLiquidity, "no_liquidity"),
        (CancelReason::SelfTrade, "self_trade"),
        (CancelReason::MaxMakers, "max_makers"),
    ] {
        let change = || vec![cancelled(state(1, 7, Buy, "2", "0.5"), reason)];
        check(Cancelled, change(), &["1 u7 cancelled CANCELLED 0.5/2 0 30.0!"], 0);
        assert_eq!(json!(told(Cancelled, change()).orders[0])["reason"], word);
    }
}

#[test]
fn an_amend_is_one_update_also_when_it_ends_the_order() {
    let amended = |filled| vec![Change::Amended(state(1, 7, Buy, "2", filled))];
    check(Amended, amended("0.5"), &["1 u7 amended OPEN 0.5/2 1.5 30.0!"], 0);
    check(Amended, amended("2"), &["1 u7 amended FILLED 2/2 0 30.0!"], 0);
    check(Unchanged, vec![], &[], 0);
    check(Refused(refusal(RefusalCode::NotOwner)), vec![], &[], 0);
}

#[test]
fn a_refused_order_hears_that_alone() {
    let refused = || Rejected(refusal(RefusalCode::WouldTake));
    let change = || vec![Change::Rejected(state(1, 7, Buy, "2", "0"))];
    check(refused(), change(), &["1 u7 rejected REJECTED 0/2 0 30.0!"], 0);
    let message = json!(told(refused(), change()).orders[0]);
    assert_eq!((&message["reason"], &message["detail"]), (&json!("would_take"), &json!("must be good")));
}

#[test]
fn a_sweep_numbers_its_trades() {
    let mut changes = vec![Change::Created(state(99, 8, Sell, "50", "0"))];
    for place in 0..50 {
        let taker = state(99, 8, Sell, "50", &(place + 1).to_string());
        changes.push(trade(17, place, "1", taker, state(place, place % 2, Buy, "1", "1")));
    }
    let told = told(Accepted, changes);
    let places = |of: &dyn Fn(&UserId) -> bool| {
        let messages = told.orders.iter().filter(|message| of(&message.body.user_id));
        messages.map(|message| (message.index, message.last)).collect::<Vec<_>>()
    };
    let expected = |count: u32| (0..count).map(|place| (place, place + 1 == count)).collect::<Vec<_>>();
    assert_eq!(places(&|of| *of == user(8)), expected(51));
    assert_eq!(places(&|of| *of == user(0)), expected(25));
    assert_eq!(places(&|of| *of == user(1)), expected(25));
    let trades: Vec<_> = told.trades.iter().map(|trade| (trade.index, trade.last)).collect();
    assert_eq!(trades, expected(50));
}

#[test]
fn each_part_numbers_anew() {
    let change =
        |filled: &str| vec![trade(17, 0, "1", state(2, 8, Sell, "3", filled), state(1, 7, Buy, "3", filled))];
    let parts = parts(
        30,
        vec![
            vec![outcome(17, Accepted, [change("1"), change("2")].concat(), Levels::default())],
            vec![outcome(17, Accepted, change("3"), Levels::default())],
        ],
    );
    let found: Vec<_> = parts.iter().flat_map(|(seq, part)| shown(&messages(*seq, part))).collect();
    assert_eq!(
        found,
        [
            "2 u8 partially_filled OPEN 1/3 2 30.0",
            "1 u7 partially_filled OPEN 1/3 2 30.0",
            "2 u8 partially_filled OPEN 2/3 1 30.1!",
            "1 u7 partially_filled OPEN 2/3 1 30.1!",
            "2 u8 filled FILLED 3/3 0 31.0!",
            "1 u7 filled FILLED 3/3 0 31.0!",
        ]
    );
}

#[test]
fn the_contract_s_fields() {
    let mut market = state(2, 8, Sell, "2", "1");
    (market.order_type, market.price) = (fillstream_domain::book::OrderType::Market, None);
    let told = told(Accepted, vec![trade(17, 0, "1", market, state(1, 7, Buy, "1", "1"))]);
    assert_eq!(
        json!(told.orders[0]),
        json!({
            "type": "order_update", "action": "partially_filled", "order_id": order(2), "user_id": user(8),
            "symbol": "BTC/USDT", "side": "SELL", "status": "OPEN", "price": null, "quantity": "2",
            "filled_quantity": "1", "remaining_quantity": "1", "filled_quote": "100", "average_price": "100",
            "fee": "0.1", "timestamp": at(17), "seq": 30, "index": 0, "last": true,
        })
    );
    assert_eq!(
        json!(told.trades[0]),
        json!({
            "type": "trade_executed", "trade_id": fillstream_domain::book::trade_id(&symbol(), Seq::new(17), 0),
            "symbol": "BTC/USDT", "price": "100", "quantity": "1", "buyer_id": user(7), "seller_id": user(8),
            "buyer_fee": "0.05", "seller_fee": "0.1", "maker_order_id": order(1), "taker_order_id": order(2),
            "executed_at": at(17), "seq": 30, "index": 0, "last": true,
        })
    );
}

/// Every edge of `docs/life-cycles.md` that a change can be: its status before and after, by what users are told.
#[test]
fn the_drawing_of_a_book_order_is_what_users_are_told() {
    let page = include_str!("../../../../docs/life-cycles.md");
    let (_, of_the_book) = page.split_once("## A book order").unwrap();
    let drawing = of_the_book.split("```").find(|block| block.starts_with("mermaid")).unwrap();
    let drawn: std::collections::BTreeSet<_> =
        drawing.lines().map(str::trim).filter(|line| line.contains("-->")).map(str::to_owned).collect();

    let order = |filled| state(1, 7, Buy, "2", filled);
    let maker = |filled| trade(17, 0, "1", state(2, 8, Sell, "1", "1"), order(filled));
    let mut edges = std::collections::BTreeSet::new();
    for (from, change) in [
        ("[*]", Change::Created(order("0"))),
        ("[*]", Change::Rejected(order("0"))),
        ("OPEN", maker("1")),
        ("OPEN", maker("2")),
        ("OPEN", Change::Amended(order("1"))),
        ("OPEN", Change::Amended(order("2"))),
        ("OPEN", cancelled(order("1"), CancelReason::Requested)),
    ] {
        let told = told(Accepted, vec![change]);
        let update = &told.orders.iter().find(|update| update.body.user_id == user(7)).unwrap().body;
        let action = json!(update.action);
        edges.insert(format!("{from} --> {}: {}", update.status, action.as_str().unwrap()));
        if update.status != BookStatus::Open {
            edges.insert(format!("{} --> [*]", update.status));
        }
    }
    assert_eq!(drawn, edges);
}
