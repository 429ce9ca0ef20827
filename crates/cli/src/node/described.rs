//! Descriptions of the routes of operators and of the page, and of the channels that this process serves.

use axum::Router;
use fillstream_event_log::host_and_port;
use fillstream_http_edge::described::{Channel, Operation, Routes, Shape};
use serde_json::{Value, json};

use super::{Role, Start};

const TAG: &str = "operations";

pub(super) fn health() -> Operation {
    let number = json!({ "type": "integer", "minimum": 0 });
    let websocket = object(
        &["connections", "subscriptions", "messages_sent"],
        json!({ "connections": number, "subscriptions": number, "messages_sent": number }),
    );
    let schema = object(
        &["status", "version", "uptime_seconds", "durability", "roles", "stream", "websocket"],
        json!({
            "status": { "const": "ok" },
            "version": { "type": "string" },
            "uptime_seconds": number,
            "durability": { "type": "string", "description": "What an acknowledgement means." },
            "roles": { "type": "array", "items": { "type": "string" } },
            "stream": { "enum": ["reachable", "unreachable"] },
            "websocket": websocket,
        }),
    );
    Operation::new("getHealth", TAG, "The process is alive").answers_as(
        200,
        "application/json",
        Shape::Is(schema),
        "It is, and this is what it does.",
    )
}

pub(super) fn ready() -> Operation {
    let room = object(
        &["free_bytes", "size_bytes", "floor_bytes"],
        json!({ "free_bytes": number(), "size_bytes": number(), "floor_bytes": or_null(&number()) }),
    );
    let schema = object(
        &["status", "stream", "parts"],
        json!({
            "status": { "enum": ["ready", "not ready"] },
            "stream": { "enum": ["reachable", "unreachable"] },
            "last_seq": number(),
            "cannot_append": { "type": "string", "description": "Why appends fail, and a probe with them." },
            "store_full": { "type": "string", "description": "Why new orders are refused for want of room." },
            "room": { "type": "object", "additionalProperties": room },
            "parts": { "type": "object", "additionalProperties": part() },
        }),
    );
    let roles: Vec<_> = Role::ALL.map(Role::name).to_vec();
    let schema = Shape::Is(schema);
    let about = "Whether the parts of this process do what users expect: appends are stored, no input waits for its \
                 outcome for long, no view lacks an event that is old. A `role` alone is judged with `?role=`: want of \
                 room, or a view that lags, never takes `api` out. Details may be told at an address of their own \
                 (`--operations-listen`).";
    Operation::new("getReady", TAG, "The parts of this process do their work")
        .about(about)
        .query("role", "This role alone.", json!({ "enum": roles }))
        .answers_as(200, "application/json", schema.clone(), "Requests may be sent here.")
        .answers_as(
            503,
            "application/json",
            schema,
            "Not now, and the reason of each part that is not ready.",
        )
        .problems(400, &["malformed_request"])
}

fn number() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn or_null(schema: &Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

/// How far a part is, and what stands in its way.
fn part() -> Value {
    let (number, text) = (number(), json!({ "type": "string" }));
    let lag = json!({
        "type": ["number", "null"], "minimum": 0,
        "description": "Age of the oldest event that it lacks; null when that is not known.",
    });
    let market = object(
        &["loaded", "position", "pending", "leading", "lag_seconds"],
        json!({
            "loaded": { "type": "boolean" },
            "position": number,
            "pending": number,
            "leading": { "type": "boolean" },
            "lag_seconds": lag,
            "reason": text,
        }),
    );
    let unended = object(
        &["count", "with_operator", "elsewhere", "oldest_seconds"],
        json!({
            "count": number,
            "with_operator": number,
            "elsewhere": number,
            "oldest_seconds": or_null(&number),
        }),
    );
    let obstacle =
        object(&["what", "seconds", "reason"], json!({ "what": text, "seconds": number, "reason": text }));
    object(
        &["caught_up", "position", "lag_seconds"],
        json!({
            "caught_up": { "type": "boolean" },
            "position": or_null(&number),
            "lag_seconds": lag,
            "reason": { "type": "string", "description": "Why it has not caught up." },
            "store_full": { "type": "string", "description": "Of the api: why new orders are refused." },
            "behind": or_null(&number),
            "markets": { "type": "object", "additionalProperties": market },
            "unended_swaps": unended,
            "obstacles": { "type": "array", "items": obstacle },
        }),
    )
}

pub(super) fn metrics() -> Operation {
    let about = "Prometheus text format, version 0.0.4.";
    Operation::new("getMetrics", TAG, "Figures for Prometheus").answers_text(200, "text/plain", about)
}

fn object(required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "required": required, "properties": properties })
}

/// The page and its files.
pub(super) fn page(routes: Routes, files: Router) -> Routes {
    let page = Operation::new("getPage", "page", "The page").answers_text(200, "text/html", "The page.");
    let file = Operation::new("getAsset", "page", "A file of the page")
        .path("path", "As the page names it.", json!({ "type": "string", "examples": ["app.js"] }))
        .answers_text(200, "text/javascript", "A script.")
        .answers_text(200, "text/css", "A style.")
        .answers_text(200, "image/svg+xml", "An image.")
        .answers_empty(304, "The version that the client has.")
        .problems(404, &["not_found"]);
    routes.files(files, "/", page).also("/assets/{path}", file)
}

/// The subjects of the stream, the sockets where this process has them, and its requests over NATS.
pub(super) fn channels(start: &Start, sockets: bool, routes: &Routes) -> Vec<Channel> {
    let sockets = if sockets { fillstream_stream_bridge::channels() } else { Vec::new() };
    let requests = match start.has(Role::Api) && start.http.nats_requests {
        true => fillstream_nats_api::channels(routes.described()),
        false => Vec::new(),
    };
    sockets.into_iter().chain(fillstream_descriptions::subjects()).chain(requests).collect()
}

/// Host and port of the first address of the broker.
pub(super) fn broker(urls: &str) -> String {
    host_and_port(urls.split(',').next().unwrap_or(urls)).to_owned()
}
