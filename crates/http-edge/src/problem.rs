//! Errors over HTTP: `application/problem+json` (RFC 9457) with stable types.

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use schemars::JsonSchema;
use serde::Serialize;

/// One field that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FieldProblem {
    /// Where it stands: a JSON pointer into the body (`/amount`), or `query:name`, `header:Name`, `path:name`.
    pub pointer: String,
    /// What it must be.
    pub detail: String,
}

/// An error for a client. Boxed: it is the rare outcome of every handler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Problem(Box<Told>);

/// An error (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
struct Told {
    /// Stable; the last part is the code that sockets use.
    #[serde(rename = "type")]
    kind: String,
    /// Of the status.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// A sentence for people.
    detail: String,
    /// The stable code alone.
    code: &'static str,
    /// Each field that was refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblem>,
    #[serde(skip)]
    headers: Vec<(header::HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem with a stable code.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Told {
            kind: Self::kind(code),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            code,
            errors: Vec::new(),
            headers: Vec::new(),
        }))
    }

    /// The stable type of a code.
    pub(crate) fn kind(code: &str) -> String {
        format!("https://fillstream.dev/problems/{code}")
    }

    /// A request that cannot be read: 400.
    #[must_use]
    pub fn malformed(pointer: impl Into<String>, must: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed_request", "The request cannot be read.")
            .field(pointer, must)
    }

    /// Fields with values that are refused: 422.
    #[must_use]
    pub fn invalid(errors: Vec<FieldProblem>) -> Self {
        let named: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
        let detail = format!("Refused, nothing is stored: {}.", named.join(", "));
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields", detail);
        problem.0.errors = errors;
        problem
    }

    /// Names a field.
    #[must_use]
    pub fn field(mut self, pointer: impl Into<String>, must: impl Into<String>) -> Self {
        self.0.errors.push(FieldProblem { pointer: pointer.into(), detail: must.into() });
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The sentence for people.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response<Body> {
        let headers = std::mem::take(&mut self.0.headers);
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).expect("string keys and plain values always become JSON");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response.headers_mut().extend(headers);
        response
    }
}
