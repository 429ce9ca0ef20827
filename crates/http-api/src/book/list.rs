//! A user's own orders.

use axum::{
    Json,
    extract::{RawQuery, State},
    http::HeaderMap,
};
use fillstream_domain::book::BookStatus;
use fillstream_http_edge::{Problem, parameter};
use fillstream_projections::market::BookOrderView;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    BookApi, OrdersWanted,
    cursor::{cut, limit, orders_before, orders_cursor},
    find::refresh,
    store_unreachable,
};

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BookOrders")]
pub(super) struct Orders {
    /// The last placed first.
    orders: Vec<BookOrderView>,
    /// Where the next page begins; null on the last one.
    cursor: Option<String>,
}

/// `GET /api/v1/orders?symbol=…&status=…&limit=…&cursor=…`
pub(super) async fn get_orders(
    State(api): State<BookApi>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Orders>, Problem> {
    let query = query.as_deref();
    let user = api.askers.asker(&headers, query).await?.known()?;
    let limit = limit(query)?;
    let symbol = match parameter(query, "symbol") {
        None => None,
        Some(text) => Some(
            text.parse()
                .map_err(|_| Problem::malformed("query:symbol", "must be a market such as BTC/USDT"))?,
        ),
    };
    let status = status(query)?;
    let wanted = OrdersWanted { user, symbol, status, before: orders_before(query)?, limit: limit + 1 };
    api.written.is_stored(&*api.stored).await;
    let _place = api.pages.place().await?;
    let mut rows = api.stored.orders(&wanted).await.map_err(store_unreachable)?;
    let more = cut(&mut rows, limit);
    let cursor = rows.last().filter(|_| more).map(|row| orders_cursor(row.placed_seq));
    rows.iter_mut().for_each(|row| refresh(&api, row));
    rows.retain(|row| status.is_none_or(|status| status == row.status));
    Ok(Json(Orders { orders: rows.iter().map(BookOrderView::from).collect(), cursor }))
}

fn status(query: Option<&str>) -> Result<Option<BookStatus>, Problem> {
    let Some(text) = parameter(query, "status") else { return Ok(None) };
    let found = BookStatus::parse(&text).ok_or_else(|| {
        let names: Vec<_> = BookStatus::ALL.iter().copied().map(BookStatus::name).collect();
        Problem::malformed("query:status", format!("must be one of {}", names.join(", ")))
    });
    found.map(Some)
}
