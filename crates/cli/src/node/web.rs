//! The listening port: HTTP of the api, sockets of the bridge, and what operators ask.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    http::{HeaderName, Method, header},
    middleware::from_fn_with_state,
};
use fillstream_clock::now;
use fillstream_descriptions::Hosts;
use fillstream_event_log::{Browse, EventLog, SnapshotStore};
use fillstream_http_api::{
    Api, BookApi, Markets, OUTCOME_PATIENCE, PAGE_PATIENCE, Pages, PastBooks, Room, TailOutcomes,
    book_router, method_not_allowed, not_found, read_router, router,
};
use fillstream_http_edge::{
    Askers, Guard, Limits, Origins, Unfinishing, described::Routes, guard, ticket_router,
};
use fillstream_http_server::{Places, Server, Serving};
use fillstream_read_store::ReadStore;
use fillstream_retry::Obstacles;
use fillstream_stream_bridge::{log_router, market_sockets};
use tokio::{
    net::TcpSocket,
    sync::{Semaphore, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};
use tracing::warn;

use super::{
    Role, Start,
    book_reads::{BookRows, LogBooks},
    counted::count,
    described, figures, open_files, ops,
    parts::Parts,
    sockets::{Sockets, divert},
    starting,
    stored::Rows,
};
use crate::Failure;

/// Connections that may wait to be accepted: thousands of clients reconnect within a second after an outage.
const BACKLOG: u32 = 8192;
/// Time that requests under way may take when the process goes down.
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
    listen: SocketAddr,
    askers: Arc<Askers>,
    limits: Arc<Limits>,
    places: Arc<Places>,
    unfinishing: Arc<Unfinishing>,
    scheme: &'static str,
    serving: JoinHandle<()>,
    stop: CancellationToken,
    /// The router of connections that come in.
    router: watch::Sender<Router>,
    /// The node's router, once there is one: for those that have come in before.
    opened: watch::Sender<Option<Router>>,
}

/// Rules of who may ask, and how much.
struct Known {
    askers: Arc<Askers>,
    limits: Arc<Limits>,
}

/// What answers are made of.
pub(crate) struct Reads {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) messages: Arc<dyn Browse>,
    /// The read store, where a role needs its rows.
    pub(crate) store: Option<ReadStore>,
    pub(crate) snapshots: Option<Arc<dyn SnapshotStore>>,
    /// What operators ask here.
    pub(crate) operations: ops::Watch,
}

/// Opens the port, when a role needs one. What comes in before [`serve`] waits for a moment, then is told to come again.
pub(crate) async fn bind(start: &Start) -> Result<Option<Door>, Failure> {
    let Some(address) = start.http.address(start.has(Role::Api) || start.has(Role::Bridge)) else {
        return Ok(None);
    };
    let limits = Arc::new(Limits::new(start.http.rates()));
    let askers = Arc::new(start.http.auth.askers().await?.limited(Arc::clone(&limits)));
    let tls = start.http.door.tls()?;
    let open = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    let listener = open().map_err(|error: std::io::Error| {
        format!("cannot listen on {address}: {error}; --listen takes another address")
    })?;
    let listen = listener.local_addr()?;
    let places = Places::new(start.http.places(open_files()));
    let stop = CancellationToken::new();
    let scheme = if tls.is_some() { "https" } else { "http" };
    if let Some(tls) = &tls {
        tokio::spawn(stop.clone().run_until_cancelled_owned(Arc::clone(tls).watch()));
    }
    let (opened, opening) = watch::channel(None);
    let (router, routers) = watch::channel(starting::router(opening));
    let unfinishing = Unfinishing::new(start.sockets.unfinished_messages());
    let serving = Serving {
        times: start.http.door.times(),
        places: Arc::clone(&places),
        unfinishing: Arc::clone(&unfinishing),
        proxies: start.http.door.proxies(),
        tls,
    };
    let serving = tokio::spawn(Server::new(listener, serving).run(routers, stop.clone()));
    Ok(Some(Door { listen, askers, limits, places, unfinishing, scheme, serving, stop, router, opened }))
}

