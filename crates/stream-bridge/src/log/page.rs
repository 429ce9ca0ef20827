//! The log by pages, for who does not accept an event stream.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use fillstream_domain::Seq;
use fillstream_event_log::{LogError, Messages};
use fillstream_http_edge::Problem;
use serde::Serialize;
use tracing::debug;

use super::{View, asked::Asked, newest::newest, shown::Shown};

#[derive(Serialize)]
struct Page<'a> {
    messages: Vec<Shown<'a>>,
    /// The `after` of what follows.
    next: String,
    /// There is more already.
    more: bool,
}

/// A page behind `after`, or the newest messages; `next` is the `after` of what follows, also of what is yet to come.
pub(super) async fn answer(view: &View, asked: &Asked) -> Result<Response, Problem> {
    let Messages { messages, left } = read(view, asked).await.map_err(unreachable)?;
    let next = messages.last().map(|last| last.seq).or(asked.after).unwrap_or(Seq::ZERO);
    let messages = messages.iter().map(Shown::from).collect();
    Ok(Json(Page { messages, next: next.to_string(), more: left > 0 }).into_response())
}

async fn read(view: &View, asked: &Asked) -> Result<Messages, LogError> {
    let log = &*view.messages;
    let from = match asked.after {
        Some(after) => after.next(),
        None => {
            let last = view.hub.end().await?;
            newest(log, &asked.pattern, last, asked.limit as u64).await?
        }
    };
    log.browse(&asked.pattern, from, asked.limit).await
}

fn unreachable(error: LogError) -> Problem {
    debug!(error = %fillstream_retry::chain(&error), "a page of the log cannot be read");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stream_unreachable", "The stream cannot be reached.")
        .header(header::RETRY_AFTER, HeaderValue::from_static("2"))
}
