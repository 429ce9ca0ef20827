//! What operators and load balancers ask: `/health`, `/ready`, `/metrics`.

use fillstream_domain::Seq;
use std::{fmt::Write, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use fillstream_domain::book::Symbol;
use fillstream_event_log::{Durability, EventLog, Link};
use fillstream_http_edge::described::Routes;
use fillstream_matching::{MarketState, Matcher};
use fillstream_projector::Projector;
use fillstream_stream_bridge::Hub;
use serde_json::{Map, Value, json};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout},
};

use super::{Role, Start, described, parts::Parts};

/// A part that is this far behind the stream's end still counts as caught up: events under way.
const READY_LAG: u64 = 1000;
/// How long the stream may take to answer before it counts as unreachable.
const STREAM_PATIENCE: Duration = Duration::from_secs(2);

/// What can be asked about this process.
#[derive(Clone)]
pub(crate) struct Watch(Arc<Inner>);

struct Inner {
    roles: Vec<Role>,
    log: Arc<dyn EventLog>,
    hub: Option<Arc<Hub>>,
    projector: Option<Arc<Projector>>,
    matcher: Option<Arc<Matcher>>,
    durability: Durability,
    started: Instant,
}

impl Watch {
    pub(crate) fn new(start: &Start, log: Arc<dyn EventLog>, parts: &Parts, durability: Durability) -> Self {
        Self(Arc::new(Inner {
            roles: start.roles.clone(),
            log,
            hub: parts.hub.clone(),
            projector: parts.projector.clone(),
            matcher: parts.matcher.clone(),
            durability,
            started: Instant::now(),
        }))
    }

    /// The positions of the parts that follow the stream.
    fn positions(&self) -> Vec<(Role, Seq)> {
        let projector = self.0.projector.iter().map(|part| (Role::Projector, part.position()));
        let bridge = self.0.hub.iter().map(|part| (Role::Bridge, part.position()));
        projector.chain(bridge).collect()
    }
}

/// The routes.
pub(crate) fn routes(watch: Watch) -> Routes {
    Routes::new()
        .on(Method::GET, "/health", health, described::health())
        .on(Method::GET, "/ready", ready, described::ready())
        .on(Method::GET, "/metrics", metrics, described::metrics())
        .with_state(watch)
}

async fn health(State(Watch(inner)): State<Watch>) -> Json<Value> {
    let count = |read: fn(&Hub) -> u64| inner.hub.as_deref().map_or(0, read);
    Json(json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": inner.started.elapsed().as_secs(),
        "durability": inner.durability.name(),
        "roles": inner.roles.iter().map(|role| role.name()).collect::<Vec<_>>(),
        "stream": match *inner.log.link().borrow() { Link::Up => "reachable", Link::Down => "unreachable" },
        "websocket": {
            "connections": count(|hub| hub.counters().connections.get()),
            "subscriptions": count(|hub| hub.counters().subscriptions.get()),
            "messages_sent": count(|hub| hub.counters().messages_sent.get()),
        },
    }))
}

async fn ready(State(watch): State<Watch>) -> Response {
    let info = timeout(STREAM_PATIENCE, watch.0.log.info()).await;
    let Ok(Ok(info)) = info else {
        let body = json!({ "status": "not ready", "stream": "unreachable", "parts": {} });
        return (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response();
    };
    let mut parts = Map::new();
    let mut all = true;
    for (role, position) in watch.positions() {
        let behind = Seq::new(info.last_seq).since(position);
        let caught_up = behind <= READY_LAG;
        all &= caught_up;
        parts.insert(
            role.name().to_owned(),
            json!({ "position": position, "behind": behind, "caught_up": caught_up }),
        );
    }
    if let Some(matcher) = &watch.0.matcher {
        let (caught_up, told) = markets(matcher);
        all &= caught_up;
        parts.insert(Role::Matcher.name().to_owned(), told);
    }
    let (code, status) =
        if all { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") };
    let body = json!({ "status": status, "stream": "reachable", "last_seq": info.last_seq, "parts": parts });
    (code, Json(body)).into_response()
}

/// Whether every market is at work, and how far each is. Without any market none has been found yet.
fn markets(matcher: &Matcher) -> (bool, Value) {
    let states = matcher.markets();
    let caught_up = !states.is_empty()
        && states.iter().all(|(_, state)| state.loaded && (state.pending as u64) <= READY_LAG);
    let market = |(symbol, state): &(Symbol, MarketState)| {
        let MarketState { loaded, position, pending, leading } = *state;
        let told = json!({ "loaded": loaded, "position": position, "pending": pending, "leading": leading });
        (symbol.to_string(), told)
    };
    let told: Map<_, _> = states.iter().map(market).collect();
    (caught_up, json!({ "caught_up": caught_up, "markets": told }))
}

/// Prometheus text format, version 0.0.4.
async fn metrics(State(watch): State<Watch>) -> Response {
    let mut text = String::new();
    gauge(
        &mut text,
        "fillstream_uptime_seconds",
        "Since the process started",
        watch.0.started.elapsed().as_secs(),
    );
    let tasks = Handle::current().metrics().num_alive_tasks();
    gauge(
        &mut text,
        "fillstream_tasks",
        "Tasks of the process now; one for each socket among them",
        tasks as u64,
    );
    let up = u64::from(*watch.0.log.link().borrow() == Link::Up);
    gauge(&mut text, "fillstream_stream_up", "1 while the stream can be reached", up);
    let _ = writeln!(
        text,
        "# HELP fillstream_position Last sequence that a part has taken in\n# TYPE fillstream_position gauge"
    );
    for (role, position) in watch.positions() {
        let _ = writeln!(text, "fillstream_position{{part=\"{}\"}} {position}", role.name());
    }
    if let Some(matcher) = &watch.0.matcher {
        let _ = writeln!(
            text,
            "# HELP fillstream_market_position Last input that a market has applied\n\
             # TYPE fillstream_market_position gauge"
        );
        for (symbol, state) in matcher.markets() {
            let _ = writeln!(text, "fillstream_market_position{{market=\"{symbol}\"}} {}", state.position);
        }
    }
    if let Some(hub) = &watch.0.hub {
        sockets(&mut text, hub);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

fn sockets(text: &mut String, hub: &Hub) {
    let counters = hub.counters();
    gauge(text, "fillstream_sockets", "Sockets open now", counters.connections.get());
    let subscriptions = counters.subscriptions.get();
    let counted = "Orders and channels of the market that sockets watch now, each counted for each socket";
    gauge(text, "fillstream_subscriptions", counted, subscriptions);
    for (name, help, value) in [
        ("messages_sent", "Messages written to sockets", &counters.messages_sent),
        ("fell_behind", "Times that a socket was told fell_behind", &counters.fell_behind),
        ("histories_read", "Histories read from the stream", &counters.histories_read),
        ("stale_reads", "Histories read again because a replica was behind", &counters.stale_reads),
        ("tail_recreated", "Times that the tail's consumer was set up again", &counters.tail_recreated),
        ("upgrades_refused", "Upgrades refused because the process is full or going down", &counters.refused),
    ] {
        let name = format!("fillstream_{name}_total");
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {}", value.get());
    }
}

fn gauge(text: &mut String, name: &str, help: &str, value: u64) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
}
