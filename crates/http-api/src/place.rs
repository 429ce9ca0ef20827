//! Placing a swap order, once, however often it is asked for.

use axum::{
    Json,
    body::Body,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use fillstream_crash_point::{Boundary, reach};
use fillstream_domain::{
    ClientKey, OrderId, Seq, TraceParent, UserId,
    subject::swap_placed,
    swap::{FieldError, Request, Status, SwapEvent, Terms},
};
use fillstream_event_log::{AppendError, Consistency, NewRecord, Record};
use fillstream_http_edge::{Asker, Cost, FieldProblem, Problem};
use fillstream_retry::chain;
use schemars::JsonSchema;
use serde::Serialize;
use tracing::{Instrument, info, info_span, warn};
use uuid::Uuid;

use crate::{
    Api,
    address::socket_url,
    body::{self, ExecuteBody, Scalar},
    key,
    refused::{not_appended, unreachable},
    trace::trace,
};

/// The scope of keys: a key of another family never finds a swap order.
const FAMILY: &str = "swap";

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SwapPlaced")]
pub(crate) struct PlacedAnswer {
    order_id: OrderId,
    status: Status,
    ws_url: String,
    seq: Seq,
}

/// A request that was judged good.
struct Accepted {
    terms: Terms,
    user: Option<UserId>,
    key: Option<ClientKey>,
}

/// `POST /api/orders/execute`
pub(crate) async fn place(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    // Who must not ask is told before the body is looked at.
    let asker = api.askers.asker(&headers, query.as_deref()).await?;
    let body = body::read(&headers, body, body::MAX_BODY).await?;
    let accepted = judge(&headers, asker, &body)?;
    api.askers.charge(accepted.user, Cost::Orders(1))?;
    let order = match &accepted.key {
        Some(key) => OrderId::derived(FAMILY, accepted.user, key),
        None => OrderId::new(Uuid::now_v7()),
    };
    let trace = trace(&headers);
    let span = info_span!("order", order_id = %order, trace_id = %trace.trace_id());
    let (seq, replayed) = append(&api, order, accepted, trace).instrument(span).await?;
    let ws_url = socket_url(api.public_url.as_deref(), &api.listen, &headers, order);
    let answer = PlacedAnswer { order_id: order, status: Status::Pending, ws_url, seq };
    let mut response = (StatusCode::CREATED, Json(answer)).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/api/orders/{order}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    if replayed {
        let name = HeaderName::from_static("idempotent-replayed");
        response.headers_mut().insert(name, HeaderValue::from_static("true"));
    }
    Ok(response)
}

fn judge(headers: &HeaderMap, asker: Asker, body: &[u8]) -> Result<Accepted, Problem> {
    let fields = ExecuteBody::parse(body)?;
    let asker = match Scalar::of(fields.user_id) {
        Scalar::Missing => asker,
        Scalar::Text(user) => asker.and_body(Some(&user))?,
        Scalar::Number(_) | Scalar::Other => {
            return Err(Problem::malformed("/user_id", "must be a hyphenated UUID"));
        }
    };
    let [token_in, token_out, amount, slippage] =
        [fields.token_in, fields.token_out, fields.amount, fields.slippage].map(Scalar::of);
    let request = Request {
        token_in: token_in.field(),
        token_out: token_out.field(),
        amount: amount.field(),
        slippage: slippage.field(),
    };
    let terms = request.judge();
    let key = key::key(headers, &Scalar::of(fields.client_order_id), "/clientOrderId");
    match (terms, key) {
        (Ok(terms), Ok(key)) => Ok(Accepted { terms, user: asker.user(), key }),
        (terms, key) => {
            let mut errors: Vec<_> = terms.err().into_iter().flatten().map(problem_of).collect();
            errors.extend(key.err());
            Err(Problem::invalid(errors))
        }
    }
}

fn problem_of(error: FieldError) -> FieldProblem {
    FieldProblem { pointer: format!("/{}", error.field), detail: error.must }
}

/// Appends the placed event; true when it was there already.
async fn append(
    api: &Api,
    order: OrderId,
    accepted: Accepted,
    trace: TraceParent,
) -> Result<(Seq, bool), Problem> {
    let fingerprint = accepted.terms.fingerprint();
    if let Err(no_room) = api.room.check() {
        // A repetition is no new order: it is answered as ever.
        let first = if accepted.key.is_some() { first(api, order).await? } else { None };
        return first.map_or(Err(no_room), |first| replay(&first, order, &fingerprint));
    }
    let placed = accepted.terms.place(order, accepted.user, accepted.key, (api.clock)());
    let event = SwapEvent::Placed(placed);
    let record = NewRecord {
        subject: swap_placed(order),
        after: Seq::ZERO,
        event_id: Uuid::now_v7(),
        event_type: event.event_type().cloud_event_type(),
        time: event.at().to_string(),
        traceparent: Some(trace.to_string()),
        retries: None,
        payload: event.encode().into(),
    };
    reach(Boundary::BeforePlaced);
    let appended = api.log.append(record).await;
    reach(Boundary::AfterPlaced);
    match appended {
        Ok(seq) => {
            info!(order_id = %order, %seq, "order placed");
            Ok((seq, false))
        }
        Err(AppendError::Fenced { .. }) => {
            let first = first(api, order).await?.ok_or_else(unreachable)?;
            replay(&first, order, &fingerprint)
        }
        Err(error) => {
            warn!(order_id = %order, error = %chain(&error), "append: the order is not stored, or not known to be");
            Err(not_appended(&error, MAY_BE_STORED))
        }
    }
}

const MAY_BE_STORED: &str = "The stream cannot be reached, so whether the order is stored is not known. Repeating the \
                             request is safe with an Idempotency-Key only.";

/// What decided the order's id: the first record of its subject.
async fn first(api: &Api, order: OrderId) -> Result<Option<Record>, Problem> {
    api.log.first(&swap_placed(order), Consistency::Leader).await.map_err(|_| unreachable())
}

/// The order is in the stream already: the same request gets the same answer, another one is refused.
fn replay(first: &Record, order: OrderId, fingerprint: &str) -> Result<(Seq, bool), Problem> {
    match SwapEvent::decode(&first.payload) {
        Ok(SwapEvent::Placed(placed)) if placed.fingerprint == fingerprint => Ok((first.seq, true)),
        Ok(_) | Err(_) => {
            let detail = format!("The key was used before, for another order: {order}. Nothing is stored.");
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "key_reused", detail)
                .field("header:Idempotency-Key", "must be new for another body"))
        }
    }
}
