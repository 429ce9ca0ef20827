//! Descriptions of the sockets of the market: family C, and `depth`.

use fillstream_http_edge::described::{Channel, Message, Operation, Reach, Routes, Shape};
use fillstream_projections::market::{DepthSnapshot, DepthUpdate, OrderUpdate, OrderbookUpdate, TradeShown};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use crate::{
    described::{after, asks_who},
    market::{
        frame::{Control, ErrorText},
        request,
    },
};

const AFTER: &str = "Resume behind this: a message's token, or a sequence. Without it no history is sent.";
const MARKED: &[&str] = &["stream", "seq", "index", "token"];

/// The four sockets.
pub(crate) fn channels() -> [Channel; 4] {
    let orders = Channel::new("orders", Reach::Socket, "/ws/orders", "A user's own book orders")
        .query("after", AFTER, after())
        .tells([order_update("orders")])
        .tells(controls("orders"));
    let trades = Channel::new("trades", Reach::Socket, "/ws/trades", "All trades of every market")
        .query("after", AFTER, after())
        .tells([trade_executed("trades")])
        .tells(controls("trades"));
    let market = Channel::new("market", Reach::Socket, "/ws/markets/{symbol}", "The best prices of a market")
        .parameter("symbol", "The market: `BTC-USDT`, `BTC/USDT` or percent-encoded.")
        .tells(orderbook_updates("market"))
        .tells(controls("market"));
    let answers = ["subscribed", "unsubscribed"].map(|kind| {
        let about =
            "A request was served; `seq`, `index` and `token` say from where the subscription is complete.";
        let there = if kind == "subscribed" { MARKED } else { &["stream"] };
        control("many", kind, there, about)
    });
    let about = "The server says nothing until the client subscribes, except when the stream comes and goes.";
    let many = Channel::new("many", Reach::Socket, "/ws", "Whatever a client subscribes to")
        .about(about)
        .hears([Message::new("many.request", "Begin or end a subscription.", Shape::Is(request::schema()))])
        .tells(answers)
        .tells([order_update("many"), trade_executed("many")])
        .tells(orderbook_updates("many"))
        .tells([
            told("many", "depth_snapshot", "The whole book, as it stands.", stands::<DepthSnapshot>),
            told("many", "depth_update", "Levels that one input changed.", chained::<DepthUpdate>),
        ])
        .tells(controls("many"));
    [orders, trades, market, many].map(asks_who)
}

fn order_update(channel: &str) -> Message {
    told(channel, "order_update", "An order of the user after a change.", chained::<OrderUpdate>)
}

fn trade_executed(channel: &str) -> Message {
    let about = "Two orders traded. With authentication the public is not told who: those fields are null. On `fills` \
                 (with `stream`) a user's own side is told.";
    told(channel, "trade_executed", about, chained::<TradeShown>)
}

fn orderbook_updates(channel: &str) -> [Message; 2] {
    let snapshot = Message::new(
        format!("{channel}.orderbook_snapshot"),
        "The best prices as they stand: the first message, and after `caught_up`.",
        Shape::Of(stands::<OrderbookUpdate>),
    );
    [snapshot, told(channel, "orderbook_update", "The best prices have changed.", chained::<OrderbookUpdate>)]
}

fn told(channel: &str, kind: &str, about: &str, schema: fn(&mut SchemaGenerator) -> Schema) -> Message {
    Message::new(format!("{channel}.{kind}"), about, Shape::Of(schema))
}

fn control(channel: &str, kind: &'static str, there: &'static [&'static str], about: &str) -> Message {
    Message::new(format!("{channel}.{kind}"), about, Shape::inline::<Control<'_>>()).of_type(kind, there)
}

fn controls(channel: &str) -> [Message; 6] {
    let error = Message::new(
        format!("{channel}.error"),
        "What the client sent cannot be served; the connection stays.",
        Shape::inline::<ErrorText<'_>>(),
    );
    [
        control(channel, "fell_behind", MARKED, "The client reads too slowly; what it misses follows."),
        control(channel, "caught_up", MARKED, "What was missed has been sent."),
        control(
            channel,
            "reset",
            &["stream", "seq", "index", "token", "reason"],
            "What came before is not told here; `cursor` pages it over HTTP. The token is of an `other_channel` or an `other_stream`, or its place is `ahead_of_stream`, or of an `other_history`: the stream was put back; more was missed than is sent (`too_far`); or it cannot be had any more (`history_lost`).",
        ),
        control(
            channel,
            "status",
            &["reason"],
            "The stream is unreachable or back, history is being read, or the token has ended.",
        ),
        control(channel, "shutdown", &[], "The server goes down and closes with 1001."),
        error.of_type("error", &[]),
    ]
}

/// A body as it goes out live: with its place and the place before it.
fn chained<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let number = json!({ "type": "integer", "minimum": 0 });
    let more = json!({ "prev_seq": number, "prev_index": number, "token": { "type": "string" } });
    placed::<T>(generator, more, &["last"])
}

/// A body as it begins a chain.
fn stands<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    placed::<T>(generator, json!({ "snapshot": { "const": true }, "token": { "type": "string" } }), &[])
}

/// As [`frame`](super::frame) extends a body.
fn placed<T: JsonSchema>(generator: &mut SchemaGenerator, more: Value, flags: &[&str]) -> Schema {
    let mut schema = T::json_schema(generator).to_value();
    let number = json!({ "type": "integer", "minimum": 0 });
    let mut add = |name: &str, of: Value, required: bool| {
        schema["properties"][name] = of;
        if let (true, Some(fields)) = (required, schema["required"].as_array_mut()) {
            fields.push(json!(name));
        }
    };
    add("seq", number.clone(), true);
    add("index", number, true);
    for (name, of) in more.as_object().into_iter().flatten() {
        add(name, of.clone(), true);
    }
    for flag in flags {
        add(flag, json!({ "const": true }), false);
    }
    Schema::try_from(schema).expect("it was an object before")
}

/// The same addresses, as HTTP sees them.
pub fn market_sockets(routes: Routes) -> Routes {
    let socket = |id, summary| {
        let text = json!({ "type": "string" });
        Operation::new(id, "sockets", summary)
            .asks_who()
            .query("ticket", "Of `POST /api/ws-ticket`, in place of a bearer token.", text.clone())
            .query("after", AFTER, text)
            .answers_empty(101, "The socket; see the AsyncAPI document at `/asyncapi.json`.")
            .problems(400, &["bad_handshake"])
            .problems(403, &["origin_not_allowed"])
            .problems(426, &["upgrade_required", "bad_handshake"])
            .problems(429, &["rate_limited"])
            .problems(503, &["going_down", "too_many_sockets"])
    };
    let symbol = json!({ "type": "string", "examples": ["BTC-USDT"] });
    let market = socket("watchMarket", "A WebSocket: the best prices of a market");
    let market = market.path("symbol", "The market.", symbol).problems(404, &["unknown_market"]);
    let unnamed = |id| socket(id, "A market's socket without its symbol");
    routes
        .also("/ws", socket("watchMany", "A WebSocket: whatever is subscribed to"))
        .also("/ws/orders", socket("watchOrders", "A WebSocket: a user's own book orders"))
        .also("/ws/trades", socket("watchTrades", "A WebSocket: all trades"))
        .also("/ws/markets", unnamed("watchNoMarket"))
        .also("/ws/markets/", unnamed("watchUnnamedMarket"))
        .also("/ws/markets/{symbol}", market)
}
