//! Family A as server-sent events: the socket's twin for whoever speaks HTTP alone.
//!
//! ```text
//!  Socket (cursor = gate for life) ──▶ Outlet ──▶ one chunk waits ──▶ body ──▶ client
//!                                         ▲                             │
//!                                         └── closed, once it is gone ◀─┘
//! ```
//! Only the wire is another one: what is said, and to whom that falls behind, is decided where sockets are. A stream
//! cannot carry a close code, so it ends; what the client has seen is in the `id` of the last event that it took.

use fillstream_domain::Position;
use std::{convert::Infallible, fmt::Write, sync::Arc};

use axum::{
    body::{Body, Bytes},
    extract::ws::Utf8Bytes,
    http::{HeaderMap, HeaderName, header},
    response::{IntoResponse, Response},
};
use fillstream_http_edge::{Askers, Origins};
use futures_util::stream;
use tokio::sync::mpsc;

use crate::{
    frame,
    hub::Hub,
    socket,
    token::{Channel, Family, Tokens},
    upgrade::{Asked, Resume, admit},
    wire::Wire,
};

/// The media type.
const EVENT_STREAM: &str = "text/event-stream";
/// Chunks that wait for the connection to take them. A client that does not read is seen as soon as this is full.
pub(crate) const CHUNKS: usize = 1;
/// A comment: keeps proxies from closing a connection on which nothing happens.
pub(crate) const COMMENT: Bytes = Bytes::from_static(b":\n\n");
/// Tells reverse proxies not to gather a stream before they pass it on.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// True when a request asks for events, not for pages.
#[must_use]
pub fn wants_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|range| range.trim().eq_ignore_ascii_case(EVENT_STREAM))
}

/// Answers a request for the events of an order. It resumes after `Last-Event-ID`, which a browser keeps up to date,
/// or else after `?after=`, which stays as it was when the address was made.
///
/// A browser's `EventSource` comes back after every end, also after that of an ended order, and is then told that it
/// has missed nothing: whoever has seen `confirmed` or `failed` closes it.
pub async fn events(hub: &Arc<Hub>, askers: &Askers, origins: &Origins, asked: &Asked<'_>) -> Response {
    let joining = match admit(hub, askers, origins, Family::Progress, asked, Resume::LastEventId).await {
        Ok(joining) => joining,
        Err(problem) => return problem.into_response(),
    };
    let (chunks, receiver) = mpsc::channel(CHUNKS);
    let outlet = Outlet { chunks, channel: joining.channel, tokens: Arc::clone(&hub.tokens) };
    // Counted until the connection has let go of it, however slow that is.
    let connection = Arc::clone(&joining.connection);
    tokio::spawn(socket::serve(joining, Wire::new(outlet, hub.settings.write_timeout)));
    event_stream(receiver, connection)
}

/// An answer whose body is what comes out of `chunks`; `held` is held for as long as the connection has the body.
pub(crate) fn event_stream<H: Send + 'static>(chunks: mpsc::Receiver<Bytes>, held: H) -> Response {
    let body = stream::unfold((chunks, held), async |(mut chunks, held)| {
        let chunk = chunks.recv().await?;
        Some((Ok::<_, Infallible>(chunk), (chunks, held)))
    });
    let headers =
        [(header::CONTENT_TYPE, EVENT_STREAM), (header::CACHE_CONTROL, "no-store"), (BUFFERING, "no")];
    (headers, Body::from_stream(body)).into_response()
}

/// The writing end of an event stream.
pub(crate) struct Outlet {
    chunks: mpsc::Sender<Bytes>,
    channel: Channel,
    tokens: Arc<Tokens>,
}

/// The client has gone.
#[derive(Debug)]
pub(crate) struct Gone;

impl Outlet {
    /// Writes texts as events, all in one chunk; `taken` hears their positions once it is on its way.
    pub(crate) async fn write(
        &mut self,
        texts: impl IntoIterator<Item = (Position, Utf8Bytes)>,
        mut taken: impl FnMut(Position),
    ) -> Result<(), Gone> {
        let (mut chunk, mut positions) = (String::new(), Vec::new());
        for (position, text) in texts {
            let (kind, token) = (frame::kind(&text), self.channel.token_in(&self.tokens, position));
            // A text is one line: JSON escapes what would break it.
            let written = write!(chunk, "event: {kind}\nid: {token}\ndata: {text}\n\n");
            written.expect("a string takes all that is written to it");
            positions.push(position);
        }
        if positions.is_empty() {
            return Ok(());
        }
        self.chunks.send(chunk.into()).await.map_err(|_| Gone)?;
        positions.into_iter().for_each(&mut taken);
        Ok(())
    }

    /// Writes a comment.
    pub(crate) async fn comment(&mut self) -> Result<(), Gone> {
        self.chunks.send(COMMENT).await.map_err(|_| Gone)
    }

    /// Waits until the client is gone. Safe to drop while it waits.
    pub(crate) async fn closed(&self) {
        self.chunks.closed().await;
    }
}
