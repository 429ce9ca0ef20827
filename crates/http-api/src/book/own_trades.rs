//! A user's own trades.

use axum::{
    Json,
    extract::{RawQuery, State},
    http::HeaderMap,
};
use fillstream_domain::Position;
use fillstream_http_edge::{Problem, parameter};
use fillstream_projections::market::Parties;

use super::{
    BookApi,
    cursor::{cut, limit, trades_before, trades_cursor},
    public::Trades,
    store_unreachable,
};

/// `GET /api/v1/trades?user_id=…&symbol=…&limit=…&cursor=…`: own ids and fees, of the other side nothing.
pub(super) async fn get_own_trades(
    State(api): State<BookApi>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Trades>, Problem> {
    let query = query.as_deref();
    let user = api.askers.asker(&headers, query).await?.known()?;
    let limit = limit(query)?;
    let symbol = parameter(query, "symbol").map(|text| text.parse()).transpose();
    let symbol =
        symbol.map_err(|_| Problem::malformed("query:symbol", "must be a market such as BTC/USDT"))?;
    let before = trades_before(query)?;
    let _place = api.pages.place().await?;
    let trades = api.stored.own_trades(user, symbol.as_ref(), before, limit + 1).await;
    let mut trades = trades.map_err(store_unreachable)?;
    let more = cut(&mut trades, limit);
    let cursor =
        trades.last().filter(|_| more).map(|trade| trades_cursor(Position::new(trade.seq, trade.index)));
    let trades = trades.into_iter().map(|trade| trade.map(|trade| trade.shown(Parties::Own(user))));
    Ok(Json(Trades { trades: trades.collect(), cursor }))
}
