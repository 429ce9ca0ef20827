use Field::{Missing, Number, Other, Text};

use super::*;

const NOW: Timestamp = Timestamp::from_unix_ms(1_768_030_215_123);
const LATER: Field<'static> = Text("2026-01-10T07:30:15.124Z");

const GOOD: Request<'static> = Request {
    symbol: Text("BTC/USDT"),
    side: Text("BUY"),
    order_type: Text("LIMIT"),
    quantity: Number("0.5"),
    price: Number("100"),
    time_in_force: Missing,
    expires_at: Missing,
    post_only: Flag::Missing,
    self_trade_prevention: Missing,
};
const MARKET: Request<'static> = Request { order_type: Text("MARKET"), price: Missing, ..GOOD };
const GTD: Request<'static> = Request { time_in_force: Text("GTD"), expires_at: LATER, ..GOOD };

fn markets() -> Definitions {
    let standard = |text: &str| {
        let symbol: Symbol = text.parse().unwrap();
        (symbol.clone(), Definition::standard(symbol, NOW))
    };
    ["BTC/USDT", "ETH/USDT"].map(standard).into()
}

fn check(request: Request<'_>, wrong: &[&str]) {
    let fields = match request.judge(&markets(), NOW) {
        Ok(_) => Vec::new(),
        Err(refused) => refused.errors.into_iter().map(|error| error.field).collect(),
    };
    assert_eq!(fields, wrong, "{request:?}");
}

#[test]
fn good_orders_of_every_kind_are_taken() {
    for request in [
        GOOD,
        GTD,
        MARKET,
        Request { symbol: Text("BTC-USDT"), side: Text("SELL"), ..GOOD },
        Request { quantity: Text("1e-2"), price: Text("10000000.00"), ..GOOD },
        Request { time_in_force: Text("IOC"), post_only: Flag::Is(false), ..GOOD },
        Request { time_in_force: Text("FOK"), self_trade_prevention: Text("CANCEL_BOTH"), ..GOOD },
        Request { post_only: Flag::Is(true), ..GOOD },
        Request { post_only: Flag::Is(true), ..GTD },
        Request { time_in_force: Text("GTC"), ..MARKET },
        Request { time_in_force: Text("FOK"), ..MARKET },
        // The least notional is a limit order's: what a market order will cost is not known.
        Request { quantity: Number("0.00000001"), ..MARKET },
    ] {
        check(request, &[]);
    }
}

