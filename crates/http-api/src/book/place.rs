//! Placing one book order.

use axum::{
    Json,
    body::Body,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use fillstream_domain::OrderId;
use fillstream_http_edge::{Cost, Problem};

use super::{
    BookApi, intake,
    members::Members,
    order_body::{OrderBody, user},
};
use crate::{body, key::key, trace::traceparent};

/// `POST /api/v1/orders`
pub(super) async fn place(
    State(api): State<BookApi>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    // Who must not ask is told before the body is looked at.
    let asker = api.askers.asker(&headers, query.as_deref()).await?;
    let bytes = body::read(&headers, body, body::MAX_BODY).await?;
    let body = OrderBody::of(Members::of_body(&bytes)?);
    let user = user(asker, &body.user_id)?;
    api.askers.charge(Some(user), Cost::Orders(1))?;
    let key = key(&headers, &body.client_order_id, "/client_order_id");
    let markets = api.markets.definitions(body.request().market().as_ref()).await?;
    let accepted = intake::judge(&body, user, key, &markets, (api.clock)())?;
    let accepted = intake::take_room(&api, accepted, &markets).await?;
    let stored = intake::store(&api, accepted, &traceparent(&headers)).await?;
    let location = location(stored.view.order_id);
    let mut response = (StatusCode::CREATED, Json(stored.view)).into_response();
    response.headers_mut().insert(header::LOCATION, location);
    if stored.replayed {
        let name = HeaderName::from_static("idempotent-replayed");
        response.headers_mut().insert(name, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Address at which an order is read.
pub(super) fn location(order: OrderId) -> HeaderValue {
    HeaderValue::from_str(&format!("/api/v1/orders/{order}")).expect("a UUID can stand in a header")
}
