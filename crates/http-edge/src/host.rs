//! Names that a request may be addressed to. A page of a foreign site whose name was pointed at this machine (DNS
//! rebinding) is of one origin with what answers there, so that no rule of origins stops it: its `Host` gives it away.

use std::net::IpAddr;

use axum::http::{HeaderMap, StatusCode, Uri, header};

use crate::Problem;

/// The names under which this server is asked, besides addresses and names of this machine alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hosts(Vec<String>);

impl Hosts {
    /// These, without ports: those of the public address, of listed origins, and what the operator adds.
    #[must_use]
    pub fn named(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    /// True when a host, with or without a port, is one of ours. Addresses always are: no foreign site is called so.
    #[must_use]
    pub fn allow(&self, host: &str) -> bool {
        let Some(name) = name_of(host) else { return false };
        let name = name.to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        name == "localhost"
            // RFC 6761 section 6.3: nobody can point these elsewhere.
            || name.ends_with(".localhost")
            || name.parse::<IpAddr>().is_ok()
            || self.0.iter().any(|own| own == name)
    }

    /// Checks where a request is addressed to. One that names no host passes: no browser sends such.
    ///
    /// # Errors
    /// 421 for a foreign name, also beside one of ours.
    pub fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let in_uri = uri.authority().map(|authority| Ok(authority.as_str()));
        let in_headers = headers.get_all(header::HOST).iter().map(|host| host.to_str().map_err(|_| ()));
        let mut named = in_uri.into_iter().chain(in_headers);
        if named.all(|host| host.is_ok_and(|host| self.allow(host))) {
            return Ok(());
        }
        let detail = "This server is not asked under that name; the operator adds names with --allow-host or \
                      --public-url.";
        let problem = Problem::new(StatusCode::MISDIRECTED_REQUEST, "foreign_host", detail);
        Err(problem.field("header:Host", "must be this server's own name, an address, or localhost"))
    }
}

/// The name without its port; an IPv6 address without its brackets.
fn name_of(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => match host.split_once(':') {
            Some((name, port)) => (name, port),
            None => (host, ""),
        },
    };
    let port = port.strip_prefix(':').unwrap_or(port);
    (!name.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_are_told_apart() {
        let hosts = Hosts::named(["Desk.example".to_owned()]);
        for (host, own) in [
            ("localhost", true),
            ("LOCALHOST:3000", true),
            ("localhost.", true),
            ("app.localhost:3000", true),
            ("127.0.0.1:3000", true),
            ("10.0.0.7", true),
            ("[::1]:3000", true),
            ("[::1]", true),
            ("desk.example:3000", true),
            ("DESK.EXAMPLE.", true),
            ("evil.example:26000", false),
            ("desk.example.evil.example", false),
            ("evil-desk.example", false),
            ("localhost.evil.example", false),
            ("notlocalhost", false),
            ("127.0.0.1.evil.example", false),
            ("localhost@evil.example", false),
            ("localhost:x", false),
            ("[::1", false),
            ("<script>", false),
            ("", false),
            (":3000", false),
        ] {
            assert_eq!(hosts.allow(host), own, "{host:?}");
        }
    }

    #[test]
    fn every_name_of_a_request_is_looked_at() {
        for (uri, headers, passes) in [
            ("/", &[][..], true),
            ("/", &["localhost"], true),
            ("/", &["evil.example"], false),
            ("/", &["localhost", "evil.example"], false),
            ("http://evil.example/", &["localhost"], false),
            ("http://localhost/", &["localhost"], true),
        ] {
            let headers: HeaderMap =
                headers.iter().map(|host| (header::HOST, host.parse().unwrap())).collect();
            let checked = Hosts::default().check(&uri.parse().unwrap(), &headers);
            assert_eq!(
                checked.map_err(|problem| problem.code()),
                if passes { Ok(()) } else { Err("foreign_host") }
            );
        }
    }
}