#[test]
fn each_wrong_field_is_named() {
    for (request, wrong) in [
        (Request { symbol: Missing, ..GOOD }, &["symbol"][..]),
        (Request { symbol: Text("btc/usdt"), ..GOOD }, &["symbol"]),
        (Request { symbol: Text("NOPE/NOPE"), ..GOOD }, &["symbol"]),
        (Request { side: Text("buy"), ..GOOD }, &["side"]),
        (Request { order_type: Number("1"), ..GOOD }, &["type"]),
        (Request { quantity: Missing, ..GOOD }, &["quantity"]),
        (Request { quantity: Other, ..GOOD }, &["quantity"]),
        (Request { quantity: Number("0"), ..GOOD }, &["quantity"]),
        (Request { quantity: Number("-1"), ..GOOD }, &["quantity"]),
        (Request { quantity: Text("abc"), ..GOOD }, &["quantity"]),
        (Request { quantity: Text("NaN"), ..GOOD }, &["quantity"]),
        (Request { quantity: Number("1e400"), ..GOOD }, &["quantity"]),
        (Request { quantity: Number("0.1234567890123456789012345"), ..GOOD }, &["quantity"]),
        (Request { quantity: Number("1000000.5"), ..GOOD }, &["quantity"]),
        (Request { quantity: Number("0.000000015"), ..GOOD }, &["quantity"]),
        (Request { quantity: Number("0.009"), ..GOOD }, &["quantity"]),
        (Request { price: Missing, ..GOOD }, &["price"]),
        (Request { price: Number("0"), ..GOOD }, &["price"]),
        (Request { price: Number("-100"), ..GOOD }, &["price"]),
        (Request { price: Number("100.001"), ..GOOD }, &["price"]),
        (Request { price: Number("10000000.01"), ..GOOD }, &["price"]),
        (Request { price: Number("100"), ..MARKET }, &["price"]),
        (Request { time_in_force: Text("DAY"), ..GOOD }, &["time_in_force"]),
        (Request { time_in_force: Text("GTD"), expires_at: LATER, ..MARKET }, &["time_in_force"]),
        (Request { expires_at: LATER, ..GOOD }, &["expires_at"]),
        (Request { expires_at: LATER, ..MARKET }, &["expires_at"]),
        (Request { expires_at: Missing, ..GTD }, &["expires_at"]),
        (Request { expires_at: Text("tomorrow"), ..GTD }, &["expires_at"]),
        (Request { expires_at: Number("1768030215124"), ..GTD }, &["expires_at"]),
        (Request { expires_at: Text("2026-01-10T07:30:15.123Z"), ..GTD }, &["expires_at"]),
        (Request { post_only: Flag::Other, ..GOOD }, &["post_only"]),
        (Request { post_only: Flag::Is(true), ..MARKET }, &["post_only"]),
        (Request { post_only: Flag::Is(true), time_in_force: Text("IOC"), ..GOOD }, &["post_only"]),
        (Request { post_only: Flag::Is(true), time_in_force: Text("FOK"), ..GOOD }, &["post_only"]),
        (Request { self_trade_prevention: Text("YES"), ..GOOD }, &["self_trade_prevention"]),
        (
            Request {
                symbol: Other,
                side: Other,
                order_type: Other,
                quantity: Other,
                price: Other,
                time_in_force: Other,
                expires_at: Other,
                post_only: Flag::Other,
                self_trade_prevention: Other,
            },
            &[
                "symbol",
                "side",
                "type",
                "quantity",
                "price",
                "time_in_force",
                "expires_at",
                "post_only",
                "self_trade_prevention",
            ],
        ),
    ] {
        check(request, wrong);
    }
}

#[test]
fn an_unknown_market_is_told_which_there_are() {
    let refused = Request { symbol: Text("NOPE/NOPE"), ..GOOD }.judge(&markets(), NOW).unwrap_err();
    assert_eq!(refused.errors[0].must, "must be one of BTC/USDT, ETH/USDT");
}

#[test]
fn what_may_have_been_right_before_keeps_its_terms() {
    for (request, lasting) in [
        (Request { expires_at: Text("2026-01-10T07:30:15.000Z"), ..GTD }, true),
        (Request { symbol: Text("NOPE/NOPE"), ..GOOD }, true),
        (Request { price: Number("100.001"), ..GOOD }, true),
        (Request { price: Number("100.001"), side: Missing, ..GOOD }, false),
        (Request { post_only: Flag::Is(true), ..MARKET }, false),
    ] {
        let refused = request.judge(&markets(), NOW).unwrap_err();
        assert_eq!(refused.terms.is_some(), lasting, "{request:?}");
    }
}

#[test]
fn the_same_terms_have_the_same_fingerprint_however_written() {
    let fingerprint = |request: Request<'_>| request.judge(&markets(), NOW).unwrap().fingerprint();
    for same in [
        Request { price: Text("100.0"), quantity: Text("5e-1"), ..GOOD },
        Request { symbol: Text("BTC-USDT"), time_in_force: Text("GTC"), ..GOOD },
        Request { post_only: Flag::Is(false), self_trade_prevention: Text("NONE"), ..GOOD },
    ] {
        assert_eq!(fingerprint(same), fingerprint(GOOD), "{same:?}");
    }
    for other in [
        MARKET,
        GTD,
        Request { side: Text("SELL"), ..GOOD },
        Request { price: Number("100.01"), ..GOOD },
        Request { quantity: Number("0.50000001"), ..GOOD },
        Request { symbol: Text("ETH/USDT"), ..GOOD },
        Request { post_only: Flag::Is(true), ..GOOD },
        Request { self_trade_prevention: Text("CANCEL_OLDEST"), ..GOOD },
    ] {
        assert_ne!(fingerprint(other), fingerprint(GOOD), "{other:?}");
    }
    assert_eq!(fingerprint(GOOD).len(), 64);
}
