//! A start: what passes by itself is waited out, and whoever asks meanwhile is told so.
//!
//! ```text
//!  port open ─▶ requests wait a moment ─┬─ opened ──────▶ the node's own router
//!                                       └─ not yet ─────▶ /health 200 starting, all else 503; the connection closes
//! ```

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use fillstream_event_log::{ConnectError, LogError};
use fillstream_http_edge::Problem;
use fillstream_retry::Retry;
use serde_json::json;
use tokio::{sync::watch, time::timeout};
use tower::ServiceExt;

use crate::Failure;

/// First and longest pause between two tries: a cluster elects its leaders within seconds.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// Longest wait of a request for the end of the start, which takes a fraction of it when nothing stands in its way.
const REQUEST_PATIENCE: Duration = Duration::from_secs(3);

/// Tries a step of the start until it is done.
///
/// # Errors
/// Errors that will not pass by themselves: settings that are refused, a stream that is made otherwise, wrong credentials.
pub(super) async fn patiently<T>(
    what: &'static str,
    mut step: impl AsyncFnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut retry = Retry::new(what, PAUSE.0, PAUSE.1);
    loop {
        let error = match step().await {
            Ok(done) => {
                retry.done();
                return Ok(done);
            }
            Err(error) => error,
        };
        if !passes(&error) {
            return Err(error);
        }
        let waited = retry.failed(&*error);
        drop(error);
        waited.await;
    }
}

fn passes(error: &Failure) -> bool {
    let of_the_log = error.downcast_ref::<LogError>().map(LogError::passes);
    of_the_log.or_else(|| error.downcast_ref::<ConnectError>().map(ConnectError::passes)).unwrap_or(false)
}

/// Answers requests of connections that came in before the node was open: `opened` holds its router from then on.
pub(super) fn router(opened: watch::Receiver<Option<Router>>) -> Router {
    Router::new().fallback(answer).with_state(opened)
}

async fn answer(State(mut opened): State<watch::Receiver<Option<Router>>>, request: Request) -> Response {
    let router = match timeout(REQUEST_PATIENCE, opened.wait_for(Option::is_some)).await {
        Ok(Ok(router)) => router.clone(),
        Ok(Err(_)) | Err(_) => None,
    };
    let Some(router) = router else { return not_yet(request.uri().path()) };
    router.oneshot(request).await.into_response()
}

fn not_yet(path: &str) -> Response {
    let mut answer = match path {
        "/health" => Json(json!({ "status": "starting", "stream": "unreachable" })).into_response(),
        "/ready" => {
            let body = json!({ "status": "not ready", "stream": "unreachable", "parts": {} });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
        _ => {
            let detail =
                "the process starts, and waits for the stream; nothing is stored: try again in a moment";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stream_unreachable", detail)
                .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
                .into_response()
        }
    };
    // The next request comes by a connection that knows the node.
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}
