//! Descriptions of the book's routes.

use fillstream_domain::book::{BookStatus, Definition};
use fillstream_http_edge::described::{Operation, Shape};
use fillstream_projections::market::BookOrderView;
use serde_json::{Value, json};

use super::{
    batch, list, order_body,
    public::{BookAnswer, MarketList, Trades},
};
use crate::{
    body::decimal,
    described::{appends, id, keyed},
};

const ORDERS: &str = "book orders";
const MARKETS: &str = "markets";

fn user() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

fn example() -> Value {
    json!({
        "user_id": "0198c0de-7a5e-4c3a-9f00-3f2a1b4c5d01", "symbol": "BTC/USDT", "side": "BUY", "type": "LIMIT",
        "quantity": "0.5", "price": "45000",
    })
}

pub(super) fn place() -> Operation {
    let operation = Operation::new("placeOrder", ORDERS, "Place a book order")
        .about("Answered once the stream has it. What the market's filters refuse is never stored, nor one more open order than its \
                user may have there (`too_many_open_orders`). What only the matcher can judge ends the order as `rejected`: \
                sockets and GET tell.")
        .asks_who()
        .body(Shape::Is(order_body::schema()), true, example())
        .answers::<BookOrderView>(201, "The order is stored: open, nothing filled.")
        .answer_header(201, "Location", "Where the order is read.")
        .answer_header(201, "Idempotent-Replayed", "`true` when the order was there already.");
    keyed(appends(operation).problems(422, &["too_many_open_orders"]).problems(507, &["store_full"]))
}

pub(super) fn place_all() -> Operation {
    let orders = json!({ "type": "array", "maxItems": batch::MAX_ORDERS, "items": order_body::schema() });
    let body = json!({
        "type": "object", "required": ["orders"], "additionalProperties": false,
        "properties": { "orders": orders, "user_id": user() },
    });
    Operation::new("placeOrders", ORDERS, "Place up to 1,000 book orders")
        .about("Each is answered as it would be alone, in the order of the request: without room for new orders each is \
                507 `store_full`.")
        .asks_who()
        .body(Shape::Is(body), true, json!({ "orders": [example()] }))
        .answers::<batch::Answer>(200, "What became of each.")
        .problems(503, &["stream_unreachable"])
}

pub(super) fn get_orders() -> Operation {
    let names: Vec<_> = BookStatus::ALL.iter().copied().map(BookStatus::name).collect();
    paged(Operation::new("getOrders", ORDERS, "Own book orders, the last placed first").asks_who())
        .query("symbol", "Of this market.", symbol())
        .query("status", "With this status.", json!({ "enum": names }))
        .answers::<list::Orders>(200, "A page.")
        .problems(503, &["store_unreachable"])
}

fn paged(operation: Operation) -> Operation {
    operation
        .query("limit", "Entries of the page.", json!({ "type": "integer", "minimum": 1, "maximum": 1000 }))
        .query("cursor", "Of an earlier answer: the page behind it.", json!({ "type": "string" }))
        .problems(503, &["store_unreachable", "too_many_readers"])
}

fn symbol() -> Value {
    json!({ "type": "string", "pattern": "^[A-Z0-9]{1,12}-[A-Z0-9]{1,12}$", "examples": ["BTC-USDT"] })
}

fn of_one(operation: Operation) -> Operation {
    let operation = operation.asks_who().path("order_id", "The order.", id());
    operation.problems(404, &["unknown_order"]).problems(503, &["stream_unreachable"])
}

pub(super) fn get_order() -> Operation {
    of_one(Operation::new("getOrder", ORDERS, "A book order"))
        .about("Right after the 201 it is there.")
        .answers::<BookOrderView>(200, "The order as it stands.")
}

/// Adds what the matcher may say to an amend or a cancel.
fn asked(operation: Operation) -> Operation {
    appends(of_one(operation))
        .problems(507, &["store_full"])
        .answers::<BookOrderView>(200, "The matcher has done it: the order after it.")
        .answers::<BookOrderView>(202, "It is stored; the matcher has not answered within 5 s.")
        .answer_header(202, "Location", "Where the order is read.")
        .problems(409, &["order_ended", "order_contended", "duplicate_order"])
        .problems(422, &["terms", "definition", "unknown_market", "parked"])
        .problems(500, &["unexpected_answer"])
}

pub(super) fn amend() -> Operation {
    let body = json!({
        "type": "object", "additionalProperties": false,
        "properties": {
            "quantity": decimal("The new total quantity. Less at the same price keeps the place in the queue."),
            "price": decimal("The new limit."),
            "user_id": user(),
        },
        "anyOf": [{ "required": ["quantity"] }, { "required": ["price"] }],
    });
    asked(Operation::new("amendOrder", ORDERS, "Another quantity or price"))
        .body(Shape::Is(body), true, json!({ "quantity": "0.4" }))
        .problems(409, &["would_take", "below_filled", "level_full"])
        .problems(422, &["tick_size", "min_price", "max_price", "price_band", "lot_size", "min_quantity"])
        .problems(422, &["max_quantity", "min_notional"])
}

pub(super) fn cancel() -> Operation {
    let body = json!({
        "type": "object", "additionalProperties": false, "properties": { "user_id": user() },
    });
    asked(Operation::new("cancelOrder", ORDERS, "Cancel a book order")).body(
        Shape::Is(body),
        false,
        json!({}),
    )
}

pub(super) fn get_markets() -> Operation {
    Operation::new("getMarkets", MARKETS, "All markets with their filters and fees")
        .asks_who()
        .answers::<MarketList>(200, "The definitions in force.")
        .problems(503, &["stream_unreachable"])
}

fn of_market(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(id, MARKETS, summary)
        .asks_who()
        .path("symbol", "The market; `BTC/USDT` and percent-encoded will do as well.", symbol())
        .problems(404, &["unknown_market"])
        .problems(503, &["stream_unreachable"])
}

pub(super) fn get_market() -> Operation {
    of_market("getMarket", "A market with its filters and fees")
        .answers::<Definition>(200, "The definition in force.")
}

pub(super) fn get_book() -> Operation {
    of_market("getBook", "A market's book, best levels first")
        .query("depth", "Levels of each side.", json!({ "type": "integer", "minimum": 1, "maximum": 1000 }))
        .query(
            "at",
            "As it was behind this sequence of the stream.",
            json!({ "type": "integer", "minimum": 0 }),
        )
        .answers::<BookAnswer>(200, "The book at its position.")
        .problems(409, &["ahead_of_stream"])
        .problems(501, &["past_books_not_shown"])
        .problems(503, &["store_unreachable", "too_many_readers"])
}

pub(super) fn get_own_trades() -> Operation {
    paged(Operation::new("getOwnTrades", ORDERS, "Own trades, the latest first").asks_who())
        .about("Own ids and fees; what is the other side's is null.")
        .query("symbol", "Of this market.", symbol())
        .answers::<Trades>(200, "A page.")
        .problems(503, &["store_unreachable"])
}

pub(super) fn get_trades() -> Operation {
    paged(of_market("getTrades", "A market's trades, the latest first"))
        .about("With authentication who traded is null: own trades are at `/api/v1/trades`.")
        .answers::<Trades>(200, "A page.")
        .problems(503, &["store_unreachable"])
}
