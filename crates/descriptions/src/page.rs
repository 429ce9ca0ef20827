//! The documents for people: one page that reads the JSON and shows it. Nothing is fetched from anywhere else.

use std::sync::Arc;

use axum::{
    http::{HeaderName, HeaderValue, Method, header},
    response::{IntoResponse, Response},
};
use fillstream_http_edge::described::{Operation, Routes};

use crate::Documents;

/// Its own files and its own server; no inline script, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = include_str!("../assets/docs.html");
const CSS: &str = include_str!("../assets/docs.css");
const SCRIPT: &str = include_str!("../assets/docs.js");

pub(crate) fn routes() -> Routes<Arc<Documents>> {
    let file = |id, summary, media_type| {
        Operation::new(id, "page", summary).answers_text(200, media_type, "The file.")
    };
    Routes::new()
        .on(
            Method::GET,
            "/docs",
            async || serve("text/html; charset=utf-8", HTML),
            file("getDocs", "These documents to read", "text/html"),
        )
        .on(
            Method::GET,
            "/docs/docs.css",
            async || serve("text/css; charset=utf-8", CSS),
            file("getDocsStyle", "Its looks", "text/css"),
        )
        .on(
            Method::GET,
            "/docs/docs.js",
            async || serve("text/javascript; charset=utf-8", SCRIPT),
            file("getDocsScript", "Its script", "text/javascript"),
        )
}

fn serve(media_type: &'static str, body: &'static str) -> Response {
    let told: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (told.map(|(name, value)| (name, HeaderValue::from_static(value))), body).into_response()
}
