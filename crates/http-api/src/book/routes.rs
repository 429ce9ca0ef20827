//! Which request of the book goes where.

use axum::{
    Router,
    routing::{get, post},
};
use fillstream_http_edge::Problem;

use super::{
    BookApi,
    batch::place_all,
    change::{amend, cancel},
    find::get_order,
    list::get_orders,
    place::place,
    public::{get_market, get_markets},
};

/// All of `/api/v1`.
pub fn book_router(api: BookApi) -> Router {
    Router::new()
        .route("/api/v1/orders", post(place).get(get_orders))
        .route("/api/v1/orders/", get(no_order))
        .route("/api/v1/orders/batch", post(place_all))
        .route("/api/v1/orders/{order_id}", get(get_order).patch(amend).delete(cancel))
        .route("/api/v1/markets", get(get_markets))
        .route("/api/v1/markets/", get(no_market))
        .route("/api/v1/markets/{*path}", get(get_market))
        .with_state(api)
}

async fn no_order() -> Problem {
    Problem::malformed("path:order_id", "must be a hyphenated UUID")
}

async fn no_market() -> Problem {
    Problem::malformed("path:symbol", "must be a market such as BTC/USDT")
}
