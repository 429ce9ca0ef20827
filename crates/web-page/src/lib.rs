//! The web page: plain files, embedded in the binary, and the routes that serve them.
//!
//! ```text
//!  GET /            index.html ──▶ /assets/app.js ──▶ a module for each view
//!  GET /assets/…    what the page is made of
//! ```
//! Nothing here knows orders or the stream: the page is a client like any other, of the same HTTP and sockets.

mod assets;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use sha2::{Digest, Sha256};

use crate::assets::{ASSETS, Asset, PAGE};

/// What the page may load and do: its own files and its own server. No inline script, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Bytes of the digest in an `ETag`: two versions of a file never share 64 bits by accident.
const TAG_BYTES: usize = 8;

/// The page at `/` and its files at `/assets/…`.
pub fn router() -> Router {
    [&PAGE].into_iter().chain(ASSETS).fold(Router::new(), |router, asset| {
        let tag = tag(asset.bytes);
        router.route(asset.path, get(async move |headers: HeaderMap| serve(asset, tag, &headers)))
    })
}

/// A file, or 304 when the browser has this version of it.
fn serve(asset: &'static Asset, tag: HeaderValue, asked: &HeaderMap) -> Response {
    let known = asked.get_all(header::IF_NONE_MATCH).iter().any(|tags| names(tags, &tag));
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Response::new(Body::from(asset.bytes));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
        response
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, tag);
    // Always asked for again: after an update nobody runs half of the old page.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn tag(bytes: &[u8]) -> HeaderValue {
    let digest = Sha256::digest(bytes);
    let hex: String = digest.iter().take(TAG_BYTES).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::try_from(format!("\"{hex}\"")).expect("hexadecimal digits may stand in a header")
}

/// `If-None-Match` compares weakly (RFC 9110, section 13.1.2).
fn names(tags: &HeaderValue, tag: &HeaderValue) -> bool {
    let Ok(tags) = tags.to_str() else { return false };
    tags.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/").as_bytes() == tag)
}
