//! Accepting, and letting go.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use fillstream_http_edge::{Connection, Proxies, Unfinished, Unfinishing, canonical};
use fillstream_retry::{Retry, chain};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    select,
    sync::watch,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use crate::{
    Times,
    answering::Answering,
    line::{Line, State},
    places::{Kind, Place, Places},
    tls::Tls,
};

/// Bytes of a request's head at most, and of what is read at once.
const HEAD_BYTES: usize = 64 << 10;
/// Time that a connection without a full place may take to say what it wants.
const SPARE_TIME: Duration = Duration::from_secs(2);
/// Between two tries to accept while there is no descriptor for it.
const ACCEPT_PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// State that the connections of one process share.
#[derive(Debug, Clone)]
pub struct Serving {
    /// Their times.
    pub times: Times,
    /// Places that they take.
    pub places: Arc<Places>,
    /// Bytes that their sockets hold of unfinished messages.
    pub unfinishing: Arc<Unfinishing>,
    /// Addresses behind which many clients are.
    pub proxies: Proxies,
    /// Nothing: in clear.
    pub tls: Option<Arc<Tls>>,
}

/// See the crate's first line.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    serving: Serving,
}

impl Server {
    /// A server that accepts nothing before it [runs](Self::run).
    #[must_use]
    pub const fn new(listener: TcpListener, serving: Serving) -> Self {
        Self { listener, serving }
    }

    /// Answers until it is told to stop; then closes the port, and returns once the requests under way are answered. A
    /// connection keeps the router that it was accepted with.
    pub async fn run(self, router: watch::Receiver<Router>, stop: CancellationToken) {
        let connections = TaskTracker::new();
        let mut retry = Retry::new("connections are not accepted", ACCEPT_PAUSE.0, ACCEPT_PAUSE.1);
        loop {
            let accepted = select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    retry.done();
                    let peer = SocketAddr::new(canonical(peer.ip()), peer.port());
                    let shared = self.serving.proxies.trust(peer.ip());
                    // Without a spare place there is nobody to tell it.
                    let Some(place) = self.serving.places.take(peer.ip(), shared) else { continue };
                    let (serving, router) = (self.serving.clone(), router.borrow().clone());
                    connections.spawn(serve(stream, peer, place, serving, router, stop.clone()));
                }
                // The peer was gone before it was accepted.
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    let pause = retry.note(&error);
                    select! {
                        () = stop.cancelled() => break,
                        () = tokio::time::sleep(pause) => {}
                    }
                }
            }
        }
        drop(self.listener);
        connections.close();
        connections.wait().await;
    }
}

fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    [ConnectionAborted, ConnectionRefused, ConnectionReset].contains(&error.kind())
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    mut serving: Serving,
    router: Router,
    stop: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        warn!(error = %chain(&error), "a connection stays without TCP_NODELAY");
    }
    if place.kind != Kind::Full {
        serving.times.head = serving.times.head.min(SPARE_TIME);
    }
    let Some(tls) = serving.tls.clone() else {
        return serve_stream(stream, peer, false, place, serving, router, stop).await;
    };
    match timeout(serving.times.head, tls.accept(stream)).await {
        Ok(Ok(stream)) => serve_stream(stream, peer, true, place, serving, router, stop).await,
        Ok(Err(error)) => debug!(error = %chain(&error), %peer, "no TLS with a client"),
        Err(_) => debug!(%peer, "a client does not begin TLS"),
    }
}

async fn serve_stream<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    peer: SocketAddr,
    secure: bool,
    place: Place,
    serving: Serving,
    router: Router,
    stop: CancellationToken,
) {
    let unfinished = Unfinished::new(&serving.unfinishing);
    let state = State::new(Arc::clone(&unfinished));
    let answering = Answering {
        router,
        connection: Connection { peer: peer.ip(), secure, unfinished },
        state: Arc::clone(&state),
        kind: place.kind,
        body_time: serving.times.body,
    };
    let line = Line::new(stream, state, serving.times, place);
    let service = service_fn(move |request: Request<Incoming>| {
        let answering = answering.clone();
        async move { answering.answer(request).await }
    });
    let connection = http1::Builder::new()
        // Times are the line's: hyper's would also end a connection that is idle between two requests.
        .header_read_timeout(None)
        .timer(TokioTimer::new())
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(line), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = select! {
        ended = &mut connection => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(error = %chain(&error), %peer, "a connection has ended");
    }
}
