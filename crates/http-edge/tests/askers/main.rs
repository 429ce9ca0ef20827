//! Askers as the handlers learn of them: tokens, names, tickets.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "tests: their names say what they show, a panic is a failure"
)]

mod issuer;
mod names;
mod tickets;
mod tokens;

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::IntoResponse,
};
use fillstream_domain::Timestamp;
use fillstream_http_edge::{Asker, Problem};

/// Answer to a client: the status and the stable code.
type Refused = (u16, String);

fn now() -> Timestamp {
    Timestamp::from_unix_ms(1_768_000_000_000)
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn told(found: Result<Asker, Problem>) -> Result<Option<String>, Refused> {
    found.map(|asker| asker.user().map(|user| user.to_string())).map_err(|problem| {
        let code = problem.code().to_owned();
        let response = problem.into_response();
        let status = response.status().as_u16();
        let challenge = response.headers().get(header::WWW_AUTHENTICATE);
        assert_eq!(status == 401, challenge.is_some(), "401 and nothing else says what would do: {code}");
        (status, code)
    })
}

fn refused<T>(status: u16, code: &str) -> Result<T, Refused> {
    Err((status, code.to_owned()))
}
