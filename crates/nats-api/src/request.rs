//! The HTTP request that a message stands for.

use std::fmt::Write;

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Request, header},
};
use fillstream_event_log::ServiceRequest;
use fillstream_http_edge::Problem;
use serde_json::value::RawValue;

use crate::{
    members::Members,
    routes::{Payload, Route},
};

/// Headers that a client may bring along, in HTTP's spelling. Where a request was addressed to is not among them: NATS
/// has no host.
const PASSED_ON: [HeaderName; 4] = [
    header::AUTHORIZATION,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("x-user-id"),
    HeaderName::from_static("traceparent"),
];

/// Translates a message. Refused is only what cannot be put as HTTP at all.
pub(crate) fn translate(route: &Route, asked: ServiceRequest) -> Result<Request<Body>, Problem> {
    let (mut uri, member) = {
        let (before, member) = route.template();
        (before.to_owned(), member)
    };
    let body = match route.payload {
        Payload::Body => Body::from(asked.payload),
        Payload::PathAndBody => {
            let mut members = Members::of(&asked.payload)?;
            complete(&mut uri, member, &mut members)?;
            let bare = route.method == "DELETE" && members.0.is_empty();
            if bare { Body::empty() } else { Body::from(members.object()) }
        }
        Payload::Parameters => {
            let mut members = Members::of(&asked.payload)?;
            complete(&mut uri, member, &mut members)?;
            push_query(&mut uri, &members)?;
            Body::empty()
        }
    };
    let mut request = Request::builder().method(route.method).uri(uri);
    if route.payload != Payload::Parameters {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    for (name, value) in &asked.headers {
        let passed = PASSED_ON.into_iter().find(|passed| passed.as_str().eq_ignore_ascii_case(name));
        let Some(name) = passed else { continue };
        let value = HeaderValue::from_str(value)
            .or_else(|_| HeaderValue::from_bytes(value.as_bytes()))
            .map_err(|_| Problem::malformed(format!("header:{name}"), "must be one line of text"))?;
        request = request.header(name, value);
    }
    request.body(body).map_err(|_| Problem::malformed("", "must be short enough for an address"))
}

/// Puts the member that belongs there into the path.
fn complete(
    uri: &mut String,
    member: Option<(&'static str, &'static str)>,
    members: &mut Members<'_>,
) -> Result<(), Problem> {
    let Some((name, rest)) = member else { return Ok(()) };
    let text = members.take_text(name)?;
    push_encoded(uri, &text);
    uri.push_str(rest);
    Ok(())
}

/// Members as parameters, each by its text; null is one that is not given.
fn push_query(uri: &mut String, members: &Members<'_>) -> Result<(), Problem> {
    let mut mark = '?';
    for (name, value) in &members.0 {
        if value.get() == "null" {
            continue;
        }
        uri.push(mark);
        mark = '&';
        push_encoded(uri, name);
        uri.push('=');
        push_encoded(uri, &scalar(name, value)?);
    }
    Ok(())
}

fn scalar(name: &str, value: &RawValue) -> Result<String, Problem> {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'"') => serde_json::from_str(text)
            .map_err(|error| Problem::malformed(format!("/{name}"), error.to_string())),
        Some(b'[' | b'{') | None => Err(Problem::malformed(format!("/{name}"), "must be a text or a number")),
        Some(_) => Ok(text.to_owned()),
    }
}

/// Percent-encodes all but RFC 3986's unreserved characters: in a path as in a query it means itself.
fn push_encoded(uri: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            write!(uri, "%{byte:02X}").expect("a string takes all that is written to it");
        }
    }
}
