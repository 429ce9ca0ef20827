//! The fields of a book order's body.

use fillstream_domain::{
    UserId,
    book::{Flag, Request},
};
use fillstream_http_edge::{Asker, FieldProblem, Problem};

use super::members::Members;
use crate::body::Scalar;

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
