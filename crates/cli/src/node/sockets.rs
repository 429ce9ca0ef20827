//! Requests that are the bridge's: upgrades and event streams. It looks at them before HTTP does, as a socket and a resource
//! may share an address.

use std::sync::Arc;

use axum::{
    extract::{
        FromRequestParts, Request, State,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderValue, Method, StatusCode, header, request::Parts as RequestParts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use fillstream_http_api::method_not_allowed;
use fillstream_http_edge::{Askers, Origins, Problem, parameter};
use fillstream_stream_bridge::{
    Asked, AskedMarket, Family, Hub, events, is_market_path, upgrade, upgrade_market, wants_events,
};

/// State that sockets and event streams are opened with.
#[derive(Clone)]
pub(super) struct Sockets {
    pub(super) hub: Arc<Hub>,
    pub(super) askers: Arc<Askers>,
    pub(super) origins: Origins,
}

/// Sends requests for an upgrade or for an event stream to the bridge; everything else goes on to HTTP.
pub(super) async fn divert(State(sockets): State<Sockets>, request: Request, next: Next) -> Response {
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
        let asked = Asked { order, query: request.uri().query(), headers, extensions: request.extensions() };
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
    let (path, query) = (parts.uri.path(), parts.uri.query());
    let asked = AskedMarket { path, query, headers: &parts.headers, extensions: &parts.extensions };
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
    let (order, query) = (order.as_deref(), parts.uri.query());
    let asked = Asked { order, query, headers: &parts.headers, extensions: &parts.extensions };
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
