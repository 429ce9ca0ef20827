//! The door: what is refused is refused before the upgrade, with a status that says why.

use std::sync::Arc;

use axum::{
    extract::ws::WebSocketUpgrade,
    http::{Extensions, HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use fillstream_domain::OrderId;
use fillstream_http_edge::{Asker, Askers, Connection, Origins, Problem, Unfinished, parameter};
use tokio::time::{sleep, timeout};

use crate::{
    crowd::Room,
    history::JoinError,
    hub::Hub,
    socket::{self, Joining, LOG_PAUSE},
    token::{After, Channel, Family, NotAToken},
    wire::{Conversation, Wire},
};

/// Bytes that a read from a socket asks for. Clients say little; the default of 128 KiB would be zeroed each time.
const READ_BUFFER: usize = 1024;
/// Bytes that are gathered before the socket is written to without a flush. A socket keeps as much for life.
const WRITE_BUFFER: usize = 4 << 10;
/// Bytes that may wait for a slow peer within one write: the largest backfill, 8 MiB, with room to spare.
const MAX_WRITE_BUFFER: usize = 16 << 20;

/// Parts of a request for a socket.
pub struct Asked<'a> {
    /// The order, as it stands in path or query; nothing when it is missing.
    pub order: Option<&'a str>,
    /// The query string.
    pub query: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The connection, as the listening port knows it.
    pub extensions: &'a Extensions,
}

/// Answers a request for a socket on an order.
pub async fn upgrade(
    hub: &Arc<Hub>,
    askers: &Askers,
    origins: &Origins,
    family: Family,
    asked: &Asked<'_>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let write_timeout = hub.settings.write_timeout;
    let unfinished = unfinished(asked.extensions);
    match admit(hub, askers, origins, family, asked, Resume::Query).await {
        Ok(joining) => limited(hub, upgrade).on_upgrade(move |socket| {
            socket::serve(joining, Wire::new(Conversation { socket, unfinished }, write_timeout))
        }),
        Err(problem) => problem.into_response(),
    }
}

/// An upgrade to a socket with our buffers and limits.
pub(crate) fn limited(hub: &Hub, upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    let max = hub.settings.max_message;
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(MAX_WRITE_BUFFER)
        .max_message_size(max)
        .max_frame_size(max)
}

/// Where what the client has sent of an unfinished message is counted.
pub(crate) fn unfinished(extensions: &Extensions) -> Option<Arc<Unfinished>> {
    extensions.get::<Connection>().map(|connection| Arc::clone(&connection.unfinished))
}

/// Names under which a client says what it has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resume {
    /// In `?after=`.
    Query,
    /// In `Last-Event-ID`; in `?after=` when there is none.
    LastEventId,
}

/// Lets a client in, or says why not.
pub(crate) async fn admit(
    hub: &Arc<Hub>,
    askers: &Askers,
    origins: &Origins,
    family: Family,
    asked: &Asked<'_>,
    resume: Resume,
) -> Result<Joining, Problem> {
    origins.check(asked.headers)?;
    let asker = askers.socket(asked.headers, asked.query).await?;
    let order = order_id(asked.order)?;
    let channel = Channel { order, family };
    let read = |text: &str| channel.after(hub.incarnation(), text);
    let after = match (resume, asked.headers.get("last-event-id")) {
        (Resume::LastEventId, Some(id)) => Some(last_event_id(id, read)?),
        (Resume::LastEventId, None) | (Resume::Query, _) => after(asked.query, read)?,
    };
    let connection = Arc::new(Room::take(hub, asker.user(), asked.extensions)?);
    let lease = askers.lease(asker);
    let undecided = match timeout(hub.settings.unreachable_after, exists(hub, order, asker)).await {
        Ok(true) => false,
        Ok(false) => {
            let detail = format!("There is no order {order}.");
            return Err(Problem::new(StatusCode::NOT_FOUND, "unknown_order", detail));
        }
        Err(_) => true,
    };
    Ok(Joining { hub: Arc::clone(hub), channel, after, undecided, lease, connection })
}

/// Place that the client asks to be resumed after, as the channel reads it.
pub(crate) fn after(
    query: Option<&str>,
    read: impl FnOnce(&str) -> Result<After, NotAToken>,
) -> Result<Option<After>, Problem> {
    let malformed = || Problem::malformed("query:after", NotAToken.to_string());
    match parameter(query, "after") {
        Some(text) => read(&text).map(Some).map_err(|_| malformed()),
        // It is there, but no text.
        None if query.is_some_and(|query| query.split('&').any(|pair| pair.starts_with("after="))) => {
            Err(malformed())
        }
        None => Ok(None),
    }
}

fn last_event_id(
    id: &HeaderValue,
    read: impl FnOnce(&str) -> Result<After, NotAToken>,
) -> Result<After, Problem> {
    let id = id.to_str().map_err(|_| NotAToken);
    id.and_then(read).map_err(|_| Problem::malformed("header:Last-Event-ID", NotAToken.to_string()))
}

/// Finds out whether the order exists for the asker, as soon as that can be known.
async fn exists(hub: &Hub, order: OrderId, asker: Asker) -> bool {
    loop {
        match hub.exists(order, asker).await {
            Ok(()) => return true,
            Err(JoinError::Unknown) => return false,
            Err(JoinError::Log(_)) => sleep(LOG_PAUSE).await,
        }
    }
}

fn order_id(text: Option<&str>) -> Result<OrderId, Problem> {
    let must = "must be a hyphenated UUID";
    let text = text.ok_or_else(|| Problem::malformed("orderId", must))?;
    text.parse().map_err(|_| Problem::malformed("orderId", must))
}
