//! Who asks, without authentication: whoever the request names, on a loopback address only.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use fillstream_domain::UserId;

use crate::{FieldProblem, Problem, parameters};

/// The user that query, header or body name; nobody when none does.
///
/// # Errors
/// 401 for an `Authorization` header, which nobody would check; 400 when a user is no UUID; 422 when two differ.
pub fn asker(
    headers: &HeaderMap,
    query: Option<&str>,
    body: Option<&str>,
) -> Result<Option<UserId>, Problem> {
    if headers.contains_key(header::AUTHORIZATION) {
        let detail = "This server runs without authentication and does not read Authorization; leave it out.";
        let problem = Problem::new(StatusCode::UNAUTHORIZED, "authentication_not_configured", detail)
            .field("header:Authorization", "must be absent");
        return Err(problem.header(header::WWW_AUTHENTICATE, HeaderValue::from_static("None")));
    }
    // All of each: one that is passed over might be the one that was meant.
    let query = parameters(query, "user_id").map(|text| ("query:user_id", text));
    let header = headers.get_all("x-user-id").iter();
    let header =
        header.map(|value| ("header:X-User-Id", String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let body = body.map(|text| ("/user_id", text.to_owned()));
    let mut found = None;
    for (pointer, text) in query.chain(header).chain(body) {
        let user: UserId =
            text.parse().map_err(|_| Problem::malformed(pointer, "must be a hyphenated UUID"))?;
        if found.is_some_and(|known| known != user) {
            let detail = "must name the same user everywhere".to_owned();
            return Err(Problem::invalid(vec![FieldProblem { pointer: pointer.to_owned(), detail }]));
        }
        found = Some(user);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    const ONE: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e";
    const TWO: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6f";

    #[test]
    fn users_agree_or_are_refused() {
        let check = |query: Option<&str>,
                     header: Option<&str>,
                     body: Option<&str>,
                     expected: Result<Option<&str>, u16>| {
            let mut headers = HeaderMap::new();
            if let Some(text) = header {
                headers.insert("x-user-id", text.parse().unwrap());
            }
            let found = asker(&headers, query, body)
                .map(|user| user.map(|user| user.to_string()))
                .map_err(|problem| problem.into_response().status().as_u16());
            assert_eq!(found, expected.map(|user| user.map(str::to_owned)), "{query:?} {header:?} {body:?}");
        };
        let query = format!("user_id={ONE}");
        check(None, None, None, Ok(None));
        check(Some(&query), None, None, Ok(Some(ONE)));
        check(None, Some(ONE), Some(ONE), Ok(Some(ONE)));
        check(Some(&query), None, Some(TWO), Err(422));
        check(Some("user_id="), None, None, Err(400));
        check(Some("user_id=%ff"), None, None, Err(400));
        check(Some(&format!("{query}&user_id={TWO}")), None, None, Err(422));
        check(None, Some("me"), None, Err(400));
        check(None, None, Some("*"), Err(400));
    }

    #[test]
    fn an_authorization_header_is_never_half_read() {
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, "Bearer x".parse().unwrap())]);
        assert_eq!(
            asker(&headers, None, None).unwrap_err().into_response().status(),
            StatusCode::UNAUTHORIZED
        );
    }
}
