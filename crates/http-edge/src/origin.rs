//! From which web pages requests may come.

use axum::http::{HeaderMap, StatusCode, header};

use crate::Problem;

/// The origins that are allowed, for CORS and for sockets alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// Any: on loopback without authentication.
    Any,
    /// These, exactly as browsers send them (`https://desk.example`).
    Listed(Vec<String>),
}

impl Origins {
    /// Whether an origin may come in.
    #[must_use]
    pub fn allow(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(listed) => listed.iter().any(|allowed| allowed == origin),
        }
    }

    /// Checks an upgrade's `Origin`, when present: CORS does not cover sockets. A page that this server has served itself
    /// may always come back to it, as it may with requests of other kinds.
    ///
    /// # Errors
    /// 403 when the origin is not listed.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
        let own = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let allowed = |origin: &str| self.allow(origin) || own.is_some_and(|own| is_of(origin, own));
        if origin.to_str().is_ok_and(allowed) {
            return Ok(());
        }
        let detail =
            "Sockets from this origin are not allowed; the operator lists origins with --allow-origin.";
        Err(Problem::new(StatusCode::FORBIDDEN, "origin_not_allowed", detail))
    }
}

/// Whether a page of `origin` was served under this host and port.
fn is_of(origin: &str, host: &str) -> bool {
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_come_from_listed_pages_and_from_our_own() {
        let check = |origins: &Origins, origin: Option<&str>, expected: bool| {
            let mut headers = HeaderMap::from_iter([(header::HOST, "desk.example:3000".parse().unwrap())]);
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(origins.check(&headers).is_ok(), expected, "{origins:?} {origin:?}");
        };
        let listed = Origins::Listed(vec!["https://other.example".to_owned()]);
        check(&listed, None, true);
        check(&listed, Some("https://other.example"), true);
        check(&listed, Some("https://desk.example:3000"), true);
        check(&listed, Some("http://DESK.example:3000"), true);
        check(&listed, Some("https://desk.example"), false);
        check(&listed, Some("https://desk.example:3000.evil.example"), false);
        check(&listed, Some("null"), false);
        check(&Origins::Any, Some("https://anybody.example"), true);
    }
}
