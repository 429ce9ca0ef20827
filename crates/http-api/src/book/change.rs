//! Amending and cancelling a book order, with the matcher's answer.

use axum::{
    Json,
    body::{Body, Bytes, HttpBody as _},
    extract::{Path, RawQuery, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use fillstream_domain::{
    Amount, OrderId, Seq,
    book::{AmendRequest, AmendRequested, BookInput, CancelRequested, InputResult},
    subject::book_order,
};
use fillstream_event_log::{AppendError, Consistency};
use fillstream_http_edge::{Asker, Cost, FieldProblem, Problem};
use fillstream_projections::market::{BookOrderRow, BookOrderView};
use fillstream_retry::chain;
use tracing::{debug, error, warn};

use super::{
    Answer, BookApi,
    find::{find, order_id},
    intake::{MAY_BE_STORED, problem_of, record},
    members::Members,
    order_body::user,
    place::location,
    refusal::{self, ended},
    unknown_order,
};
use crate::{
    body,
    body::Scalar,
    refused::{not_appended, unreachable},
    trace::traceparent,
};

/// Times that an amend or cancel is fenced anew when others were faster. Each time one of them has won, so that this
/// many changes of one order within a few milliseconds lie behind whoever is told to come again.
const FENCE_TRIES: usize = 16;

/// `PATCH /api/v1/orders/{order_id}`
pub(super) async fn amend(
    State(api): State<BookApi>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let asker = api.askers.asker(&headers, query.as_deref()).await?;
    let order = order_id(path)?;
    let bytes = body::read(&headers, body, body::MAX_BODY).await?;
    let mut members = Members::of_body(&bytes)?;
    let [user_id, quantity, price] = ["user_id", "quantity", "price"].map(|name| members.scalar(name));
    let row = own_order(&api, asker, &user_id, order).await?;
    api.askers.charge(Some(row.user_id), Cost::Orders(1))?;
    let definitions = api.markets.definitions(Some(&row.symbol)).await?;
    let definition = definitions.get(&row.symbol).ok_or_else(unreachable)?;
    let asked = AmendRequest { quantity: quantity.field(), price: price.field() };
    let unknown = members.unknown(&["user_id", "quantity", "price"]);
    let terms = match asked.judge(row.order_type, definition) {
        Ok(terms) if unknown.is_empty() => terms,
        judged => {
            let errors = judged.err().into_iter().flatten().map(problem_of);
            return Err(Problem::invalid(errors.chain(unknown).collect::<Vec<FieldProblem>>()));
        }
    };
    if !is_only_less(&row, terms.quantity, terms.price) {
        api.room.check()?;
    }
    let input = BookInput::AmendRequested(AmendRequested {
        order_id: order,
        user_id: row.user_id,
        symbol: row.symbol.clone(),
        quantity: terms.quantity,
        price: terms.price,
        at: (api.clock)(),
    });
    ask(&api, row, &input, &headers).await
}

/// Less of it at the same price, which goes on without room for new orders, as a cancel does.
fn is_only_less(row: &BookOrderRow, quantity: Option<Amount>, price: Option<Amount>) -> bool {
    price.is_none_or(|price| Some(price) == row.price)
        && quantity.is_none_or(|quantity| quantity <= row.quantity)
}

/// `DELETE /api/v1/orders/{order_id}`
pub(super) async fn cancel(
    State(api): State<BookApi>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let asker = api.askers.asker(&headers, query.as_deref()).await?;
    let order = order_id(path)?;
    let bytes = optional_body(&headers, body).await?;
    let user_id = match &bytes {
        Some(bytes) => {
            let mut members = Members::of_body(bytes)?;
            let user_id = members.scalar("user_id");
            let unknown = members.unknown(&["user_id"]);
            if !unknown.is_empty() {
                return Err(Problem::invalid(unknown));
            }
            user_id
        }
        None => Scalar::Missing,
    };
    let row = own_order(&api, asker, &user_id, order).await?;
    api.askers.charge(Some(row.user_id), Cost::Cancel)?;
    let (user_id, symbol) = (row.user_id, row.symbol.clone());
    let input =
        BookInput::CancelRequested(CancelRequested { order_id: order, user_id, symbol, at: (api.clock)() });
    ask(&api, row, &input, &headers).await
}

/// A cancel needs no body; one that names its user is read. Clients that name a content type with every request send
/// none all the same.
async fn optional_body(headers: &HeaderMap, body: Body) -> Result<Option<Bytes>, Problem> {
    if body.is_end_stream() { Ok(None) } else { body::read(headers, body, body::MAX_BODY).await.map(Some) }
}

/// The order, when it is the asker's and has not ended.
async fn own_order(
    api: &BookApi,
    asker: Asker,
    user_id: &Scalar<'_>,
    order: OrderId,
) -> Result<BookOrderRow, Problem> {
    let user = user(asker, user_id)?;
    let row = find(api, order).await?;
    if row.user_id != user {
        return Err(unknown_order(order));
    }
    if row.status.is_terminal() { Err(ended(order)) } else { Ok(row) }
}

/// Appends the wish and waits for what the matcher says to it.
async fn ask(
    api: &BookApi,
    row: BookOrderRow,
    input: &BookInput,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let seq = append(api, &row, input, &traceparent(headers)).await?;
    debug!(order_id = %row.order_id, %seq, "a change was asked for");
    match api.outcomes.outcome(seq, api.patience).await {
        Some(answer) => {
            if let Some(order) = &answer.order {
                // From here on a book that still shows the order would contradict this answer.
                api.written.note(order.last_seq);
            }
            api.open.ended(row.user_id, &row.symbol).await;
            answered(row, input, answer)
        }
        None => Ok(accepted(&row)),
    }
}

/// Appends behind whatever was asked of the order before.
async fn append(api: &BookApi, row: &BookOrderRow, input: &BookInput, trace: &str) -> Result<Seq, Problem> {
    let subject = book_order(&row.symbol, row.order_id);
    let mut consistency = Consistency::Any;
    for _ in 0..FENCE_TRIES {
        let last = api.log.last(&subject, consistency).await.map_err(|_| unreachable())?;
        let after = last.map_or(row.placed_seq, |last| last.seq);
        match api.log.append(record(subject.clone(), after, input, trace)).await {
            Ok(seq) => return Ok(seq),
            // Somebody was faster, or the replica was behind.
            Err(AppendError::Fenced { .. }) => consistency = Consistency::Leader,
            Err(error) => {
                let order_id = row.order_id;
                warn!(%order_id, error = %chain(&error), "append: the change is not stored, or not known to be");
                return Err(not_appended(&error, MAY_BE_STORED));
            }
        }
    }
    let detail = "Too many changes of this order at once; this one is not stored.";
    Err(Problem::new(StatusCode::CONFLICT, "order_contended", detail)
        .header(header::RETRY_AFTER, HeaderValue::from_static("1")))
}

fn answered(mut row: BookOrderRow, input: &BookInput, answer: Answer) -> Result<Response, Problem> {
    let order = row.order_id;
    match answer.result {
        InputResult::Amended | InputResult::Cancelled | InputResult::Unchanged => {
            if let Some(patch) = &answer.order {
                row.take(patch);
            } else if let BookInput::AmendRequested(asked) = input {
                // Unchanged: the order is what was asked for, also when the row is older.
                row.quantity = asked.quantity.unwrap_or(row.quantity);
                row.price = asked.price.or(row.price);
            }
            Ok(Json(BookOrderView::from(&row)).into_response())
        }
        InputResult::Refused(refusal) | InputResult::Rejected(refusal) => {
            Err(refusal::problem(order, refusal))
        }
        InputResult::Parked { reason } => {
            let detail = format!("The matcher cannot read the request and has set it aside: {reason}");
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "parked", detail))
        }
        result @ (InputResult::Accepted | InputResult::Defined | InputResult::Ticked) => {
            error!(order_id = %order, ?result, "the matcher answered something else than what was asked");
            let detail = "The matcher's answer is none to what was asked.";
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "unexpected_answer", detail))
        }
    }
}

/// The wish is stored, and the matcher has not answered yet: the order as it is known.
fn accepted(row: &BookOrderRow) -> Response {
    let mut response = (StatusCode::ACCEPTED, Json(BookOrderView::from(row))).into_response();
    response.headers_mut().insert(header::LOCATION, location(row.order_id));
    response
}
