//! Routes of the book.

use axum::http::Method;
use fillstream_http_edge::{Problem, described::Routes};

use super::{
    BookApi,
    batch::place_all,
    change::{amend, cancel},
    described,
    find::get_order,
    list::get_orders,
    own_trades::get_own_trades,
    place::place,
    public::{get_market, get_markets},
};
use crate::described::missing;

/// All of `/api/v1`.
pub fn book_router(api: BookApi) -> Routes {
    let of_market = [
        ("/api/v1/markets/{symbol}", described::get_market()),
        ("/api/v1/markets/{symbol}/book", described::get_book()),
        ("/api/v1/markets/{symbol}/trades", described::get_trades()),
    ];
    Routes::new()
        .on(Method::POST, "/api/v1/orders", place, described::place())
        .on(Method::GET, "/api/v1/orders", get_orders, described::get_orders())
        .on(Method::GET, "/api/v1/orders/", no_order, missing("noBookOrder", "A book order without its id"))
        .on(Method::POST, "/api/v1/orders/batch", place_all, described::place_all())
        .on(Method::GET, "/api/v1/orders/{order_id}", get_order, described::get_order())
        .on(Method::PATCH, "/api/v1/orders/{order_id}", amend, described::amend())
        .on(Method::DELETE, "/api/v1/orders/{order_id}", cancel, described::cancel())
        .on(Method::GET, "/api/v1/trades", get_own_trades, described::get_own_trades())
        .on(Method::GET, "/api/v1/markets", get_markets, described::get_markets())
        .on(Method::GET, "/api/v1/markets/", no_market, missing("noMarket", "A market without its symbol"))
        .on_each(Method::GET, "/api/v1/markets/{*path}", get_market, of_market)
        .with_state(api)
}

async fn no_order() -> Problem {
    Problem::malformed("path:order_id", "must be a hyphenated UUID")
}

async fn no_market() -> Problem {
    Problem::malformed("path:symbol", "must be a market such as BTC/USDT")
}
