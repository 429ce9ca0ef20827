//! Problems for a matcher's refusal of an amend or a cancel.

use axum::http::StatusCode;
use fillstream_domain::{
    OrderId,
    book::{Refusal, RefusalCode},
};
use fillstream_http_edge::Problem;

use super::unknown_order;

/// 404 for another's order, 409 for what the order or the book has come to, 422 for what a filter refuses.
pub(super) fn problem(order: OrderId, refusal: Refusal) -> Problem {
    const CONFLICT: StatusCode = StatusCode::CONFLICT;
    const INVALID: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;
    let (status, code, field) = match refusal.code {
        RefusalCode::NotOwner => return unknown_order(order),
        RefusalCode::UnknownOrEnded | RefusalCode::Expired => return ended(order),
        RefusalCode::DuplicateOrder => (CONFLICT, "duplicate_order", None),
        RefusalCode::WouldTake => (CONFLICT, "would_take", Some("/price")),
        RefusalCode::BelowFilled => (CONFLICT, "below_filled", Some("/quantity")),
        RefusalCode::LevelFull => (CONFLICT, "level_full", Some("/price")),
        RefusalCode::TickSize => (INVALID, "tick_size", Some("/price")),
        RefusalCode::MinPrice => (INVALID, "min_price", Some("/price")),
        RefusalCode::MaxPrice => (INVALID, "max_price", Some("/price")),
        RefusalCode::PriceBand => (INVALID, "price_band", Some("/price")),
        RefusalCode::LotSize => (INVALID, "lot_size", Some("/quantity")),
        RefusalCode::MinQuantity => (INVALID, "min_quantity", Some("/quantity")),
        RefusalCode::MaxQuantity => (INVALID, "max_quantity", Some("/quantity")),
        RefusalCode::MinNotional => (INVALID, "min_notional", Some("/quantity")),
        RefusalCode::Terms => (INVALID, "terms", None),
        RefusalCode::Definition => (INVALID, "definition", None),
        RefusalCode::UnknownMarket => (INVALID, "unknown_market", None),
        RefusalCode::TooManyOpenOrders => (INVALID, "too_many_open_orders", None),
    };
    let problem = Problem::new(status, code, refusal.detail.clone());
    match field {
        Some(pointer) => problem.field(pointer, refusal.detail),
        None => problem,
    }
}

/// 409: nothing can be asked of the order any more.
pub(super) fn ended(order: OrderId) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "order_ended",
        format!("The order {order} has ended; nothing has changed."),
    )
}
