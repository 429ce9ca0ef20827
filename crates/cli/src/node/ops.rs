//! Questions of operators and load balancers: `/health`, `/ready`, `/metrics`.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{RawQuery, State},
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use fillstream_clock::now;
use fillstream_event_log::{Durability, Link};
use fillstream_executor::Summary;
use fillstream_http_api::Room;
use fillstream_http_edge::{Problem, described::Routes};
use fillstream_matching::MarketState;
use fillstream_metrics::{CONTENT_TYPE, Metrics};
use fillstream_retry::Obstacles;
use fillstream_stream_bridge::Hub;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{
    Role, described, figures,
    health::{Health, Look, Part},
};
use crate::health::judge::Market;

/// What can be asked about this process.
#[derive(Clone)]
pub(crate) struct Watch(Arc<Inner>);

struct Inner {
    health: Arc<Health>,
    durability: Durability,
    started: Instant,
    /// True when details are told here, and not at an address of their own.
    details: bool,
}

impl Watch {
    pub(crate) fn new(health: Arc<Health>, durability: Durability) -> Self {
        figures::register(&health);
        Self(Arc::new(Inner { health, durability, started: Instant::now(), details: true }))
    }

    /// The same, without what is told at an address of its own.
    pub(crate) fn without_details(&self) -> Self {
        let Inner { health, durability, started, .. } = &*self.0;
        let health = Arc::clone(health);
        Self(Arc::new(Inner { health, durability: *durability, started: *started, details: false }))
    }

    /// Whether new orders are taken: not without room, and not while the stream says that it is full.
    pub(crate) fn room(&self) -> Room {
        Room::watched(self.0.health.watched().watching.watch_no_room())
    }

    /// Where the api shows what stands in its way.
    pub(crate) fn of_api(&self) -> &Obstacles {
        &self.0.health.watched().watching.api
    }

    pub(crate) fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.0.health.watched().watching.metrics)
    }

    fn hub(&self) -> Option<&Arc<Hub>> {
        self.0.health.watched().hub.as_ref()
    }
}

/// The routes, as they are described.
pub(crate) fn routes(watch: Watch) -> Routes {
    let details = watch.0.details;
    let mut routes = Routes::new().on(Method::GET, "/health", health, described::health()).on(
        Method::GET,
        "/ready",
        ready,
        described::ready(),
    );
    if details {
        routes = routes.on(Method::GET, "/metrics", metrics, described::metrics());
    }
    routes.with_state(watch)
}

/// The routes at an address of their own.
pub(crate) fn router(watch: Watch) -> Router {
    routes(watch).into_router()
}

async fn health(State(watch): State<Watch>) -> Json<Value> {
    let count = |read: fn(&Hub) -> u64| watch.hub().map_or(0, |hub| read(hub));
    let watched = watch.0.health.watched();
    Json(json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": watch.0.started.elapsed().as_secs(),
        "durability": watch.0.durability.name(),
        "roles": watched.roles.iter().map(|role| role.name()).collect::<Vec<_>>(),
        "stream": match *watched.log.link().borrow() { Link::Up => "reachable", Link::Down => "unreachable" },
        "websocket": {
            "connections": count(|hub| hub.counters().connections.get()),
            "subscriptions": count(|hub| hub.counters().subscriptions.get()),
            "messages_sent": count(|hub| hub.counters().messages_sent.get()),
        },
    }))
}

async fn ready(State(watch): State<Watch>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let asked = role(query.as_deref())?;
    let look = watch.0.health.look().await;
    let all = match asked {
        None => look.is_ready(),
        Some(role) => look.part(role).is_some_and(|part| part.verdict.reason.is_none()),
    };
    let (code, status) =
        if all { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") };
    let mut body = json!({ "status": status, "stream": reachable(&look), "parts": {} });
    if watch.0.details {
        tell(&mut body, &look, asked);
    }
    Ok((code, Json(body)).into_response())
}

/// The role that is asked about; nothing for all of this process.
fn role(query: Option<&str>) -> Result<Option<Role>, Problem> {
    let pairs: Vec<_> = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).collect();
    let mut named = pairs.iter().filter(|(name, _)| name == "role");
    let names = Role::ALL.map(Role::name).join(", ");
    match (named.next(), named.next()) {
        (None, _) => Ok(None),
        (Some((_, value)), None) => match Role::ALL.into_iter().find(|role| role.name() == value) {
            Some(role) => Ok(Some(role)),
            None => Err(Problem::malformed("query:role", format!("must be one of {names}"))),
        },
        (Some(_), Some(_)) => Err(Problem::malformed("query:role", format!("must be given once: {names}"))),
    }
}

