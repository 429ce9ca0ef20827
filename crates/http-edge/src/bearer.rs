//! The `Authorization` header, and what is answered when it does not do (RFC 6750).

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::Problem;

/// The bearer token; nothing when there is no `Authorization`.
///
/// # Errors
/// 401 for another scheme, or for more than one.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (all.next(), all.next()) else {
        let is_absent = !headers.contains_key(header::AUTHORIZATION);
        return if is_absent { Ok(None) } else { Err(ambiguous()) };
    };
    let scheme_and_token = value.to_str().ok().and_then(|text| text.split_once(' '));
    // A scheme's name is read in either case (RFC 9110 section 11.1).
    match scheme_and_token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) {
        Some((_, token)) => Ok(Some(token.trim_matches(' '))),
        None => Err(refused("invalid_request", "Authorization must be: Bearer, a space, the token.")),
    }
}

/// No token at all: RFC 6750 names no error then.
pub(crate) fn required() -> Problem {
    let detail = "This server wants a bearer token: Authorization: Bearer …";
    Problem::new(StatusCode::UNAUTHORIZED, "authentication_required", detail)
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"fillstream\""))
}

/// More than one way at a time: the one that is passed over might be the one that was meant.
pub(crate) fn ambiguous() -> Problem {
    refused("invalid_request", "One Authorization header or one ticket must say who asks, not several.")
}

/// A token that does not hold. `why` is for people and goes into the header too: plain ASCII without quotes.
pub(crate) fn invalid_token(why: &str) -> Problem {
    refused("invalid_token", why)
}

fn refused(error: &'static str, why: &str) -> Problem {
    let problem = Problem::new(StatusCode::UNAUTHORIZED, error, why);
    let told = format!("Bearer realm=\"fillstream\", error=\"{error}\", error_description=\"{why}\"");
    let told =
        HeaderValue::try_from(told).unwrap_or(HeaderValue::from_static("Bearer error=\"invalid_token\""));
    problem.header(header::WWW_AUTHENTICATE, told)
}
