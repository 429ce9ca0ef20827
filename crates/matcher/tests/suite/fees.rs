//! Fees: cumulative, rounded up once per order and role, at the rates of the placement.

use fillstream_domain::{
    Amount, Timestamp,
    book::{BookInput, Change, Definition, OrderState, Outcome, Side, Trade},
};
use rust_decimal::Decimal;

use crate::desk::{Desk, amend, amount, buy, definition, limit, order_id, sell, symbol};

fn trades(outcomes: &[Outcome]) -> Vec<&Trade> {
    let changes = outcomes.iter().flat_map(|outcome| &outcome.changes);
    changes
        .filter_map(|change| match change {
            Change::Trade(trade) => Some(&**trade),
            Change::Created(_) | Change::Rejected(_) | Change::Cancelled { .. } | Change::Amended(_) => None,
        })
        .collect()
}

/// Maker and taker fee of each trade, and the sums.
fn fees(outcomes: &[Outcome]) -> (Vec<String>, Decimal, Decimal) {
    let trades = trades(outcomes);
    let each = trades.iter().map(|trade| format!("{}/{}", trade.maker_fee, trade.taker_fee)).collect();
    let sum = |fee: fn(&Trade) -> Amount| trades.iter().map(|trade| fee(trade).decimal()).sum();
    (each, sum(|trade| trade.maker_fee), sum(|trade| trade.taker_fee))
}

fn with_rates(maker: &str, taker: &str) -> BookInput {
    BookInput::Definition(Definition { maker_fee: amount(maker), taker_fee: amount(taker), ..definition() })
}

fn order(outcome: &Outcome, id: u128) -> OrderState {
    let told = outcome.changes.iter().rev().flat_map(|change| match change {
        Change::Trade(trade) => vec![trade.maker.clone(), trade.taker.clone()],
        Change::Created(order) | Change::Rejected(order) | Change::Amended(order) => vec![order.clone()],
        Change::Cancelled { order, .. } => vec![order.clone()],
    });
    told.into_iter().find(|order| order.order_id == order_id(id)).unwrap()
}

#[test]
fn many_small_fills_cost_what_one_large_fill_costs() {
    // 0.05 % and 0.1 % of 33 are 0.0165 and 0.033: a cent more often than not, were each fill rounded alone.
    let give = |inputs: Vec<BookInput>| {
        let mut desk = Desk::open();
        inputs.into_iter().map(|input| desk.give(input)).collect::<Vec<_>>()
    };
    let one = give(vec![sell(1, "100", "33"), buy(2, "100", "33")]);
    assert_eq!(fees(&one), (vec!["1.65/3.3".to_owned()], "1.65".parse().unwrap(), "3.3".parse().unwrap()));

    let mut inputs = vec![sell(1, "100", "33")];
    inputs.extend((2..102).map(|id| buy(id, "1", "33")));
    let takers = give(inputs);
    let (each, maker, taker) = fees(&takers);
    assert_eq!(each[..4], ["0.02/0.04", "0.02/0.04", "0.01/0.04", "0.02/0.04"]);
    assert_eq!((maker, taker), ("1.65".parse().unwrap(), "4".parse().unwrap()));

    let mut inputs: Vec<_> = (2..102).map(|id| sell(id, "1", "33")).collect();
    inputs.push(buy(1, "100", "33"));
    let makers = give(inputs);
    let (each, maker, taker) = fees(&makers);
    assert_eq!(each[..4], ["0.02/0.04", "0.02/0.03", "0.02/0.03", "0.02/0.04"]);
    assert_eq!((maker, taker), ("2".parse().unwrap(), "3.3".parse().unwrap()));
    let taker = order(makers.last().unwrap(), 1);
    assert_eq!((taker.filled_quote, taker.fee), (amount("3300"), amount("3.3")));
}

#[test]
fn the_roles_of_an_order_are_kept_apart() {
    let mut desk = Desk::open();
    desk.give(sell(1, "1", "33"));
    let took = desk.give(buy(2, "2", "33"));
    assert_eq!(order(&took, 2).fee, amount("0.04"));
    // 0.0165 as maker is two cents more, not 0.0495 rounded up.
    let made = desk.give(sell(3, "1", "33"));
    assert_eq!(order(&made, 2).fee, amount("0.06"));
    assert_eq!(order(&made, 2).filled_quote, amount("66"));
}

