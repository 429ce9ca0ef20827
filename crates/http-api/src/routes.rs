//! Which request goes where.

use axum::{
    Router,
    http::{HeaderValue, Method, StatusCode, Uri, header},
    routing::{get, post},
};
use fillstream_http_edge::Problem;

use crate::{Api, orders, place};

/// Placing and reading: the `api` role.
pub fn router(api: Api) -> Router {
    let place = Router::new().route("/api/orders/execute", post(place::place).get(upgrade_required));
    place.with_state(api.clone()).merge(orders_router(api))
}

/// Reading alone: what a bridge without the `api` role answers to a plain GET.
pub fn read_router(api: Api) -> Router {
    Router::new().route("/api/orders/execute", get(upgrade_required)).merge(orders_router(api))
}

fn orders_router(api: Api) -> Router {
    Router::new()
        .route("/api/orders/{order_id}", get(orders::get_order))
        .route("/api/orders/{order_id}/logs", get(orders::get_logs))
        // For whoever does not accept an event stream; for whoever does, the bridge answers.
        .route("/api/orders/{order_id}/events", get(orders::get_logs))
        .route("/api/orders/status/{order_id}", get(orders::get_order))
        .route("/api/orders/status/", get(missing_id))
        .route("/api/orders/", get(missing_id))
        .with_state(api)
}

async fn missing_id() -> Problem {
    Problem::malformed("path:orderId", "must be a hyphenated UUID")
}

async fn upgrade_required() -> Problem {
    let detail = "This address is a WebSocket: connect to it with an upgrade, or POST an order to it.";
    Problem::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", detail)
        .header(header::UPGRADE, HeaderValue::from_static("websocket"))
        .header(header::CONNECTION, HeaderValue::from_static("upgrade"))
}

/// What an unknown address is answered.
pub async fn not_found(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", format!("There is nothing at {}.", uri.path()))
}

/// What a wrong method is answered; the router adds `Allow`.
pub async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let detail = format!("{} does not take {method}; the Allow header says what it takes.", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
