//! The listening port: HTTP of the api, sockets of the bridge, and what operators ask.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{
        FromRequestParts, Request, State,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderName, HeaderValue, Method, StatusCode, header, request::Parts as RequestParts},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    serve::ListenerExt,
};
use fillstream_descriptions::Hosts;
use fillstream_event_log::{Browse, Durability, EventLog, SnapshotStore};
use fillstream_executor::now;
use fillstream_http_api::{
    Api, BookApi, Markets, OUTCOME_PATIENCE, PastBooks, TailOutcomes, book_router, method_not_allowed,
    not_found, read_router, router,
};
use fillstream_http_edge::{Askers, Origins, Problem, parameter, ticket_router};
use fillstream_read_store::ReadStore;
use fillstream_stream_bridge::{
    Asked, AskedMarket, Family, Hub, events, is_market_path, log_router, market_sockets, upgrade,
    upgrade_market, wants_events,
};
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
    let Reads { log, messages, store, snapshots, durability } = reads;
    let stop = CancellationToken::new();
    let Some(Door { listener, askers }) = door else {
        println!("{} at work, no port opened", names(start));
        return Ok(Web { serving: None, stop, answers: None });
    };
    let state = ops::Watch::new(start, Arc::clone(&log), parts, durability);
    let mut app = ops::routes(state);
    if let (Some(store), true) = (store, start.has(Role::Api) || start.has(Role::Bridge)) {
        app = described::page(app, fillstream_web_page::router());
        let (public_url, listen) = (start.http.public_url.clone(), listener.local_addr()?.to_string());
        if start.has(Role::Api) {
            app = app.merge(book_router(book_api(&log, &store, snapshots, &askers).await?));
        }
        let (stored, askers) = (Arc::new(Rows(store)), Arc::clone(&askers));
        let api = Api { log, stored, askers, public_url, listen, clock: now };
        app = app.merge(if start.has(Role::Api) { router(api) } else { read_router(api) });
    }
    if let Some(hub) = &parts.hub {
        app = market_sockets(app.merge(ticket_router(Arc::clone(&askers))));
        app = app.merge(log_router(Arc::clone(hub), messages, Arc::clone(&askers), start.http.origins()));
    }
    let hosts =
        Hosts { listen: listener.local_addr()?.to_string(), broker: described::broker(&start.nats_url) };
    let channels = described::channels(start, parts.hub.is_some(), &app);
    let app = fillstream_descriptions::described(app, &hosts, &channels);
    let mut app = app.fallback(not_found).method_not_allowed_fallback(method_not_allowed);
    if let Some(hub) = &parts.hub {
        let sockets = Sockets { hub: Arc::clone(hub), askers, origins: start.http.origins() };
        app = app.layer(from_fn_with_state(sockets, divert));
    }
    // Outside of what is diverted: event streams are for pages of other origins, too.
    app = app.layer(cors(&start.http.origins()));
    println!("http://{} serves {}", listener.local_addr()?, names(start));
    let address = start.http.public_url.clone().unwrap_or(format!("http://{}", listener.local_addr()?));
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

#[derive(Clone)]
struct Sockets {
    hub: Arc<Hub>,
    askers: Arc<Askers>,
    origins: Origins,
}

/// Sends requests for an upgrade or for an event stream to the bridge; everything else goes on to HTTP.
async fn divert(State(sockets): State<Sockets>, request: Request, next: Next) -> Response {
    let wants_socket = request
        .headers()
        .get(header::UPGRADE)
        .is_some_and(|value| value.to_str().is_ok_and(|text| text.eq_ignore_ascii_case("websocket")));
    let path = request.uri().path();
    if is_market_path(path) {
        return open_market_socket(&sockets, wants_socket, request).await;
    }
    if request.method() == Method::GET
        && wants_events(request.headers())
        && let Some(order) = events_of(path)
    {
        let (order, headers) = (Some(order), request.headers());
        let asked = Asked { order, query: request.uri().query(), headers };
        return events(&sockets.hub, &sockets.askers, &sockets.origins, &asked).await;
    }
    let family = match path {
        "/api/orders/execute" => Some((Family::Status, None)),
        _ => path.strip_prefix("/api/orders/status/").map(|order| (Family::Progress, Some(order.to_owned()))),
    };
    match family {
        Some((family, order)) if wants_socket && request.method() == Method::GET => {
            let (parts, _) = request.into_parts();
            let order = order.or_else(|| parameter(parts.uri.query(), "orderId"));
            open_socket(&sockets, family, order, parts).await
        }
        Some(_) | None => next.run(request).await,
    }
}

/// The order whose events are at this path, as it stands there.
fn events_of(path: &str) -> Option<&str> {
    let order = path.strip_prefix("/api/orders/")?.strip_suffix("/events")?;
    (!order.contains('/')).then_some(order)
}

async fn open_market_socket(sockets: &Sockets, wants_socket: bool, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    if parts.method != Method::GET {
        let problem = method_not_allowed(parts.method, parts.uri).await;
        return problem.header(header::ALLOW, HeaderValue::from_static("GET")).into_response();
    }
    if !wants_socket {
        let detail = "This address is a WebSocket: connect to it with an upgrade.";
        return Problem::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", detail)
            .header(header::UPGRADE, HeaderValue::from_static("websocket"))
            .header(header::CONNECTION, HeaderValue::from_static("upgrade"))
            .into_response();
    }
    let handshake = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(handshake) => handshake,
        Err(rejection) => return no_handshake(&rejection).into_response(),
    };
    let asked = AskedMarket { path: parts.uri.path(), query: parts.uri.query(), headers: &parts.headers };
    upgrade_market(&sockets.hub, &sockets.askers, &sockets.origins, &asked, handshake).await
}

async fn open_socket(
    sockets: &Sockets,
    family: Family,
    order: Option<String>,
    mut parts: RequestParts,
) -> Response {
    let handshake = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(handshake) => handshake,
        Err(rejection) => return no_handshake(&rejection).into_response(),
    };
    let asked = Asked { order: order.as_deref(), query: parts.uri.query(), headers: &parts.headers };
    upgrade(&sockets.hub, &sockets.askers, &sockets.origins, family, &asked, handshake).await
}

/// An upgrade that is none; the version that we speak is named as RFC 6455 section 4.4 asks for.
fn no_handshake(rejection: &WebSocketUpgradeRejection) -> Problem {
    let text = rejection.to_string();
    if !matches!(rejection, WebSocketUpgradeRejection::InvalidWebSocketVersionHeader(_)) {
        return Problem::new(StatusCode::BAD_REQUEST, "bad_handshake", text);
    }
    Problem::new(StatusCode::UPGRADE_REQUIRED, "bad_handshake", text)
        .header(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
        .header(header::UPGRADE, HeaderValue::from_static("websocket"))
}