/// Answers at the port, when there is one.
pub(crate) async fn serve(
    start: &Start,
    door: Option<Door>,
    reads: Reads,
    parts: &Parts,
) -> Result<Web, Failure> {
    let Some(Door { listen, askers, limits, places, unfinishing, scheme, serving, stop, router, opened }) =
        door
    else {
        println!("{} at work, no port opened", names(start));
        return Ok(Web { serving: None, stop: CancellationToken::new(), answers: None });
    };
    let listen = listen.to_string();
    figures::door(&reads.operations.metrics(), Arc::clone(&limits), places, unfinishing);
    let app = answers(start, reads, parts, &listen, Known { askers, limits }).await?;
    drop(router.send_replace(app.clone()));
    drop(opened.send_replace(Some(app.clone())));
    println!("{scheme}://{listen} serves {}", names(start));
    let address = start.http.public_url.clone().unwrap_or(format!("{scheme}://{listen}"));
    let answers = Some((app, address));
    Ok(Web { serving: Some(serving), stop, answers })
}

/// All that this process answers, at the address `listen`.
async fn answers(
    start: &Start,
    reads: Reads,
    parts: &Parts,
    listen: &str,
    known: Known,
) -> Result<Router, Failure> {
    let Known { askers, limits } = known;
    let messages = Arc::clone(&reads.messages);
    let operations = reads.operations.clone();
    let mut app = orders(start, reads, parts, (listen, &askers), ops::routes(operations.clone())).await?;
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
    let door = &start.http.door;
    let (hosts, origins) = (start.http.hosts(), start.http.origins());
    let guarded = Guard { hosts, origins: origins.clone(), proxies: door.proxies(), limits };
    let app = app.layer(from_fn_with_state(Arc::new(guarded), guard));
    // Outside of it all: event streams are for pages of other origins, too, and so is what the guard refuses.
    let app = app.layer(cors(origins));
    Ok(app.layer(from_fn_with_state(operations.metrics(), count)))
}

/// With the page, and what may be read or placed: where a role has the rows.
async fn orders(
    start: &Start,
    reads: Reads,
    parts: &Parts,
    (listen, askers): (&str, &Arc<Askers>),
    mut app: Routes,
) -> Result<Routes, Failure> {
    let Reads { log, store, snapshots, operations, .. } = reads;
    let room = operations.room();
    let Some(store) = store.filter(|_| start.has(Role::Api) || start.has(Role::Bridge)) else {
        return Ok(app);
    };
    app = described::page(app, fillstream_web_page::router());
    if start.has(Role::Api) {
        let (projector, hub) = (parts.projector.clone(), parts.hub.clone());
        let rows = BookRows { store: store.clone(), projector, hub };
        let past = snapshots.map(|snapshots| LogBooks {
            log: Arc::clone(&log),
            snapshots,
            readers: Semaphore::new(start.past_books),
        });
        app = app.merge(book_router(
            book_api(&log, rows, past, askers, (room.clone(), operations.of_api()), start.database.readers)
                .await?,
        ));
    }
    let (public_url, listen) = (start.http.public_url.clone(), listen.to_owned());
    let (stored, askers) = (Arc::new(Rows(store)), Arc::clone(askers));
    let api = Api { log, stored, room, askers, public_url, listen, clock: now };
    Ok(app.merge(if start.has(Role::Api) { router(api) } else { read_router(api) }))
}

async fn book_api(
    log: &Arc<dyn EventLog>,
    rows: BookRows,
    past: Option<LogBooks>,
    askers: &Arc<Askers>,
    (room, obstacles): (Room, &Obstacles),
    readers: u32,
) -> Result<BookApi, Failure> {
    // One connection stays for what is small.
    let pages = usize::try_from(readers).unwrap_or(usize::MAX).saturating_sub(1).max(1);
    let log = Arc::clone(log);
    Ok(BookApi {
        stored: Arc::new(rows),
        outcomes: Arc::new(TailOutcomes::start(Arc::clone(&log), obstacles).await?),
        markets: Arc::new(Markets::new(Arc::clone(&log))),
        past: past.map(|past| -> Arc<dyn PastBooks> { Arc::new(past) }),
        room,
        open: Arc::default(),
        pages: Arc::new(Pages::new(pages, PAGE_PATIENCE)),
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

fn cors(origins: Origins) -> CorsLayer {
    let allowed = match origins {
        Origins::Any => AllowOrigin::any(),
        Origins::Loopback(_) | Origins::Listed(_) => AllowOrigin::predicate(move |origin, request| {
            let host = request.headers.get(header::HOST).and_then(|host| host.to_str().ok());
            origin.to_str().is_ok_and(|origin| origins.allow(origin, host))
        }),
    };
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods(AllowMethods::list([Method::GET, Method::POST, Method::PATCH, Method::DELETE]))
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            header::LOCATION,
            HeaderName::from_static("idempotent-replayed"),
            header::RETRY_AFTER,
            HeaderName::from_static("ratelimit"),
            HeaderName::from_static("ratelimit-policy"),
        ])
}
