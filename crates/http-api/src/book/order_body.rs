//! The fields of a book order's body.

use fillstream_domain::{
    UserId,
    book::{Flag, OrderType, Request, SelfTradePrevention, Side, TimeInForce},
};
use fillstream_http_edge::{Asker, FieldProblem, Problem};
use serde_json::{Value, json};

use super::members::Members;
use crate::body::{Scalar, client_order_id, decimal};

/// All that an order may say.
const FIELDS: [&str; 11] = [
    "user_id",
    "symbol",
    "side",
    "type",
    "quantity",
    "price",
    "time_in_force",
    "expires_at",
    "post_only",
    "self_trade_prevention",
    "client_order_id",
];

/// Schema of what [`OrderBody`] reads. null stands for a field that is not there.
pub(super) fn schema() -> Value {
    fn words<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str) -> Value {
        json!({ "enum": all.iter().map(|word| name(*word)).collect::<Vec<_>>() })
    }
    let limit = "The limit; absent on MARKET orders. A multiple of the market's tick.";
    let expiry =
        json!({ "type": "string", "format": "date-time", "description": "With GTD, and only then." });
    json!({
        "type": "object",
        "required": ["symbol", "side", "type", "quantity"],
        "additionalProperties": false,
        "properties": {
            "user_id": { "type": "string", "format": "uuid", "description": "Who asks, unless query or header say so." },
            "symbol": { "type": "string", "examples": ["BTC/USDT"] },
            "side": words(Side::ALL, Side::name),
            "type": words(OrderType::ALL, OrderType::name),
            "quantity": decimal("Of the base; a multiple of the market's lot."),
            "price": or_null(decimal(limit)),
            "time_in_force": or_null(words(TimeInForce::ALL, TimeInForce::name)),
            "expires_at": or_null(expiry),
            "post_only": { "type": ["boolean", "null"], "description": "Rests or is refused; never takes." },
            "self_trade_prevention": or_null(words(SelfTradePrevention::ALL, SelfTradePrevention::name)),
            "client_order_id": or_null(client_order_id()),
        },
    })
}

fn or_null(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

/// An order as it stands in a body, each field as it was written.
pub(super) struct OrderBody<'a> {
    symbol: Scalar<'a>,
    side: Scalar<'a>,
    order_type: Scalar<'a>,
    quantity: Scalar<'a>,
    price: Scalar<'a>,
    time_in_force: Scalar<'a>,
    expires_at: Scalar<'a>,
    post_only: Flag,
    self_trade_prevention: Scalar<'a>,
    pub(super) client_order_id: Scalar<'a>,
    pub(super) user_id: Scalar<'a>,
    /// What no order has.
    pub(super) unknown: Vec<FieldProblem>,
}

impl<'a> OrderBody<'a> {
    pub(super) fn of(mut members: Members<'a>) -> Self {
        let mut body = Self {
            symbol: members.scalar("symbol"),
            side: members.scalar("side"),
            order_type: members.scalar("type"),
            quantity: members.scalar("quantity"),
            price: members.scalar("price"),
            time_in_force: members.scalar("time_in_force"),
            expires_at: members.scalar("expires_at"),
            post_only: members.flag("post_only"),
            self_trade_prevention: members.scalar("self_trade_prevention"),
            client_order_id: members.scalar("client_order_id"),
            user_id: members.scalar("user_id"),
            unknown: Vec::new(),
        };
        body.unknown = members.unknown(&FIELDS);
        body
    }

    /// The fields as they are judged.
    pub(super) fn request(&self) -> Request<'_> {
        Request {
            symbol: self.symbol.field(),
            side: self.side.field(),
            order_type: self.order_type.field(),
            quantity: self.quantity.field(),
            price: self.price.field(),
            time_in_force: self.time_in_force.field(),
            expires_at: self.expires_at.field(),
            post_only: self.post_only,
            self_trade_prevention: self.self_trade_prevention.field(),
        }
    }
}

/// The asker when the body's `user_id` is taken into account.
pub(super) fn named_in_body(asker: Asker, user_id: &Scalar<'_>) -> Result<Asker, Problem> {
    match user_id {
        Scalar::Missing => Ok(asker),
        Scalar::Text(user) => asker.and_body(Some(user)),
        Scalar::Number(_) | Scalar::Other => Err(Problem::malformed("/user_id", "must be a hyphenated UUID")),
    }
}

/// The user who asks: named in the query, in a header or in the body.
pub(super) fn user(asker: Asker, user_id: &Scalar<'_>) -> Result<UserId, Problem> {
    named_in_body(asker, user_id)?.known()
}
