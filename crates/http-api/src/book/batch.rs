//! Placing many book orders with one request.

use axum::{
    Json,
    body::Body,
    extract::{RawQuery, State},
    http::HeaderMap,
};
use fillstream_domain::book::Definitions;
use fillstream_http_edge::{Asker, Cost, FieldProblem, Problem};
use fillstream_projections::market::BookOrderView;
use futures_util::future::join_all;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::task::coop::unconstrained;

use super::{
    BookApi,
    intake::{self, Accepted, Stored},
    members::Members,
    order_body::{OrderBody, named_in_body, user},
};
use crate::{
    body::{self, Scalar},
    key,
    trace::traceparent,
};

/// Orders of one batch (CONTRACT.md).
pub(super) const MAX_ORDERS: usize = 1000;
/// Largest body of a batch (CONTRACT.md).
const MAX_BODY: usize = 1 << 20;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BatchAnswer")]
pub(super) struct Answer {
    results: Vec<Entry>,
}

/// What became of one order: what it would have been answered alone.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BatchEntry")]
#[serde(untagged)]
enum Entry {
    Order {
        order: Box<BookOrderView>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        replayed: bool,
    },
    Refused {
        problem: Problem,
    },
}

/// `POST /api/v1/orders/batch`
pub(super) async fn place_all(
    State(api): State<BookApi>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Answer>, Problem> {
    let asker = api.askers.asker(&headers, query.as_deref()).await?;
    let bytes = body::read(&headers, body, MAX_BODY).await?;
    let Batch { asker, orders } = read(&headers, asker, &bytes)?;
    // Without authentication each order may name its user: then they all are nobody's.
    let cost = Cost::Orders(u32::try_from(orders.len()).unwrap_or(u32::MAX));
    api.askers.charge(asker.user(), cost)?;
    let markets = definitions(&api, &orders).await?;
    let now = (api.clock)();
    let mut judged = Vec::new();
    for order in orders {
        judged.push(match order.and_then(|body| judge(&body, asker, &markets, now)) {
            Ok(accepted) => intake::take_room(&api, accepted, &markets).await,
            Err(problem) => Err(problem),
        });
    }
    let trace = traceparent(&headers);
    // Polled in their order, so that they stand in the stream as they stood in the request. Not within tokio's budget of
    // polls: once that is used up, the rest would be woken the last one first.
    let stored =
        join_all(judged.into_iter().map(|order| async { intake::store(&api, order?, &trace).await }));
    let stored = unconstrained(stored).await;
    Ok(Json(Answer { results: stored.into_iter().map(Entry::from).collect() }))
}

impl From<Result<Stored, Problem>> for Entry {
    fn from(stored: Result<Stored, Problem>) -> Self {
        match stored {
            Ok(Stored { view, replayed }) => Self::Order { order: Box::new(view), replayed },
            Err(problem) => Self::Refused { problem },
        }
    }
}

struct Batch<'a> {
    asker: Asker,
    orders: Vec<Result<OrderBody<'a>, Problem>>,
}

fn read<'a>(headers: &HeaderMap, asker: Asker, bytes: &'a [u8]) -> Result<Batch<'a>, Problem> {
    let mut members = Members::of_body(bytes)?;
    let asker = named_in_body(asker, &members.scalar("user_id"))?;
    let listed = members.take("orders").map(RawValue::get);
    let mut errors = members.unknown(&["orders", "user_id"]);
    if !matches!(key::from_header(headers), Ok(None)) {
        let detail = "must be absent: a batch names each order by its client_order_id".to_owned();
        errors.push(FieldProblem { pointer: "header:Idempotency-Key".to_owned(), detail });
    }
    let listed = listed.and_then(|text| serde_json::from_str::<Vec<&RawValue>>(text).ok());
    let listed = listed.filter(|orders| orders.len() <= MAX_ORDERS).unwrap_or_else(|| {
        let detail = format!("must be a list of at most {MAX_ORDERS} orders");
        errors.push(FieldProblem { pointer: "/orders".to_owned(), detail });
        Vec::new()
    });
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let order = |raw: &&'a RawValue| {
        let members = Members::of_text(raw.get()).map_err(|must| Problem::malformed("", must))?;
        Ok(OrderBody::of(members))
    };
    let orders: Vec<_> = listed.iter().map(order).collect();
    // Nobody asks at all: that is no batch with wrong orders but a wrong request.
    let names_nobody = |order: &Result<OrderBody<'_>, Problem>| {
        order.as_ref().map_or(true, |order| matches!(order.user_id, Scalar::Missing))
    };
    if asker.user().is_none() && orders.iter().all(names_nobody) {
        asker.known()?;
    }
    Ok(Batch { asker, orders })
}

/// The definitions, read anew when one of the orders names a market that is not known.
async fn definitions(
    api: &BookApi,
    orders: &[Result<OrderBody<'_>, Problem>],
) -> Result<std::sync::Arc<Definitions>, Problem> {
    let known = api.markets.definitions(None).await?;
    let mut named = orders.iter().flatten().filter_map(|order| order.request().market());
    match named.find(|symbol| !known.contains_key(symbol)) {
        Some(missing) => api.markets.definitions(Some(&missing)).await,
        None => Ok(known),
    }
}

fn judge(
    body: &OrderBody<'_>,
    asker: Asker,
    markets: &Definitions,
    now: fillstream_domain::Timestamp,
) -> Result<Accepted, Problem> {
    let user = user(asker, &body.user_id)?;
    let key = key::key(&HeaderMap::new(), &body.client_order_id, "/client_order_id");
    intake::judge(body, user, key, markets, now)
}
