//! Descriptions of the sockets of an order: families A and B.

use fillstream_http_edge::described::{Channel, Message, Reach, Shape};
use fillstream_projections::channel::Kind;
use serde_json::{Value, json};

use crate::{
    frame::{BackfillText, Control, Live},
    market,
    wire::code,
};

/// All sockets.
#[must_use]
pub fn channels() -> Vec<Channel> {
    let orders = [progress(), status()];
    orders.into_iter().chain(market::described::channels()).collect()
}

/// Codes with which any socket may be closed.
pub(crate) const CLOSES: [(u16, &str); 9] = [
    (code::GOING_AWAY, "The server goes down; the reason is the token to resume with."),
    (code::PROTOCOL, "A frame breaks the protocol."),
    (code::NOT_UTF8, "A text is not UTF-8."),
    (code::POLICY, "Nothing was heard for 60 s, or too much; or there is no such order after all."),
    (code::TOO_BIG, "A message is larger than 1 MiB."),
    (
        code::TRY_LATER,
        "The stream cannot be reached; the reason is the token to resume with. Or there is no room.",
    ),
    (
        code::TOKEN_ENDED,
        "The bearer token, or the ticket's, has ended, or its key was withdrawn; the reason is the token to resume with.",
    ),
    (code::TOO_SLOW, "The client does not keep up; the reason is the token to resume with."),
    (code::NOT_TEXT, "A request came in a binary frame."),
];

/// Parameters of every socket.
pub(crate) fn asks_who(channel: Channel) -> Channel {
    let user = json!({ "type": "string", "format": "uuid" });
    channel
        .query("user_id", "Who asks. With authentication at most the token's own subject.", user)
        .query("ticket", "Of `POST /api/ws-ticket`, in place of a bearer token.", json!({ "type": "string" }))
        .closes(&CLOSES)
}

/// Where a client resumes.
pub(crate) fn after() -> Value {
    json!({ "type": "string", "examples": ["17"] })
}

const RESUMES: &str = "Resume behind this: a message's token, or a sequence.";

const MARKED: &[&str] = &["seq", "index", "token"];

/// Messages of both families about the connection.
fn controls(family: &str) -> Vec<Message> {
    let one = |kind: &'static str, there, about: &str| {
        Message::new(format!("{family}.{kind}"), about, Shape::inline::<Control<'_>>()).of_type(kind, there)
    };
    vec![
        one("fell_behind", MARKED, "The client reads too slowly; what it misses follows."),
        one("caught_up", MARKED, "What was missed has been sent."),
        one(
            "reset",
            &["seq", "index", "token", "reason"],
            "The chain starts anew: a full backfill follows. The token is of an `other_channel` or an `other_stream`, or its place is `ahead_of_stream`, or of an `other_history`: the stream was put back.",
        ),
        one(
            "status",
            &["seq", "index", "token", "reason"],
            "The stream is unreachable, or is back; or the token has ended, or its key was withdrawn (`token_expired`).",
        ),
        one("shutdown", MARKED, "The server goes down and closes with 1001."),
        one("error", &["code"], "What the client sent is ignored, or what it wants cannot be had."),
    ]
}

fn progress() -> Channel {
    const NAME: &str = "progress";
    let greeting = |kind, there, about: &str| {
        Message::new(format!("{NAME}.{kind}"), about, Shape::inline::<Control<'_>>()).of_type(kind, there)
    };
    let step = |kind: &'static str, there, about: &str| {
        Message::new(format!("{NAME}.{kind}"), about, Shape::inline::<Live<'_, Kind>>()).of_type(kind, there)
    };
    let backfill = Message::new(
        format!("{NAME}.backfill"),
        "Everything so far, in one message.",
        Shape::inline::<BackfillText<'_>>(),
    );
    let channel =
        Channel::new(NAME, Reach::Socket, "/api/orders/status/{order_id}", "Every step of a swap order")
            .about("Closed with 1000 once the order has ended and a short linger has passed.")
            .parameter("order_id", "The order, a hyphenated UUID.")
            .query("after", RESUMES, after())
            .closes(&[(code::DONE, "The order has ended.")])
            .tells([
                greeting("connection", &[], "At once."),
                greeting("subscribed", MARKED, "At once: no connection is ever silent."),
                backfill.of_type("backfill", &["status", "progress", "message", "timestamp"]),
                step("pending", &["progress"], "The order is stored."),
                step("routing", &["progress"], "Venues are asked (10), have answered (30)."),
                step("building", &["progress"], "A transaction is built (50, 70)."),
                step("submitted", &["progress", "attempt", "maxAttempts"], "It is on its way (75 to 90)."),
                step(
                    "retrying",
                    &["progress", "attempt", "maxAttempts", "delayMs"],
                    "Another attempt follows.",
                ),
                step("confirmed", &["progress", "txHash"], "The swap landed: the end."),
                step("failed", &["progress", "error"], "No swap: the end."),
            ])
            .tells(controls(NAME));
    asks_who(channel)
}

fn status() -> Channel {
    const NAME: &str = "status";
    let about = "The history, one entry for each change of status, in one message, first.";
    let backfill = Message::new(format!("{NAME}.backfill"), about, Shape::inline::<BackfillText<'_>>())
        .of_type("backfill", &[]);
    let update = Message::new(
        format!("{NAME}.status_update"),
        "The status is another one.",
        Shape::inline::<Live<'_, String>>(),
    );
    let order = json!({ "type": "string", "format": "uuid" });
    let channel =
        Channel::new(NAME, Reach::Socket, "/api/orders/execute", "Each change of a swap order's status")
            .about("Closed with 1000 once the order has ended and a short linger has passed.")
            .query("orderId", "The order. Required.", order)
            .query("after", RESUMES, after())
            .closes(&[(code::DONE, "The order has ended.")])
            .tells([backfill, update.of_type("status_update", &[])])
            .tells(controls(NAME));
    asks_who(channel)
}