fn reachable(look: &Look) -> &'static str {
    if look.last.is_some() { "reachable" } else { "unreachable" }
}

fn tell(body: &mut Value, look: &Look, asked: Option<Role>) {
    if let Some(last) = look.last {
        body["last_seq"] = json!(last);
    }
    if let Some(reason) = &look.cannot_append {
        body["cannot_append"] = json!(reason);
    }
    if let Some(reason) = &look.store_full {
        body["store_full"] = json!(reason);
    }
    let rooms = look.room.iter().map(|(place, room, floor)| {
        (
            place.name().to_owned(),
            json!({ "free_bytes": room.free, "size_bytes": room.size, "floor_bytes": floor }),
        )
    });
    body["room"] = Value::Object(rooms.collect());
    let parts = look.parts.iter().filter(|part| asked.is_none_or(|role| part.role == role));
    let mut told: Map<_, _> = parts.map(|told| (told.role.name().to_owned(), part(told, look))).collect();
    if let Some(role) = asked.filter(|role| look.part(*role).is_none()) {
        told.insert(role.name().to_owned(), part(&Part::absent(role), look));
    }
    body["parts"] = Value::Object(told);
}

fn part(part: &Part, look: &Look) -> Value {
    let Part { role, verdict, obstacles, markets, unended } = part;
    let mut told = json!({
        "caught_up": verdict.reason.is_none(),
        "position": verdict.position,
        "lag_seconds": verdict.lag.map(|lag| lag.as_secs_f64()),
    });
    if let Some(reason) = &verdict.reason {
        told["reason"] = json!(reason);
    }
    match role {
        Role::Api => {
            if let Some(reason) = &look.store_full {
                told["store_full"] = json!(reason);
            }
        }
        Role::Projector | Role::Bridge => {
            let behind = look.last.zip(verdict.position).map(|(last, position)| last.since(position));
            told["behind"] = json!(behind);
        }
        Role::Matcher => {
            told["markets"] = Value::Object(markets.iter().map(market).collect());
        }
        Role::Executor => {
            if let Some(Summary { count, with_operator, elsewhere, oldest }) = *unended {
                let oldest = oldest.map(|oldest| now().since(oldest).as_secs());
                told["unended_swaps"] = json!({
                    "count": count, "with_operator": with_operator, "elsewhere": elsewhere, "oldest_seconds": oldest,
                });
            }
        }
    }
    if !obstacles.is_empty() {
        let all = obstacles.iter().map(|obstacle| {
            json!({ "what": obstacle.what, "seconds": obstacle.lasts.as_secs(), "reason": obstacle.reason })
        });
        told["obstacles"] = Value::Array(all.collect());
    }
    told
}

fn market((market, state): &(Market, MarketState)) -> (String, Value) {
    let MarketState { loaded, position, pending, leading, .. } = state;
    let lag = market.waits.age().map(|age| age.as_secs_f64());
    let mut told = json!({
        "loaded": loaded, "position": position, "pending": pending, "leading": leading, "lag_seconds": lag,
    });
    if let Some(reason) = &market.reason {
        told["reason"] = json!(reason);
    }
    (market.symbol.clone(), told)
}

/// Prometheus text format, version 0.0.4, with figures that are not older than a second.
async fn metrics(State(watch): State<Watch>) -> Response {
    watch.0.health.look().await;
    let text = watch.0.health.watched().watching.metrics.text();
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
}
