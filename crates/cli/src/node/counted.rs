//! Every request counted by its route, and in a span of its own that names its trace.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method},
    middleware::Next,
    response::Response,
};
use fillstream_domain::TraceParent;
use fillstream_metrics::Metrics;
use tracing::{Instrument, info_span};
use uuid::Uuid;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The route of what no route serves: paths are whatever clients write.
const NO_ROUTE: &str = "none";

/// Counts a request and what it is answered. A request without a trace that keeps to the rules begins one, which all that
/// it causes belongs to.
pub(crate) async fn count(State(metrics): State<Arc<Metrics>>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = method(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let given = trace(&request);
    let trace = given.unwrap_or_else(|| TraceParent::begun(Uuid::now_v7(), Uuid::now_v7()));
    if let Ok(value) = HeaderValue::from_str(&trace.to_string()) {
        request.headers_mut().insert(TRACEPARENT, value);
    }
    let trace_id = if given.is_some() { trace.trace_id() } else { trace.trace_id().of_root() };
    let span = info_span!("request", %trace_id);
    let response = next.run(request).instrument(span).await;
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    metrics.requests.answered(method, route, response.status().as_u16(), began.elapsed());
    response
}

/// The request's own trace; nothing when it names none, several, or one that breaks the rules.
fn trace(request: &Request) -> Option<TraceParent> {
    let mut given = request.headers().get_all(TRACEPARENT).iter();
    let only = given.next().filter(|_| given.next().is_none());
    only.and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok())
}

/// The methods that are known; a client may send any word.
fn method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
