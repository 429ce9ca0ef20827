//! The trace that a request belongs to.

use axum::http::HeaderMap;
use uuid::Uuid;

/// The request's own trace, or a new one: `00-<32 hex>-<16 hex>-01` (W3C Trace Context).
pub(crate) fn traceparent(headers: &HeaderMap) -> String {
    let given = headers.get("traceparent").and_then(|value| value.to_str().ok());
    let well_formed = |text: &&str| {
        text.len() == 55
            && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    match given.filter(well_formed) {
        Some(text) => text.to_owned(),
        None => {
            let (trace, span) = (Uuid::now_v7().simple().to_string(), Uuid::now_v7().simple().to_string());
            format!("00-{trace}-{}-01", &span[16..])
        }
    }
}
