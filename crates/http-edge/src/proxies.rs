//! Proxies that are believed about the client: what anybody else says of itself in `X-Forwarded-…` is dropped.

use std::{net::IpAddr, str::FromStr};

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::connection::canonical;

/// The client's address, behind any number of proxies.
pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The host that the client asked.
pub(crate) const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// Header that says how the client asked: http or https.
pub(crate) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The same in one header (RFC 7239), which nothing here reads.
const FORWARDED: HeaderName = HeaderName::from_static("forwarded");

/// An address or a network of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

/// Error of a text that names no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an address or a network, such as 10.0.0.7 or 10.0.0.0/8")]
pub struct NotANetwork;

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let address = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse::<IpNet>().or_else(|_| address()).map(Self).map_err(|_| NotANetwork)
    }
}

/// The proxies that are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proxies {
    /// Whoever is on this machine: nobody else can be believed unless the operator says so. About hosts it is believed
    /// only as far as the hosts are our own.
    Loopback,
    /// These.
    Listed(Vec<Network>),
}

impl Proxies {
    /// True when a peer is a proxy that is believed.
    #[must_use]
    pub fn trust(&self, peer: IpAddr) -> bool {
        let peer = canonical(peer);
        match self {
            Self::Loopback => peer.is_loopback(),
            Self::Listed(networks) => networks.iter().any(|Network(network)| network.contains(&peer)),
        }
    }

    /// The client's address: from the right, the first that is no proxy of ours. Who lists made-up ones to the left of its
    /// own gains nothing.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = canonical(peer);
        if !self.trust(peer) {
            return peer;
        }
        let mut client = peer;
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        for word in lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.rsplit(',')) {
            // What a proxy of ours has written is an address; anything else was there before.
            let Some(address) = address(word.trim()) else { break };
            client = address;
            if !self.trust(client) {
                break;
            }
        }
        client
    }

    /// Drops what nobody vouches for.
    pub(crate) fn strip(&self, peer: IpAddr, headers: &mut HeaderMap, is_own_host: impl Fn(&str) -> bool) {
        headers.remove(FORWARDED);
        if !self.trust(peer) {
            headers.remove(FORWARDED_FOR);
            headers.remove(FORWARDED_HOST);
            headers.remove(FORWARDED_PROTO);
            return;
        }
        if *self == Self::Loopback {
            let host = headers.get(FORWARDED_HOST).and_then(|host| host.to_str().ok());
            let first = host.and_then(|host| host.split(',').next()).map(str::trim);
            if !first.is_some_and(is_own_host) {
                headers.remove(FORWARDED_HOST);
            }
        }
    }
}

/// An address as proxies write it, some with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.split(']').next()).unwrap_or(text);
    let bare = bare.parse().ok().or_else(|| Some(text.parse::<std::net::SocketAddr>().ok()?.ip()));
    bare.map(canonical)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(networks: &[&str]) -> Proxies {
        Proxies::Listed(networks.iter().map(|network| network.parse().unwrap()).collect())
    }

    #[test]
    fn the_client_is_the_first_from_the_right_that_is_no_proxy() {
        for (proxies, peer, forwarded, client) in [
            (Proxies::Loopback, "127.0.0.1", &[][..], "127.0.0.1"),
            (Proxies::Loopback, "127.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            (Proxies::Loopback, "::ffff:127.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            (Proxies::Loopback, "203.0.113.9", &["198.51.100.1"], "203.0.113.9"),
            (listed(&[]), "127.0.0.1", &["198.51.100.1"], "127.0.0.1"),
            (listed(&["10.0.0.0/8"]), "10.0.0.1", &["1.2.3.4, 198.51.100.1, 10.9.9.9"], "198.51.100.1"),
            (listed(&["10.0.0.0/8"]), "10.0.0.1", &["1.2.3.4", "198.51.100.1"], "198.51.100.1"),
            (listed(&["10.0.0.0/8"]), "10.0.0.1", &["198.51.100.1:5000"], "198.51.100.1"),
            (listed(&["10.0.0.0/8"]), "10.0.0.1", &["[2001:db8::1]:5000"], "2001:db8::1"),
            (listed(&["10.0.0.0/8"]), "10.0.0.1", &["made up"], "10.0.0.1"),
            (listed(&["10.0.0.0/8"]), "10.0.0.1", &["10.0.0.2"], "10.0.0.2"),
            (listed(&["192.0.2.7"]), "192.0.2.7", &["198.51.100.1"], "198.51.100.1"),
            (listed(&["192.0.2.7"]), "192.0.2.8", &["198.51.100.1"], "192.0.2.8"),
        ] {
            let headers =
                forwarded.iter().map(|value| (FORWARDED_FOR, value.parse().unwrap())).collect::<HeaderMap>();
            let found = proxies.client(peer.parse().unwrap(), &headers);
            assert_eq!(found, client.parse::<IpAddr>().unwrap(), "{proxies:?} {peer} {forwarded:?}");
        }
        for text in ["", "10.0.0", "10.0.0.0/33", "desk.example"] {
            assert_eq!(text.parse::<Network>(), Err(NotANetwork), "{text:?}");
        }
    }

    #[test]
    fn what_a_stranger_says_of_itself_is_dropped() {
        for (proxies, peer, host, kept) in [
            (Proxies::Loopback, "127.0.0.1", "own.example", [true, true, true]),
            (Proxies::Loopback, "127.0.0.1", "evil.example", [true, false, true]),
            (Proxies::Loopback, "203.0.113.9", "own.example", [false; 3]),
            (listed(&["127.0.0.1"]), "127.0.0.1", "any.example", [true, true, true]),
            (listed(&["192.0.2.7"]), "127.0.0.1", "own.example", [false; 3]),
        ] {
            let mut headers = HeaderMap::from_iter([
                (FORWARDED_FOR, "198.51.100.1".parse().unwrap()),
                (FORWARDED_HOST, host.parse().unwrap()),
                (FORWARDED_PROTO, "https".parse().unwrap()),
                (FORWARDED, "for=198.51.100.1".parse().unwrap()),
            ]);
            proxies.strip(peer.parse().unwrap(), &mut headers, |host| host == "own.example");
            let found =
                [FORWARDED_FOR, FORWARDED_HOST, FORWARDED_PROTO].map(|name| headers.contains_key(name));
            assert_eq!(found, kept, "{proxies:?} {peer} {host}");
            assert!(!headers.contains_key(FORWARDED));
        }
    }
}
