//! The listening port: HTTP of the api, sockets of the bridge, and what operators ask.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    http::{HeaderName, HeaderValue, Method, header},
    middleware::from_fn_with_state,
    serve::ListenerExt,
};
use fillstream_clock::now;
use fillstream_descriptions::Hosts;
use fillstream_event_log::{Browse, Durability, EventLog, SnapshotStore};
use fillstream_http_api::{
    Api, BookApi, Markets, OUTCOME_PATIENCE, PastBooks, TailOutcomes, book_router, method_not_allowed,
    not_found, read_router, router,
};
use fillstream_http_edge::{Askers, Origins, described::Routes, ticket_router};
use fillstream_read_store::ReadStore;
use fillstream_stream_bridge::{log_router, market_sockets};
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};
use tracing::warn;

use super::{
    Role, Start,
    book_reads::{BookRows, LogBooks},
    described, ops,
    parts::Parts,
    sockets::{Sockets, divert},
    stored::Rows,
};
use crate::Failure;

/// Connections that may wait to be accepted: thousands of clients reconnect within a second after an outage.
const BACKLOG: u32 = 8192;
/// How long requests under way may take when the process goes down.
const REQUESTS_PATIENCE: Duration = Duration::from_secs(5);

/// The server while it runs.
pub(crate) struct Web {
    serving: Option<JoinHandle<()>>,
    stop: CancellationToken,
    /// What answers at the port, and where that is.
    pub(crate) answers: Option<(Router, String)>,
}

impl Web {
    /// Finishes the requests under way and closes the port.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        if let Some(serving) = self.serving
            && timeout(REQUESTS_PATIENCE, serving).await.is_err()
        {
            warn!("requests did not finish in time and are cut");
        }
    }
}

/// The open port, and how who comes in is known.
pub(crate) struct Door {
    listener: TcpListener,
    askers: Arc<Askers>,
}

/// What answers are made of.
pub(crate) struct Reads {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) messages: Arc<dyn Browse>,
    /// The read store, where a role needs its rows.
    pub(crate) store: Option<ReadStore>,
    pub(crate) snapshots: Option<Arc<dyn SnapshotStore>>,
    /// What an acknowledgement is worth.
    pub(crate) durability: Durability,
}

/// Opens the port, when a role needs one. What comes in before [`serve`] waits.
pub(crate) async fn bind(start: &Start) -> Result<Option<Door>, Failure> {
    let Some(address) = start.http.address(start.has(Role::Api) || start.has(Role::Bridge)) else {
        return Ok(None);
    };
    let askers = Arc::new(start.http.auth.askers().await?);
    let open = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    let listener = open().map_err(|error: std::io::Error| {
        format!("cannot listen on {address}: {error}; --listen takes another address")
    })?;
    Ok(Some(Door { listener, askers }))
}

/// Answers at the port, when there is one.
pub(crate) async fn serve(
    start: &Start,
    door: Option<Door>,
    reads: Reads,
    parts: &Parts,
) -> Result<Web, Failure> {
    let stop = CancellationToken::new();
    let Some(Door { listener, askers }) = door else {
        println!("{} at work, no port opened", names(start));
        return Ok(Web { serving: None, stop, answers: None });
    };
    let listen = listener.local_addr()?.to_string();
    let app = answers(start, reads, parts, &listen, askers).await?;
    println!("http://{listen} serves {}", names(start));
    let address = start.http.public_url.clone().unwrap_or(format!("http://{listen}"));
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            warn!(%error, "a connection stays without TCP_NODELAY");
        }
    });
    let stopped = stop.clone().cancelled_owned();
    let answers = Some((app.clone(), address));
    let serving = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(stopped).await {
            warn!(%error, "HTTP has ended");
        }
    });
    Ok(Web { serving: Some(serving), stop, answers })
}

/// All that this process answers, at the address `listen`.
async fn answers(
    start: &Start,
    reads: Reads,
    parts: &Parts,
    listen: &str,
    askers: Arc<Askers>,
) -> Result<Router, Failure> {
    let messages = Arc::clone(&reads.messages);
    let state = ops::Watch::new(start, Arc::clone(&reads.log), parts, reads.durability);
    let mut app = orders(start, reads, listen, &askers, ops::routes(state)).await?;
    if let Some(hub) = &parts.hub {
        app = market_sockets(app.merge(ticket_router(Arc::clone(&askers))));
        app = app.merge(log_router(Arc::clone(hub), messages, Arc::clone(&askers), start.http.origins()));
    }
    let hosts = Hosts { listen: listen.to_owned(), broker: described::broker(&start.nats_url) };
    let channels = described::channels(start, parts.hub.is_some(), &app);
    let app = fillstream_descriptions::described(app, &hosts, &channels);
    let mut app = app.fallback(not_found).method_not_allowed_fallback(method_not_allowed);
    if let Some(hub) = &parts.hub {
        let sockets = Sockets { hub: Arc::clone(hub), askers, origins: start.http.origins() };
        app = app.layer(from_fn_with_state(sockets, divert));
    }
    // Outside of what is diverted: event streams are for pages of other origins, too.
    Ok(app.layer(cors(&start.http.origins())))
}

/// With the page, and what may be read or placed: where a role has the rows.
async fn orders(
    start: &Start,
    reads: Reads,
    listen: &str,
    askers: &Arc<Askers>,
    mut app: Routes,
) -> Result<Routes, Failure> {
    let Reads { log, store, snapshots, .. } = reads;
    let Some(store) = store.filter(|_| start.has(Role::Api) || start.has(Role::Bridge)) else {
        return Ok(app);
    };
    app = described::page(app, fillstream_web_page::router());
    if start.has(Role::Api) {
        app = app.merge(book_router(book_api(&log, &store, snapshots, askers).await?));
    }
    let (public_url, listen) = (start.http.public_url.clone(), listen.to_owned());
    let (stored, askers) = (Arc::new(Rows(store)), Arc::clone(askers));
    let api = Api { log, stored, askers, public_url, listen, clock: now };
    Ok(app.merge(if start.has(Role::Api) { router(api) } else { read_router(api) }))
}

async fn book_api(
    log: &Arc<dyn EventLog>,
    store: &ReadStore,
    snapshots: Option<Arc<dyn SnapshotStore>>,
    askers: &Arc<Askers>,
) -> Result<BookApi, Failure> {
    let log = Arc::clone(log);
    Ok(BookApi {
        stored: Arc::new(BookRows(store.clone())),
        outcomes: Arc::new(TailOutcomes::start(Arc::clone(&log)).await?),
        markets: Arc::new(Markets::new(Arc::clone(&log))),
        past: snapshots.map(|snapshots| -> Arc<dyn PastBooks> {
            Arc::new(LogBooks { log: Arc::clone(&log), snapshots })
        }),
        written: Arc::default(),
        askers: Arc::clone(askers),
        patience: OUTCOME_PATIENCE,
        clock: now,
        log,
    })
}

fn names(start: &Start) -> String {
    start.roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
}

fn cors(origins: &Origins) -> CorsLayer {
    let allowed = match origins {
        Origins::Any => AllowOrigin::any(),
        Origins::Listed(listed) => {
            AllowOrigin::list(listed.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
        }
    };
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods(AllowMethods::list([Method::GET, Method::POST, Method::PATCH, Method::DELETE]))
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            header::LOCATION,
            HeaderName::from_static("idempotent-replayed"),
            header::RETRY_AFTER,
        ])
}
