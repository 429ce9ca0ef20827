//! Book orders judged and appended: what single orders and batches share.

use axum::http::StatusCode;
use fillstream_crash_point::{Boundary, reach};
use fillstream_domain::{
    ClientKey, OrderId, Seq, Timestamp, UserId,
    book::{BookInput, BookPlaced, Definitions, Symbol, Terms},
    subject::book_order,
    swap::FieldError,
};
use fillstream_event_log::{AppendError, Consistency, NewRecord};
use fillstream_http_edge::{FieldProblem, Problem};
use fillstream_projections::market::BookOrderView;
use fillstream_retry::chain;
use tracing::{debug, warn};
use uuid::Uuid;

use super::{BookApi, order_body::OrderBody};
use crate::refused::{not_appended, unreachable};

/// An order that may be appended.
pub(super) struct Accepted {
    order: OrderId,
    terms: Terms,
    user: UserId,
    key: Option<ClientKey>,
    /// Objections of now, which perhaps did not hold when it was first sent: a repetition is answered all the same.
    refused: Option<Problem>,
}

/// An order in the stream.
pub(super) struct Stored {
    pub(super) view: BookOrderView,
    /// It was there already.
    pub(super) replayed: bool,
}

/// Judges an order.
pub(super) fn judge(
    body: &OrderBody<'_>,
    user: UserId,
    key: Result<Option<ClientKey>, FieldProblem>,
    markets: &Definitions,
    now: Timestamp,
) -> Result<Accepted, Problem> {
    let (terms, errors) = match body.request().judge(markets, now) {
        Ok(terms) => (Some(terms), Vec::new()),
        Err(refused) => (refused.terms, refused.errors),
    };
    let mut errors: Vec<_> = errors.into_iter().map(problem_of).collect();
    let lasting = !body.unknown.is_empty() || key.is_err();
    errors.extend(body.unknown.iter().cloned());
    let key = key.unwrap_or_else(|error| {
        errors.push(error);
        None
    });
    let has_key = key.is_some();
    let accepted = |terms: Terms, refused| {
        let order = order_id(terms.symbol(), user, key.as_ref());
        Ok(Accepted { order, terms, user, key, refused })
    };
    match terms {
        Some(terms) if errors.is_empty() => accepted(terms, None),
        Some(terms) if has_key && !lasting => accepted(terms, Some(Problem::invalid(errors))),
        Some(_) | None => Err(Problem::invalid(errors)),
    }
}

/// Verdict on one more open order of its user in the market; what was refused already takes no room.
pub(super) async fn take_room(
    api: &BookApi,
    mut accepted: Accepted,
    markets: &Definitions,
) -> Result<Accepted, Problem> {
    let Some(market) = markets.get(accepted.terms.symbol()) else { return Ok(accepted) };
    if !accepted.terms.may_rest() || accepted.refused.is_some() {
        return Ok(accepted);
    }
    match api.open.take(api, (accepted.user, accepted.order), market).await {
        Ok(()) => Ok(accepted),
        Err(problem) if accepted.key.is_none() => Err(problem),
        // It may be a repetition, which is answered all the same.
        Err(problem) => {
            accepted.refused = Some(problem);
            Ok(accepted)
        }
    }
}

pub(super) fn problem_of(error: FieldError) -> FieldProblem {
    FieldProblem { pointer: format!("/{}", error.field), detail: error.must }
}

/// The id that an order with this key always gets; a new one without a key.
fn order_id(symbol: &Symbol, user: UserId, key: Option<&ClientKey>) -> OrderId {
    match key {
        // The scope of keys: family, market, user.
        Some(key) => OrderId::derived(&format!("book/{symbol}"), Some(user), key),
        None => OrderId::new(Uuid::now_v7()),
    }
}

/// Appends an order, or finds it when it is there already.
pub(super) async fn store(api: &BookApi, accepted: Accepted, trace: &str) -> Result<Stored, Problem> {
    let Accepted { order, terms, user, key, refused } = accepted;
    // Without room a repetition is answered as ever: it is no new order.
    let no_room = api.room.check().err();
    if let (Some(problem), None) = (&no_room, &key) {
        return Err(problem.clone());
    }
    let refused = refused.or(no_room);
    let subject = book_order(terms.symbol(), order);
    if let Some(problem) = refused {
        let found =
            placed(api, &subject).await?.filter(|(_, found)| found.fingerprint == terms.fingerprint());
        return found.map(|(seq, placed)| replayed(seq, &placed)).ok_or(problem);
    }
    let new = terms.place(order, user, key, (api.clock)());
    let input = BookInput::Placed(new.clone());
    let record = record(subject, Seq::ZERO, &input, trace);
    let subject = record.subject.clone();
    reach(Boundary::BeforePlaced);
    let appended = api.log.append(record).await;
    reach(Boundary::AfterPlaced);
    match appended {
        Ok(seq) => {
            api.written.note(seq);
            debug!(order_id = %order, %seq, "order placed");
            Ok(Stored { view: BookOrderView::placed(seq, &new), replayed: false })
        }
        Err(AppendError::Fenced { .. }) => match placed(api, &subject).await? {
            Some((seq, placed)) if placed.fingerprint == new.fingerprint => Ok(replayed(seq, &placed)),
            Some(_) | None => Err(key_reused(order)),
        },
        Err(error) => {
            warn!(order_id = %order, error = %chain(&error), "append: the order is not stored, or not known to be");
            Err(not_appended(&error, MAY_BE_STORED))
        }
    }
}

/// The record of an input that comes behind `after` of its subject.
pub(super) fn record(subject: String, after: Seq, input: &BookInput, trace: &str) -> NewRecord {
    NewRecord {
        subject,
        after,
        event_id: Uuid::now_v7(),
        event_type: input.event_type().cloud_event_type(),
        time: input.at().to_string(),
        traceparent: Some(trace.to_owned()),
        retries: None,
        payload: input.encode().into(),
    }
}

/// The order as it was when it was placed.
fn replayed(seq: Seq, placed: &BookPlaced) -> Stored {
    Stored { view: BookOrderView::placed(seq, placed), replayed: true }
}

/// The placed event at the subject's beginning; what a foreign writer put there is none.
async fn placed(api: &BookApi, subject: &str) -> Result<Option<(Seq, BookPlaced)>, Problem> {
    let first = api.log.first(subject, Consistency::Leader).await.map_err(|_| unreachable())?;
    Ok(first.and_then(|record| match BookInput::decode(&record.payload) {
        Ok(BookInput::Placed(placed)) => Some((record.seq, placed)),
        Ok(_) | Err(_) => None,
    }))
}

fn key_reused(order: OrderId) -> Problem {
    let detail = format!("The key was used before, for another order: {order}. Nothing is stored.");
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "key_reused", detail)
        .field("header:Idempotency-Key", "must be new for another body")
}

/// What is told when nobody knows.
pub(super) const MAY_BE_STORED: &str = "The stream cannot be reached, so whether the request is stored is not known. \
                                        Repeating an order is safe with an Idempotency-Key only; amends and cancels \
                                        may be repeated.";
