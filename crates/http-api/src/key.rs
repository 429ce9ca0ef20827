//! The client's own name for a request.

use axum::http::HeaderMap;
use fillstream_domain::ClientKey;
use fillstream_http_edge::FieldProblem;

use crate::body::Scalar;

/// Place of the key in a request, as problems name it.
const HEADER: &str = "header:Idempotency-Key";

/// The client's key: from the header, from the body's field at `pointer`, or from both when they are equal.
pub(crate) fn key(
    headers: &HeaderMap,
    client_order_id: &Scalar<'_>,
    pointer: &str,
) -> Result<Option<ClientKey>, FieldProblem> {
    let header = from_header(headers)?;
    let body = match client_order_id {
        Scalar::Missing => None,
        Scalar::Text(text) => {
            Some(ClientKey::new(text).map_err(|error| refused(pointer, error.to_string()))?)
        }
        Scalar::Number(_) | Scalar::Other => {
            return Err(refused(pointer, "must be a string of 1 to 255 visible ASCII characters"));
        }
    };
    match (header, body) {
        (Some(header), Some(body)) if header != body => {
            Err(refused(pointer, "must equal Idempotency-Key when both are given"))
        }
        (header, body) => Ok(header.or(body)),
    }
}

/// The key of the header alone.
pub(crate) fn from_header(headers: &HeaderMap) -> Result<Option<ClientKey>, FieldProblem> {
    let mut headers = headers.get_all("idempotency-key").iter();
    match (headers.next(), headers.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(refused(HEADER, "must be given once")),
        (Some(value), None) => {
            let text = value.to_str().unwrap_or("");
            // The draft writes it as a quoted string, most clients without quotes.
            let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
            ClientKey::new(bare).map(Some).map_err(|error| refused(HEADER, error.to_string()))
        }
    }
}

fn refused(pointer: &str, detail: impl Into<String>) -> FieldProblem {
    FieldProblem { pointer: pointer.to_owned(), detail: detail.into() }
}
