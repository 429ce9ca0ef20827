//! Reading a swap order.

use axum::{
    Json,
    extract::{Path, RawQuery, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use fillstream_domain::{
    OrderId, Seq, Timestamp,
    subject::{swap_placed, swap_progress},
    swap::{Status, SwapEvent},
};
use fillstream_event_log::{Consistency, Link, LogError};
use fillstream_http_edge::{Asker, Problem, parameter};
use fillstream_projections::{
    OrderView,
    channel::{Details, Entry, Kind, entries},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::Api;

/// Entries of `logs` in one answer; an ordinary order has fewer than 20. Older ones are paged.
const MAX_LOGS: usize = 1000;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SwapOrder")]
pub(crate) struct OrderAnswer {
    #[serde(flatten)]
    view: OrderView,
    /// The oldest entries of `logs` are left out; `logs?cursor=` pages them.
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// `GET /api/orders/{order_id}` and `GET /api/orders/status/{order_id}`
pub(crate) async fn get_order(
    State(api): State<Api>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asker = api.askers.asker(&headers, query.as_deref()).await?;
    let order = order_id(path)?;
    let mut view = None::<OrderView>;
    for (seq, event) in history(&api, order, asker).await? {
        match (&mut view, event) {
            (Some(view), event) => view.apply(seq, &event),
            (view @ None, SwapEvent::Placed(placed)) => *view = Some(OrderView::new(seq, &placed)),
            (None, _) => {}
        }
    }
    let mut view = view.ok_or_else(|| unknown(order))?;
    let surplus = view.logs.len().saturating_sub(MAX_LOGS);
    view.logs.drain(..surplus);
    let cursor = view.logs.first().filter(|_| surplus > 0).map(|line| line.seq.to_string());
    Ok(Json(OrderAnswer { truncated: cursor.is_some().then_some(true), cursor, view }).into_response())
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SwapLogs")]
pub(crate) struct LogsAnswer {
    order_id: OrderId,
    logs: Vec<LogAnswer>,
    /// Where the page before this one ends; absent on the oldest.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SwapLog")]
struct LogAnswer {
    timestamp: Timestamp,
    status: Status,
    #[serde(rename = "type")]
    kind: Kind,
    progress: u8,
    message: String,
    #[serde(flatten)]
    details: Details,
    seq: Seq,
    index: u32,
}

impl From<Entry> for LogAnswer {
    fn from(entry: Entry) -> Self {
        let Entry { seq, index, at, status, kind, progress, message, details, .. } = entry;
        Self { timestamp: at, status, kind, progress, message, details, seq, index }
    }
}

/// `GET /api/orders/{order_id}/logs?cursor=…&limit=…`: all entries, the newest page first, each page in order.
/// `GET /api/orders/{order_id}/events` is the same.
pub(crate) async fn get_logs(
    State(api): State<Api>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asker = api.askers.asker(&headers, query.as_deref()).await?;
    let order_id = order_id(path)?;
    let before = number(query.as_deref(), "cursor", u64::MAX, "must be a cursor of an earlier answer")
        .map(Seq::new)?;
    let limit = number(query.as_deref(), "limit", MAX_LOGS as u64, "must be a number from 1 to 1000")?;
    if !(1..=MAX_LOGS as u64).contains(&limit) {
        return Err(Problem::malformed("query:limit", "must be a number from 1 to 1000"));
    }
    let limit = usize::try_from(limit).unwrap_or(MAX_LOGS);
    let mut status = None;
    let mut all = Vec::new();
    for (seq, event) in history(&api, order_id, asker).await? {
        for entry in entries(seq, &event, status) {
            status = Some(entry.status);
            all.push(entry);
        }
    }
    if all.is_empty() {
        return Err(unknown(order_id));
    }
    all.retain(|entry| entry.seq < before);
    // An event's entries stay together, so that a cursor is a sequence.
    let mut from = all.len().saturating_sub(limit);
    while from > 0 && all[from - 1].seq == all[from].seq {
        from -= 1;
    }
    let page: Vec<LogAnswer> = all.split_off(from).into_iter().map(LogAnswer::from).collect();
    let cursor = page.first().filter(|_| from > 0).map(|entry| entry.seq.to_string());
    Ok(Json(LogsAnswer { order_id, logs: page, cursor }).into_response())
}

fn number(query: Option<&str>, name: &str, default: u64, must: &str) -> Result<u64, Problem> {
    match parameter(query, name) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| Problem::malformed(format!("query:{name}"), must)),
    }
}

fn order_id(path: Result<Path<String>, PathRejection>) -> Result<OrderId, Problem> {
    let parsed = path.ok().and_then(|Path(text)| text.parse().ok());
    parsed.ok_or_else(|| Problem::malformed("path:orderId", "must be a hyphenated UUID"))
}

fn unknown(order: OrderId) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown_order", format!("There is no order {order}."))
}

/// All events of an order that the asker may see; of another's there are none.
async fn history(api: &Api, order: OrderId, asker: Asker) -> Result<Vec<(Seq, SwapEvent)>, Problem> {
    let events = all_events(api, order).await?;
    let owner = match events.first() {
        Some((_, SwapEvent::Placed(placed))) => placed.user_id,
        Some(_) | None => None,
    };
    Ok(if asker.may_see(owner) { events } else { Vec::new() })
}

/// All events of an order. An ended order comes from the read store: nothing follows any more, so it cannot be stale.
/// Any other comes from the log; when that is out of reach, what the store has is better than nothing.
async fn all_events(api: &Api, order: OrderId) -> Result<Vec<(Seq, SwapEvent)>, Problem> {
    let stored = api.stored.stored(order).await;
    let out_of_reach = *api.log.link().borrow() == Link::Down;
    if let Some(stored) = &stored
        && (stored.ended || out_of_reach)
    {
        return Ok(decoded(&stored.events));
    }
    match (from_log(api, order).await, stored) {
        (Ok(events), _) => Ok(decoded(&events)),
        (Err(_), Some(stored)) => Ok(decoded(&stored.events)),
        (Err(_), None) => {
            let detail = "The stream cannot be reached, and the read store does not know the order.";
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stream_unreachable", detail))
        }
    }
}

/// What cannot be read is no event of ours; the executor or the projector parks it.
fn decoded(events: &[(Seq, Bytes)]) -> Vec<(Seq, SwapEvent)> {
    let read = |(seq, payload): &(Seq, Bytes)| Some((*seq, SwapEvent::decode(payload).ok()?));
    events.iter().filter_map(read).collect()
}

async fn from_log(api: &Api, order: OrderId) -> Result<Vec<(Seq, Bytes)>, LogError> {
    let subject = swap_placed(order);
    let placed = match api.log.first(&subject, Consistency::Any).await? {
        Some(placed) => Some(placed),
        // A replica that is behind does not know the newest orders.
        None => api.log.first(&subject, Consistency::Leader).await?,
    };
    let Some(placed) = placed else { return Ok(Vec::new()) };
    let mut events = vec![(placed.seq, placed.payload)];
    let progress = swap_progress(order);
    loop {
        let from = events.last().map_or(Seq::FIRST, |(seq, _)| seq.next());
        let page = api.log.read(&progress, from, Consistency::Any).await?;
        events.extend(page.records.into_iter().map(|record| (record.seq, record.payload)));
        if !page.more {
            return Ok(events);
        }
    }
}
