//! The definition in force at an input's place in the stream judges it.

use fillstream_domain::book::{BookInput, Definition, InputResult, OrderType, RefusalCode, Side};

use crate::desk::{Desk, amend, amount, buy, cancel, changes, definition, limit, refusal, sell};

fn define(change: impl FnOnce(&mut Definition)) -> BookInput {
    let mut next = definition();
    change(&mut next);
    BookInput::Definition(next)
}

#[test]
fn nothing_is_taken_before_the_first_definition() {
    let mut desk = Desk::empty();
    let code = |desk: &mut Desk, input| refusal(&desk.give(input)).map(|(code, _)| code);
    let placed = desk.give(buy(1, "10", "100"));
    assert_eq!((changes(&placed), placed.levels.is_empty()), (vec!["REJ(1)".to_owned()], true));
    assert_eq!(refusal(&placed).unwrap().0, RefusalCode::UnknownMarket);
    assert_eq!(code(&mut desk, cancel(1)), Some(RefusalCode::UnknownOrEnded));
    assert_eq!(code(&mut desk, amend(1, Some("5"), None)), Some(RefusalCode::UnknownOrEnded));
    assert_eq!(code(&mut desk, define(|d| d.max_makers = 0)), Some(RefusalCode::Definition));
    assert!(desk.machine.definition().is_none());
    assert_eq!(desk.give(define(|_| ())).result, InputResult::Defined);
    assert_eq!(desk.give(buy(1, "10", "100")).result, InputResult::Accepted);
}

#[test]
fn units_never_change() {
    let mut desk = Desk::open();
    for next in [
        define(|d| d.tick_size = amount("0.5")),
        define(|d| d.lot_size = amount("0.5")),
        define(|d| d.quote_decimals = 3),
        define(|d| d.maker_fee = amount("1")),
    ] {
        let outcome = desk.give(next);
        assert!(matches!(outcome.result, InputResult::Refused(_)), "{outcome:?}");
        assert_eq!(refusal(&outcome).unwrap().0, RefusalCode::Definition);
        assert_eq!(desk.machine.definition(), Some(&definition()));
    }
}

#[test]
fn each_order_is_judged_at_its_place() {
    let mut desk = Desk::open();
    let code = |desk: &mut Desk, input| refusal(&desk.give(input)).map(|(code, _)| code);
    assert_eq!(code(&mut desk, sell(1, "10", "100")), None);
    assert_eq!(
        code(&mut desk, define(|d| (d.max_price, d.min_quantity) = (amount("90"), amount("4")))),
        None
    );
    assert_eq!(code(&mut desk, sell(2, "10", "100")), Some(RefusalCode::MaxPrice));
    assert_eq!(code(&mut desk, sell(2, "3", "90")), Some(RefusalCode::MinQuantity));
    assert_eq!(code(&mut desk, amend(1, Some("8"), None)), Some(RefusalCode::MaxPrice));
    assert_eq!(code(&mut desk, amend(1, Some("3"), Some("90"))), Some(RefusalCode::MinQuantity));
    assert_eq!(code(&mut desk, amend(1, Some("10"), Some("100"))), None, "it is that already");
    assert_eq!(code(&mut desk, amend(1, None, Some("90"))), None);
    assert_eq!(code(&mut desk, buy(3, "4", "90")), None);
    assert_eq!(code(&mut desk, define(|d| d.max_price = amount("80"))), None);
    // What rests trades and ends, whatever the definition says by now.
    assert_eq!(changes(&desk.give(amend(1, Some("4"), Some("80")))), ["A(1,4@80)"]);
    assert_eq!(desk.machine.book().len(), 0);
    assert_eq!(code(&mut desk, define(|_| ())), None);
    assert_eq!(code(&mut desk, sell(4, "10", "100")), None);
}

#[test]
fn the_band_lies_around_the_last_trade() {
    let band = |text: &'static str| define(move |d| d.price_band = Some(amount(text)));
    let mut desk = Desk::empty();
    desk.give(band("5"));
    let code = |desk: &mut Desk, input| refusal(&desk.give(input)).map(|(code, _)| code);
    // Nothing has traded yet.
    assert_eq!(code(&mut desk, sell(1, "10", "99999")), None);
    assert_eq!(code(&mut desk, sell(2, "10", "200")), None);
    assert_eq!(code(&mut desk, buy(3, "5", "200")), None);
    for (id, price, refused) in [(4, "190", false), (5, "210", false), (6, "189", true), (7, "211", true)] {
        let refused = refused.then_some(RefusalCode::PriceBand);
        assert_eq!(code(&mut desk, buy(id, "1", price)), refused, "{price}");
        assert_eq!(code(&mut desk, cancel(id)).is_some(), refused.is_some() || id == 5, "{price}");
    }
    let outcome = desk.give(amend(2, None, Some("211")));
    let detail = "price must be within 5 % of the last trade's 200 (price_band)";
    assert_eq!(refusal(&outcome), Some((RefusalCode::PriceBand, detail)));
    // What rests outside may still be made smaller.
    assert_eq!(code(&mut desk, amend(1, Some("5"), None)), None);
    assert_eq!(code(&mut desk, band("0.5")), None);
    assert_eq!(code(&mut desk, buy(8, "1", "198")), Some(RefusalCode::PriceBand));
    assert_eq!(code(&mut desk, buy(8, "1", "199")), None);
    let mut market = limit(Side::Buy, 9, "6", "1");
    (market.order_type, market.price) = (OrderType::Market, None);
    // A market order names no price: it sweeps past the band.
    let swept = desk.give(BookInput::Placed(market));
    assert_eq!(changes(&swept), ["new(9)", "T(9,2,200,4)", "T(9,1,99999,2)"]);
}
