//! Who asks, without authentication: whoever the request names, on a loopback address only.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use fillstream_domain::UserId;

use crate::{Problem, parameter};

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
    let header = match headers.get("x-user-id") {
        Some(value) => Some(value.to_str().unwrap_or("?").to_owned()),
        None => None,
    };
    let named = [
        ("query:user_id", parameter(query, "user_id")),
        ("header:X-User-Id", header),
        ("/user_id", body.map(str::to_owned)),
    ];
    let mut found = None;
    for (pointer, text) in named {
        let Some(text) = text else { continue };
        let user: UserId =
            text.parse().map_err(|_| Problem::malformed(pointer, "must be a hyphenated UUID"))?;
        if found.is_some_and(|known| known != user) {
            return Err(Problem::invalid(Vec::new()).field(pointer, "must name the same user everywhere"));
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
