//! Events to load a log with.

use std::time::{SystemTime, UNIX_EPOCH};

use fillstream_domain::{
    Amount, OrderId, Seq, Timestamp, UserId,
    book::{
        BookInput, BookPlaced, CancelRequested, Life, OrderType, Pricing, SelfTradePrevention, Side, Symbol,
        TimeInForce,
    },
    subject::{book_order, swap_progress},
};
use fillstream_event_log::NewRecord;
use fillstream_order_book::{NewOrder, flow::Ask};
use rust_decimal::Decimal;
use uuid::Uuid;

/// A typical progress event of an order, behind `after`.
pub(crate) fn routing_started(order: OrderId, attempt: u8, after: u64) -> NewRecord {
    let payload = format!(
        r#"{{"type":"swap.routing_started","version":1,"order_id":"{order}","attempt":{attempt},"max_attempts":3,"at":"2026-01-10T07:30:15.123Z"}}"#
    );
    record(swap_progress(order), after, payload)
}

/// A message of the mean size of a swap's events (about 330 bytes of payload), on a subject of its own.
pub(crate) fn mean_size(number: u128) -> NewRecord {
    let order = OrderId::new(Uuid::from_u128(number << 64 | number));
    let filler = "x".repeat(230);
    record(
        swap_progress(order),
        0,
        format!(r#"{{"type":"bench.filler","version":1,"order_id":"{order}","filler":"{filler}"}}"#),
    )
}

/// The market of the benches.
pub(crate) fn symbol() -> Symbol {
    "BTC/USDT".parse().expect("a symbol")
}

/// A book order as the intake writes it.
pub(crate) fn book_placed(number: u128) -> NewRecord {
    let order = NewOrder {
        order_id: OrderId::new(Uuid::from_u128(number << 64 | number)),
        user_id: UserId::new(Uuid::from_u128(1)),
        side: Side::Buy,
        quantity: fillstream_domain::book::Lots::new(100),
        pricing: Pricing::Market { fill_or_kill: false },
        self_trade_prevention: SelfTradePrevention::None,
    };
    book_input(&placed(&order), 0)
}

/// What the flow asks for, as the intake would write it: prices in hundredths, quantities in hundredths.
pub(crate) fn of_flow(ask: &Ask) -> BookInput {
    match ask {
        Ask::Place(order) => placed(order),
        Ask::Cancel(order_id, user_id) => BookInput::CancelRequested(CancelRequested {
            order_id: *order_id,
            user_id: *user_id,
            symbol: symbol(),
            at: now(),
        }),
    }
}

fn placed(order: &NewOrder) -> BookInput {
    let (order_type, price, time_in_force) = match order.pricing {
        Pricing::Market { .. } => (OrderType::Market, None, TimeInForce::Ioc),
        Pricing::Limit { price, life: Life::Gtc } => (OrderType::Limit, Some(price), TimeInForce::Gtc),
        Pricing::Limit { .. } | Pricing::PostOnly { .. } => unreachable!("the flow has no such orders"),
    };
    let hundredths = |count: u64| Amount::new(Decimal::new(count.cast_signed(), 2)).expect("not negative");
    BookInput::Placed(BookPlaced {
        order_id: order.order_id,
        user_id: order.user_id,
        client_order_id: None,
        symbol: symbol(),
        side: order.side,
        order_type,
        time_in_force,
        price: price.map(|ticks| hundredths(u64::from(ticks.get()))),
        quantity: hundredths(order.quantity.get()),
        expires_at: None,
        post_only: false,
        self_trade_prevention: order.self_trade_prevention,
        fingerprint: "0".repeat(64),
        at: now(),
    })
}

/// An input of the market, behind `after` on its order's subject.
pub(crate) fn book_input(input: &BookInput, after: u64) -> NewRecord {
    let order = input.order_id().expect("the inputs of the benches are about orders");
    let payload = String::from_utf8(input.encode()).expect("JSON is UTF-8");
    record(book_order(input.symbol(), order), after, payload)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Any payload on any subject.
pub(crate) fn record(subject: String, after: u64, payload: String) -> NewRecord {
    NewRecord {
        subject,
        after: Seq::new(after),
        event_id: Uuid::now_v7(),
        event_type: "fillstream.bench.v1".to_owned(),
        time: "2026-01-10T07:30:15.123Z".to_owned(),
        traceparent: Some("00-0123456789abcdef0123456789abcdef-0123456789abcdef-01".to_owned()),
        retries: None,
        payload: payload.into_bytes().into(),
    }
}