#[test]
fn an_order_pays_the_rates_it_was_placed_under() {
    let mut desk = Desk::open();
    desk.give(sell(1, "10", "100"));
    desk.give(sell(2, "10", "100"));
    desk.give(buy(3, "1", "100"));
    desk.give(buy(9, "10", "50"));
    desk.give(with_rates("0.01", "0.02"));
    let old = desk.give(buy(4, "1", "100"));
    assert_eq!(fees(&[old]).0, ["0.05/2"], "maker of the old rates, taker of the new");
    desk.give(sell(5, "10", "100"));
    desk.give(with_rates("0", "0"));
    let free = desk.give(buy(6, "28", "100"));
    assert_eq!(fees(&[free]).0, ["0.4/0", "0.5/0", "10/0"]);
    // An amend that takes is still the old order.
    desk.give(sell(7, "5", "60"));
    let took = desk.give(amend(9, None, Some("60")));
    assert_eq!(fees(&[took]).0, ["0/0.3"]);
}

#[test]
fn the_largest_orders_can_be_counted() {
    let whole = |quote_decimals, max_price: &str, max_quantity: &str| Definition {
        tick_size: amount("1"),
        lot_size: amount("1"),
        max_price: amount(max_price),
        max_quantity: amount(max_quantity),
        maker_fee: amount("0.999999"),
        taker_fee: amount("0.999999"),
        quote_decimals,
        ..definition()
    };
    let fine = Definition {
        tick_size: amount("0.000000000001"),
        lot_size: amount("0.000000000001"),
        min_quantity: amount("0.000000000001"),
        min_price: amount("0.000000000001"),
        min_notional: amount("0"),
        max_price: amount("0.004294967295"),
        max_quantity: amount("4503.59962632192"),
        ..whole(12, "1", "1")
    };
    for definition in [
        whole(0, "4294967295", "4503599626321920"),
        whole(12, "4294967295", "2000000000000"),
        whole(12, "10", "1000000000000000"),
        fine,
    ] {
        let (price, most) = (definition.max_price, definition.max_quantity);
        let (price, most) = (price.to_string(), most.to_string());
        let mut desk = Desk::with(definition.clone());
        // As maker, and as taker.
        for (first, second) in [(Side::Sell, Side::Buy), (Side::Buy, Side::Sell)] {
            let (first, second) = (limit(first, 1, &most, &price), limit(second, 2, &most, &price));
            desk.give(BookInput::Placed(first));
            let outcome = desk.give(BookInput::Placed(second));
            for order in [order(&outcome, 1), order(&outcome, 2)] {
                let quote = definition.max_price.decimal() * definition.max_quantity.decimal();
                assert_eq!(
                    (order.filled_quote.decimal(), order.is_filled()),
                    (quote, true),
                    "{definition:?}"
                );
                assert!(order.fee <= order.filled_quote && order.fee > amount("0"), "{order:?}");
            }
        }
    }
}

#[test]
fn a_definition_may_not_make_old_orders_uncountable() {
    let wide = |max_price: &str, max_quantity: &str| {
        BookInput::Definition(Definition {
            max_price: amount(max_price),
            max_quantity: amount(max_quantity),
            ..Definition {
                tick_size: amount("1"),
                lot_size: amount("1"),
                min_quantity: amount("1"),
                min_price: amount("1"),
                quote_decimals: 12,
                ..Definition::standard(symbol(), Timestamp::from_unix_ms(0))
            }
        })
    };
    let mut desk = Desk::empty();
    let result = |outcome: Outcome| format!("{:?}", outcome.result);
    assert_eq!(result(desk.give(wide("4000000000", "1000"))), "Defined");
    assert!(result(desk.give(wide("1000", "4000000000000000"))).contains("largest price and quantity ever"));
    assert_eq!(result(desk.give(wide("1000", "2000000000000"))), "Defined");
}
