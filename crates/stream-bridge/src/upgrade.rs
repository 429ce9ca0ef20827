//! The door: what is refused is refused before the upgrade, with a status that says why.

use std::sync::Arc;

use axum::{
    extract::ws::WebSocketUpgrade,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use fillstream_domain::OrderId;
use fillstream_http_edge::{Origins, Problem, asker, parameter};
use tokio::time::timeout;

use crate::{
    hub::{Hub, JoinError},
    socket::{self, Joining},
    token::{Channel, Family},
};

/// Bytes that a read from a socket asks for. Clients say little; the default of 128 KiB would be zeroed each time.
const READ_BUFFER: usize = 1024;
/// Bytes that are gathered before the socket is written to without a flush.
const WRITE_BUFFER: usize = 16 << 10;
/// Bytes that may wait for a slow peer within one write: the largest backfill and a little.
const MAX_WRITE_BUFFER: usize = 32 << 20;

/// What a request for a socket brings along.
pub struct Asked<'a> {
    /// The order, as it stands in path or query; nothing when it is missing.
    pub order: Option<&'a str>,
    /// The query string.
    pub query: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
}

/// Answers a request for a socket on an order.
pub async fn upgrade(
    hub: &Arc<Hub>,
    origins: &Origins,
    family: Family,
    asked: &Asked<'_>,
    upgrade: WebSocketUpgrade,
) -> Response {
    match admit(hub, origins, family, asked).await {
        Ok(joining) => {
            let max = hub.settings.max_message;
            upgrade
                .read_buffer_size(READ_BUFFER)
                .write_buffer_size(WRITE_BUFFER)
                .max_write_buffer_size(MAX_WRITE_BUFFER)
                .max_message_size(max)
                .max_frame_size(max)
                .on_upgrade(move |socket| socket::serve(joining, socket))
        }
        Err(problem) => problem.into_response(),
    }
}

async fn admit(
    hub: &Arc<Hub>,
    origins: &Origins,
    family: Family,
    asked: &Asked<'_>,
) -> Result<Joining, Problem> {
    origins.check(asked.headers)?;
    asker(asked.headers, asked.query, None)?;
    let order = order_id(asked.order)?;
    let after = match parameter(asked.query, "after") {
        Some(text) => {
            let after = Channel { order, family }.after(hub.log.incarnation(), &text);
            Some(after.map_err(|error| Problem::malformed("query:after", error.to_string()))?)
        }
        None if asked.query.is_some_and(|query| query.split('&').any(|pair| pair.starts_with("after="))) => {
            return Err(Problem::malformed(
                "query:after",
                "must be a token that a message carried, or a sequence",
            ));
        }
        None => None,
    };
    check_room(hub)?;
    let undecided = match timeout(hub.settings.unreachable_after, hub.exists(order)).await {
        Ok(Ok(())) => false,
        Ok(Err(JoinError::Unknown)) => {
            return Err(Problem::new(
                StatusCode::NOT_FOUND,
                "unknown_order",
                format!("There is no order {order}."),
            ));
        }
        Ok(Err(JoinError::Log(_))) | Err(_) => true,
    };
    Ok(Joining { hub: Arc::clone(hub), order, family, after, undecided })
}

fn order_id(text: Option<&str>) -> Result<OrderId, Problem> {
    let must = "must be a hyphenated UUID";
    let text = text.ok_or_else(|| Problem::malformed("orderId", must))?;
    text.parse().map_err(|_| Problem::malformed("orderId", must))
}

fn check_room(hub: &Hub) -> Result<(), Problem> {
    let busy = |code, detail: &str| {
        hub.counters.refused.add(1);
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail);
        Err(problem.header(header::RETRY_AFTER, HeaderValue::from_static("1")))
    };
    if hub.condition().borrow().stopping {
        return busy("going_down", "This server goes down; another one, or its next start, takes sockets.");
    }
    if hub.counters.connections.get() >= hub.settings.max_sockets as u64 {
        return busy("too_many_sockets", "This server has all the sockets that it takes.");
    }
    Ok(())
}
