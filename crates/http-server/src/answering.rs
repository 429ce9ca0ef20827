//! Answering the requests of one connection: their bodies come within time, and an answer that was made before the body was
//! read does not cut the client off.
//!
//! ```text
//!  request ─▶ handler ─▶ answer ─ body read? ─ yes ─────────────────────────────▶ sent, the next request
//!                                    └─ no ─▶ read on for a moment ─ all there ─▶ sent, the next request
//!                                                                  └─ not ──────▶ sent with Connection: close, lingers
//! ```

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header},
    response::IntoResponse,
};
use bytes::Bytes;
use fillstream_http_edge::{BodyTooLate, Connection, OPERATIONS, Problem};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::time::{Sleep, sleep, timeout};
use tower::ServiceExt;

use crate::{
    line::{Phase, State},
    places::{Cause, Kind},
};

/// Time that an early answer waits for the body behind it, which most often is on its way.
const LATE_BODY: Duration = Duration::from_millis(200);
/// Bytes of a body that are read on for it: the largest that is taken.
const LATE_BYTES: usize = 1 << 20;

/// What answers the requests of one connection.
#[derive(Clone)]
pub(crate) struct Answering {
    pub(crate) router: Router,
    pub(crate) connection: Connection,
    pub(crate) state: Arc<State>,
    pub(crate) kind: Kind,
    pub(crate) body_time: Duration,
}

impl Answering {
    pub(crate) async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        self.state.begin(Phase::Busy);
        let (mut parts, incoming) = request.into_parts();
        let expects = parts.headers.contains_key(header::EXPECT);
        let late = Arc::new(Late(Mutex::new(incoming)));
        parts.extensions.insert(self.connection.clone());
        let body = Body::new(Timed { late: Arc::clone(&late), time: self.body_time, timer: None });
        let refused = match self.kind {
            Kind::Full => None,
            Kind::Spare(_) if OPERATIONS.contains(&parts.uri.path()) => None,
            Kind::Spare(cause) => Some(no_place(cause).into_response()),
        };
        let response = match refused {
            Some(refused) => refused,
            None => self
                .router
                .oneshot(Request::from_parts(parts, body))
                .await
                .unwrap_or_else(|never| match never {}),
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            self.state.begin(Phase::Socket);
            return Ok(response);
        }
        let (mut parts, body) = response.into_parts();
        // Who asked whether to send its body at all has not sent it.
        let read = late.is_read() || !expects && late.read_on().await;
        if !read || self.kind != Kind::Full {
            close(&mut parts.headers);
        }
        let body = Answer { body, state: self.state };
        Ok(Response::from_parts(parts, Body::new(body)))
    }
}

fn close(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
}

/// Answer to a connection without a full place.
fn no_place(cause: Cause) -> Problem {
    let (status, code, detail) = match cause {
        Cause::Full => (
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_connections",
            "This server has all the connections that it takes.",
        ),
        Cause::Address => (
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limited",
            "This address has all the connections that it may have.",
        ),
    };
    Problem::new(status, code, detail).header(header::RETRY_AFTER, HeaderValue::from_static("1"))
}

/// A body that outlives its reader.
struct Late(Mutex<Incoming>);

impl Late {
    fn is_read(&self) -> bool {
        self.0.lock().is_end_stream()
    }

    /// Reads what the handler has left; true when that is all of it.
    async fn read_on(self: &Arc<Self>) -> bool {
        let rest = async {
            let mut rest = Timed { late: Arc::clone(self), time: LATE_BODY, timer: None };
            let mut bytes = 0;
            while let Some(frame) = rest.frame().await {
                let Ok(frame) = frame else { return false };
                bytes += frame.data_ref().map_or(0, Bytes::len);
                if bytes > LATE_BYTES {
                    return false;
                }
            }
            true
        };
        timeout(LATE_BODY, rest).await.unwrap_or(false)
    }
}

/// A body that comes within time.
struct Timed {
    late: Arc<Late>,
    time: Duration,
    /// Begins when the body is first waited for.
    timer: Option<Pin<Box<Sleep>>>,
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut *self.late.0.lock()).poll_frame(context);
        if let Poll::Ready(frame) = polled {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let time = self.time;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(time)));
        timer.as_mut().poll(context).map(|()| Some(Err(BodyTooLate.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.late.is_read()
    }

    fn size_hint(&self) -> SizeHint {
        self.late.0.lock().size_hint()
    }
}

/// An answer's body; once it is written, or given up, the connection waits for the next request.
struct Answer {
    body: Body,
    state: Arc<State>,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.state.begin(Phase::Idle);
    }
}
