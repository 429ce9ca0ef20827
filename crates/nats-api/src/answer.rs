//! Answers of HTTP, as they are over NATS.

use axum::body::Body;
use axum::{
    body::to_bytes,
    http::{HeaderName, Response, StatusCode, header},
    response::IntoResponse,
};
use fillstream_event_log::{Pairs, ServiceReply};
use fillstream_http_edge::Problem;
use serde::Deserialize;

/// Bytes of a message that are kept for the headers of an answer; those that are written here need some 500.
pub(crate) const HEADER_ROOM: usize = 4096;
/// The status, as HTTP has it. Not `Status`: that name is the protocol's own.
const STATUS: &str = "Http-Status";

/// Headers that are part of an answer, as clients spell them.
const PASSED_ON: [(HeaderName, &str); 5] = [
    (header::CONTENT_TYPE, "Content-Type"),
    (header::LOCATION, "Location"),
    (HeaderName::from_static("idempotent-replayed"), "Idempotent-Replayed"),
    (header::RETRY_AFTER, "Retry-After"),
    (header::WWW_AUTHENTICATE, "WWW-Authenticate"),
];

/// What people are told of a problem.
#[derive(Deserialize)]
struct Told {
    detail: String,
}

/// The answer with at most `max` bytes of body.
pub(crate) async fn of(response: Response<Body>, max: usize) -> ServiceReply {
    let (parts, body) = response.into_parts();
    let Ok(payload) = to_bytes(body, max).await else {
        let detail = format!(
            "The answer has more than the {max} bytes that a message takes. What was asked for is done: look before you repeat it, and ask for less at once."
        );
        let problem = Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "answer_too_large", detail);
        // A problem is small: this comes to an end.
        return Box::pin(refused(problem)).await;
    };
    let mut headers = Pairs::from([(STATUS.to_owned(), parts.status.as_u16().to_string())]);
    for (name, spelled) in PASSED_ON {
        let values = parts.headers.get_all(name);
        headers.extend(
            values.iter().filter_map(|value| Some((spelled.to_owned(), value.to_str().ok()?.to_owned()))),
        );
    }
    let error = (parts.status.as_u16() >= 400).then(|| {
        let told = serde_json::from_slice(&payload).map(|Told { detail }| detail);
        let reason = parts.status.canonical_reason().unwrap_or("Error");
        (parts.status.as_u16(), told.unwrap_or_else(|_| reason.to_owned()))
    });
    ServiceReply { error, headers, payload }
}

/// A problem as it would be answered over HTTP.
pub(crate) async fn refused(problem: Problem) -> ServiceReply {
    of(problem.into_response(), usize::MAX).await
}
