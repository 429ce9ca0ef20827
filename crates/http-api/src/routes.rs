//! Routes of swap orders.

use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use fillstream_http_edge::{Problem, described::Routes};

use crate::{Api, described, orders, place};

/// Placing and reading: the `api` role.
pub fn router(api: Api) -> Routes {
    let place = Routes::new().on(Method::POST, "/api/orders/execute", place::place, described::place());
    place.with_state(api.clone()).merge(read_router(api))
}

/// Reading alone: what a bridge without the `api` role answers to a plain GET.
pub fn read_router(api: Api) -> Routes {
    let missing = |id| described::missing(id, "An order's address without its id");
    Routes::new()
        .on(Method::GET, "/api/orders/execute", upgrade_required, described::status_socket())
        .on(Method::GET, "/api/orders/{order_id}", orders::get_order, described::get_order())
        .on(Method::GET, "/api/orders/{order_id}/logs", orders::get_logs, described::get_logs())
        // For whoever does not accept an event stream; for whoever does, the bridge answers.
        .on(Method::GET, "/api/orders/{order_id}/events", orders::get_logs, described::get_events())
        .on(Method::GET, "/api/orders/status/{order_id}", orders::get_order, described::progress_socket())
        .on(Method::GET, "/api/orders/status/", missing_id, missing("noStatusId"))
        .on(Method::GET, "/api/orders/", missing_id, missing("noOrderId"))
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

/// Answer to an unknown address.
pub async fn not_found(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", format!("There is nothing at {}.", uri.path()))
}

/// Answer to a wrong method; the router adds `Allow`.
pub async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let detail = format!("{} does not take {method}; the Allow header says what it takes.", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
