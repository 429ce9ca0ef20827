//! Users as a request names them, without any proof.

use axum::http::HeaderMap;
use fillstream_domain::UserId;

use crate::{Problem, parameters};

/// A user that the request names, and where.
pub(crate) type Named = (&'static str, UserId);

/// All that query and header name, in this order: one that is passed over might be the one that was meant.
///
/// # Errors
/// 400 when one is no UUID.
pub(crate) fn named(headers: &HeaderMap, query: Option<&str>) -> Result<Vec<Named>, Problem> {
    let query = parameters(query, "user_id").map(|text| ("query:user_id", text));
    let header = headers.get_all("x-user-id").iter();
    let header =
        header.map(|value| ("header:X-User-Id", String::from_utf8_lossy(value.as_bytes()).into_owned()));
    query.chain(header).map(|(pointer, text)| Ok((pointer, user(pointer, &text)?))).collect()
}

/// Reads a user.
///
/// # Errors
/// 400 when it is no UUID.
pub(crate) fn user(pointer: &str, text: &str) -> Result<UserId, Problem> {
    text.parse().map_err(|_| Problem::malformed(pointer, "must be a hyphenated UUID"))
}
