//! Finding a book order of which only the id is known.
//!
//! ```text
//!  read store ── knows it ─▶ the order
//!      └─ does not know it (yet), or does not answer ─▶ the leader: orders.book.*.<id>, its first record ─▶ the order, open
//!                                                         + what the matcher said a moment ago
//! ```

use axum::{
    Json,
    extract::{Path, RawQuery, State, rejection::PathRejection},
    http::HeaderMap,
};
use fillstream_domain::{OrderId, Seq, book::BookInput, subject::book_order_anywhere};
use fillstream_event_log::{LogError, Record};
use fillstream_http_edge::Problem;
use fillstream_projections::market::{BookOrderRow, BookOrderView};
use fillstream_retry::chain;
use tracing::warn;

use super::{BookApi, unknown_order, unreachable};

/// `GET /api/v1/orders/{order_id}`
pub(super) async fn get_order(
    State(api): State<BookApi>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<BookOrderView>, Problem> {
    let asker = api.askers.asker(&headers, query.as_deref()).await?;
    let order = order_id(path)?;
    let row = find(&api, order).await?;
    // Without authentication nobody need be named; whoever is sees his own orders alone.
    if asker.user().is_some_and(|user| user != row.user_id) {
        return Err(unknown_order(order));
    }
    Ok(Json(BookOrderView::from(&row)))
}

pub(super) fn order_id(path: Result<Path<String>, PathRejection>) -> Result<OrderId, Problem> {
    let parsed = path.ok().and_then(|Path(text)| text.parse().ok());
    parsed.ok_or_else(|| Problem::malformed("path:order_id", "must be a hyphenated UUID"))
}

/// The order as far as it is known; 404 when there is none.
pub(super) async fn find(api: &BookApi, order: OrderId) -> Result<BookOrderRow, Problem> {
    let stored = api.stored.order(order).await.unwrap_or_else(|error| {
        // The log has the order too.
        warn!(error = %chain(&error), order_id = %order, "read store failed: the order is read from the log");
        None
    });
    let found = match stored {
        Some(row) => Some(row),
        None => in_log(api, order).await.map_err(|error| {
            warn!(error = %chain(&error), order_id = %order, "read of an order failed");
            unreachable()
        })?,
    };
    let mut row = found.ok_or_else(|| unknown_order(order))?;
    refresh(api, &mut row);
    Ok(row)
}

/// Takes in what the matcher has just said of the order, when the row does not have it yet.
pub(super) fn refresh(api: &BookApi, row: &mut BookOrderRow) {
    if let Some(patch) = api.outcomes.latest(row.order_id) {
        row.take(&patch);
    }
}

/// The order as the first record of its subject tells it, wherever that is: one question to the leader, which knows the newest
/// orders too, however many markets there are.
async fn in_log(api: &BookApi, order: OrderId) -> Result<Option<BookOrderRow>, LogError> {
    let first = api.log.next_matching(Seq::FIRST, &book_order_anywhere(order)).await?;
    Ok(first.as_ref().and_then(opened))
}

/// The order as its placed event tells it; what a foreign writer put there is none.
fn opened(record: &Record) -> Option<BookOrderRow> {
    match BookInput::decode(&record.payload) {
        Ok(BookInput::Placed(placed)) => Some(BookOrderRow::new(record.seq, &placed)),
        Ok(_) | Err(_) => None,
    }
}
