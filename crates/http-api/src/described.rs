//! Descriptions of the routes of swap orders.

use fillstream_http_edge::described::{Operation, Shape};
use serde_json::{Value, json};

use crate::{
    body,
    orders::{LogsAnswer, OrderAnswer},
    place::PlacedAnswer,
};

const TAG: &str = "swap orders";

/// An id in a path.
pub(crate) fn id() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

/// A key that makes repeating safe.
pub(crate) fn keyed(operation: Operation) -> Operation {
    let about = "The same key and body is the same order and answer, however often and late it is sent.";
    operation.header("Idempotency-Key", about, body::client_order_id()).problems(422, &["key_reused"])
}

/// Adds what an append may come to. Only `stream_unreachable` leaves open whether something is stored.
pub(crate) fn appends(operation: Operation) -> Operation {
    operation.problems(503, &["stream_unreachable", "append_refused", "going_down"])
}

/// Says that an id is missing, and nothing else.
pub(crate) fn missing(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(id, "without an id", summary).problems(400, &["malformed_request"])
}

pub(crate) fn place() -> Operation {
    let example = json!({ "tokenIn": "SOL", "tokenOut": "USDC", "amount": 10, "slippage": 0.5 });
    let operation = Operation::new("placeSwap", TAG, "Place a swap order")
        .about("Answered once the stream has acknowledged the order. Fields that are not known are ignored.")
        .asks_who()
        .body(Shape::Is(body::execute_schema()), true, example)
        .answers::<PlacedAnswer>(201, "The order is stored.")
        .answer_header(201, "Location", "Where the order is read.")
        .answer_header(201, "Idempotent-Replayed", "`true` when the order was there already.");
    keyed(appends(operation).problems(507, &["store_full"]))
}

fn reads(operation: Operation) -> Operation {
    let operation = operation.asks_who().path("order_id", "The order.", id());
    operation.problems(404, &["unknown_order"]).problems(503, &["stream_unreachable"])
}

pub(crate) fn get_order() -> Operation {
    order("getSwap", "A swap order").about("Right after the 201 it is there. Of its `logs` the last 1,000.")
}

fn order(id: &'static str, summary: &'static str) -> Operation {
    reads(Operation::new(id, TAG, summary)).answers::<OrderAnswer>(200, "The order as it stands.")
}

pub(crate) fn get_logs() -> Operation {
    logs("getSwapLogs", "All steps of a swap order, the newest page first")
}

fn logs(id: &'static str, summary: &'static str) -> Operation {
    reads(Operation::new(id, TAG, summary))
        .query(
            "cursor",
            "Of an earlier answer: steps before it.",
            json!({ "type": "string", "pattern": "^[0-9]{1,19}$" }),
        )
        .query("limit", "Steps of the page.", json!({ "type": "integer", "minimum": 1, "maximum": 1000 }))
        .answers::<LogsAnswer>(200, "A page, its steps in their order.")
}

/// Adds what the doors of sockets and event streams check.
fn watches(operation: Operation) -> Operation {
    operation
        .query("after", "Resume behind this: a message's token, or a sequence.", json!({ "type": "string" }))
        .query("ticket", "Of `POST /api/ws-ticket`, in place of a bearer token.", json!({ "type": "string" }))
        .problems(403, &["origin_not_allowed"])
        .problems(503, &["going_down", "too_many_sockets"])
}

pub(crate) fn get_events() -> Operation {
    let about = "With `Accept: text/event-stream` the messages of the socket `/api/orders/status/{order_id}` as they \
                 come, `id` being the resume token; else as pages. `reset` says why what follows is told from the beginning: \
                 `other_channel`, `other_stream`, `ahead_of_stream` or `other_history`.";
    let events = json!({ "type": "string", "description": "Server-sent events." });
    watches(logs("getSwapEvents", "The steps of a swap order as server-sent events"))
        .about(about)
        .header(
            "Last-Event-ID",
            "As `after`, and before it; only for event streams.",
            json!({ "type": "string" }),
        )
        .answers_as(200, "text/event-stream", Shape::Is(events), "The history, then what comes.")
}

/// Upgrades that are none.
fn upgrades(operation: Operation) -> Operation {
    watches(operation)
        .answers_empty(101, "The socket; see the AsyncAPI document at `/asyncapi.json`.")
        .problems(400, &["bad_handshake"])
}

pub(crate) fn progress_socket() -> Operation {
    upgrades(order("watchSwap", "A WebSocket: every step of a swap order"))
        .about("Without an upgrade the order itself.")
        .problems(426, &["bad_handshake"])
}

pub(crate) fn status_socket() -> Operation {
    let operation = Operation::new("watchSwapStatus", TAG, "A WebSocket: each change of an order's status");
    upgrades(operation.asks_who())
        .query("orderId", "The order.", id())
        .problems(404, &["unknown_order"])
        .problems(426, &["bad_handshake", "upgrade_required"])
}
