//! Descriptions that programmers connect by, served by the binary itself.
//!
//! ```text
//!  Routes of all parts ──▶ /openapi.json ─┐
//!  Channels, subjects ───▶ /asyncapi.json ┼─▶ /docs
//!  EVERY_EVENT ──────────▶ /schemas ──────┘
//! ```
//! The documents are made once, at the start, of what this process really serves: another role has another document.

mod page;
mod schemas;
mod subjects;

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use fillstream_http_edge::{
    Problem,
    described::{About, Channel, Operation, Routes, Shape, asyncapi, openapi},
};
use serde_json::{Value, json};

use schemas::Schemas;

pub use subjects::channels as subjects;

const TAG: &str = "descriptions";

const ABOUT: About = About {
    title: "fillstream",
    version: env!("CARGO_PKG_VERSION"),
    text: "Event-sourced order execution. Amounts leave as decimal strings without loss, and are read from a JSON \
           number's or string's text. Every message that stems from an event carries `seq`, its sequence in the \
           stream. Errors are RFC 9457 problems with stable types. Sockets and subjects stand in `/asyncapi.json`, \
           stored events in `/schemas`.",
    tags: &[
        ("swap orders", "Orders that are routed to the better of two venues."),
        ("book orders", "Orders of a market's book."),
        ("markets", "What everybody may see."),
        ("sockets", "WebSockets and tickets for them."),
        ("subjects", "What lies in the stream, and requests over NATS."),
        ("log", "The stream itself."),
        ("operations", "What operators and load balancers ask."),
        (TAG, "These documents."),
        ("page", "For people."),
        ("without an id", "Addresses that lack their last part: each says what is missing."),
    ],
};

/// Address of this process.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// Host and port of HTTP and sockets.
    pub listen: String,
    /// Host and port of the broker.
    pub broker: String,
}

/// The documents, as they are sent.
struct Documents {
    openapi: Bytes,
    asyncapi: Bytes,
    schemas: Schemas,
}

/// The routes together with the documents about them. `channels` are those that this process serves.
pub fn described(routes: Routes, hosts: &Hosts, channels: &[Channel]) -> Router {
    let own = own_routes();
    let all: Vec<_> = routes.described().iter().chain(own.described()).cloned().collect();
    let documents = Documents {
        openapi: text(&openapi(&ABOUT, &all)),
        asyncapi: text(&asyncapi(&ABOUT, &hosts.listen, &hosts.broker, channels)),
        schemas: Schemas::new(),
    };
    routes.merge(own.with_state(Arc::new(documents))).into_router()
}

fn text(document: &Value) -> Bytes {
    document.to_string().into()
}

fn own_routes() -> Routes<Arc<Documents>> {
    let document = |id, summary| {
        let any = Shape::Is(json!({ "type": "object" }));
        Operation::new(id, TAG, summary).answers_as(200, "application/json", any.clone(), "The document.")
    };
    let name = json!({ "type": "string", "examples": ["swap.placed.v1"] });
    let schema = Operation::new("getSchema", TAG, "The JSON Schema of one version of an event")
        .path("name", "Type and version, with or without `.json`.", name)
        .answers_as(200, schemas::MEDIA_TYPE, Shape::Is(json!({ "type": "object" })), "The schema (2020-12).")
        .problems(404, &["unknown_schema"]);
    let list = Operation::new("getSchemas", TAG, "All stored events").answers_as(
        200,
        "application/json",
        Shape::Is(schemas::list_schema()),
        "Their types with their schemas.",
    );
    Routes::new()
        .on(Method::GET, "/openapi.json", get_openapi, document("getOpenApi", "This document (OpenAPI 3.1)"))
        .on(
            Method::GET,
            "/asyncapi.json",
            get_asyncapi,
            document("getAsyncApi", "Sockets and subjects (AsyncAPI 3.0)"),
        )
        .on(Method::GET, "/schemas", get_schemas, list)
        .on(Method::GET, "/schemas/{name}", get_schema, schema)
        .merge(page::routes())
}

fn json(media_type: &'static str, body: Bytes) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, body).into_response()
}

async fn get_openapi(State(documents): State<Arc<Documents>>) -> Response {
    json("application/json", documents.openapi.clone())
}

async fn get_asyncapi(State(documents): State<Arc<Documents>>) -> Response {
    json("application/json", documents.asyncapi.clone())
}

async fn get_schemas(State(documents): State<Arc<Documents>>) -> Response {
    json("application/json", documents.schemas.list.clone())
}

async fn get_schema(
    State(documents): State<Arc<Documents>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let name = path.map_or_else(|_| String::new(), |Path(name)| name);
    let found = documents.schemas.of(&name).ok_or_else(|| {
        let detail = format!("There is no event {name}; GET /schemas lists them.");
        Problem::new(StatusCode::NOT_FOUND, "unknown_schema", detail)
    })?;
    Ok(json(schemas::MEDIA_TYPE, found))
}
