//! From which web pages requests may come.

use std::net::IpAddr;

use axum::http::{HeaderMap, Method, StatusCode, header};

use crate::Problem;

/// The origins that are allowed, for CORS, for sockets and for whatever changes something alike. A page that this server
/// has served itself may always come back to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// Any, `null` included, which frames of any site can send.
    Any,
    /// Pages of this machine, on any port, and these.
    Loopback(Vec<String>),
    /// These, exactly as browsers send them (`https://desk.example`).
    Listed(Vec<String>),
}

impl Origins {
    /// True when a page of this origin may come in that asks under the name `host`, with its port.
    #[must_use]
    pub fn allow(&self, origin: &str, host: Option<&str>) -> bool {
        let is_listed = |listed: &[String]| listed.iter().any(|allowed| allowed == origin);
        let named = match self {
            Self::Any => true,
            Self::Loopback(listed) => is_listed(listed) || is_loopback(origin),
            Self::Listed(listed) => is_listed(listed),
        };
        named || host.is_some_and(|own| is_of(origin, own))
    }

    /// Checks an upgrade's `Origin`, when present: CORS does not cover sockets.
    ///
    /// # Errors
    /// 403 when the origin is not allowed.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let allowed = |origin: &str| self.allow(origin, host);
        if headers.get_all(header::ORIGIN).iter().all(|origin| origin.to_str().is_ok_and(allowed)) {
            return Ok(());
        }
        let detail = "Pages of this origin are not allowed; the operator lists origins with --allow-origin.";
        Err(Problem::new(StatusCode::FORBIDDEN, "origin_not_allowed", detail)
            .field("header:Origin", "must be an origin that is allowed, or absent"))
    }

    /// Checks the `Origin` of a request that may change something: a browser sends some of them without asking first, and
    /// only keeps the answer to itself.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn check_unsafe(&self, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        if method.is_safe() { Ok(()) } else { self.check(headers) }
    }
}

/// True when a page of `origin` was served under this host and port.
fn is_of(origin: &str, host: &str) -> bool {
    authority(origin).is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

fn authority(origin: &str) -> Option<&str> {
    origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"))
}

/// True when a page of `origin` comes from this machine, whatever its port.
fn is_loopback(origin: &str) -> bool {
    let Some(authority) = authority(origin) else { return false };
    let name = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => authority.split(':').next(),
    };
    name.is_some_and(|name| {
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(origins: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::from_iter([(header::HOST, "desk.example:3000".parse().unwrap())]);
        for origin in origins {
            headers.append(header::ORIGIN, origin.parse().unwrap());
        }
        headers
    }

    #[test]
    fn pages_come_from_listed_origins_and_from_our_own() {
        let listed = vec!["https://other.example".to_owned()];
        let check = |origin: &str, expected: [bool; 3]| {
            let all = [Origins::Listed(listed.clone()), Origins::Loopback(listed.clone()), Origins::Any];
            for (origins, expected) in all.iter().zip(expected) {
                let found = origins.check(&headers(&[origin])).is_ok();
                assert_eq!(found, expected, "{origins:?} {origin:?}");
                assert_eq!(origins.check_unsafe(&Method::POST, &headers(&[origin])).is_ok(), expected);
                assert!(origins.check_unsafe(&Method::GET, &headers(&[origin])).is_ok());
            }
        };
        check("https://other.example", [true; 3]);
        check("https://desk.example:3000", [true; 3]);
        check("http://DESK.example:3000", [true; 3]);
        check("https://desk.example", [false, false, true]);
        check("https://desk.example:3000.evil.example", [false, false, true]);
        check("http://localhost:5173", [false, true, true]);
        check("https://127.0.0.1", [false, true, true]);
        check("http://[::1]:5173", [false, true, true]);
        check("http://localhost.evil.example", [false, false, true]);
        check("http://127.0.0.1.evil.example", [false, false, true]);
        check("null", [false, false, true]);
        check("file://", [false, false, true]);
        check("", [false, false, true]);
    }

    #[test]
    fn programs_name_no_origin_and_nobody_hides_behind_a_second_one() {
        for origins in [Origins::Listed(Vec::new()), Origins::Loopback(Vec::new()), Origins::Any] {
            assert!(origins.check(&headers(&[])).is_ok(), "{origins:?}");
        }
        let two = headers(&["https://desk.example:3000", "https://evil.example"]);
        assert!(Origins::Loopback(Vec::new()).check(&two).is_err());
    }
}
