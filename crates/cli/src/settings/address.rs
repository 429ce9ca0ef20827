//! Addresses as people write them.

use std::net::SocketAddr;

use axum::http::Uri;
use fillstream_event_log::host_and_port;

/// Reads an address to listen on.
pub(crate) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "must be an IP address and a port, such as 127.0.0.1:3000 or [::1]:3000".to_owned())
}

/// Reads the public address: where it begins is all that is told of it.
pub(crate) fn public_url(text: &str) -> Result<String, String> {
    let uri = text.parse::<Uri>().ok().filter(|uri| uri.query().is_none());
    match uri.as_ref().and_then(Uri::scheme_str) {
        Some("http" | "https") => Ok(text.to_owned()),
        Some(_) | None => Err("must be such as https://orders.example".to_owned()),
    }
}

/// Any origin.
pub(crate) const ANY_ORIGIN: &str = "*";

/// Reads an origin: it is compared with what browsers send, byte by byte. [`ANY_ORIGIN`] stands for all of them.
pub(crate) fn origin(text: &str) -> Result<String, String> {
    if text == ANY_ORIGIN {
        return Ok(text.to_owned());
    }
    let whole = |uri: Uri| Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?.as_str()));
    let as_sent = text.parse().ok().and_then(whole).filter(|whole| whole == &text.to_ascii_lowercase());
    as_sent.filter(|whole| whole == text && !text.contains('@')).ok_or_else(|| {
        "must be scheme and host as browsers send them, in lower case and without a path: https://desk.example; or * for any"
            .to_owned()
    })
}

/// Reads a host's name, as requests are addressed to it.
pub(crate) fn host(text: &str) -> Result<String, String> {
    let is_name =
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    if is_name {
        Ok(text.to_owned())
    } else {
        Err("must be a name without scheme and port: orders.example".to_owned())
    }
}

/// The host of an address or an origin, without its port.
pub(crate) fn host_of(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    uri.host().map(str::to_owned)
}

/// The origin of pages that are served at an address.
pub(crate) fn origin_of(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?).to_ascii_lowercase())
}

/// The first of several NATS addresses that has the scheme of something else: it would be waited for in vain.
pub(crate) fn foreign_scheme(nats_urls: &str) -> Option<&str> {
    let mut urls = nats_urls.split(',').map(str::trim);
    urls.find(|url| url.split_once("://").is_some_and(|(scheme, _)| !["nats", "tls"].contains(&scheme)))
}

/// True when a NATS address is one that this machine alone reaches.
pub(crate) fn is_loopback(nats_url: &str) -> bool {
    let host = host_and_port(nats_url);
    let host = match host.strip_prefix('[') {
        Some(ipv6) => ipv6.split(']').next(),
        None => host.split(':').next(),
    };
    host.is_some_and(|host| {
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_would_never_do_are_refused() {
        for (text, is_origin, is_url) in [
            ("https://desk.example", true, true),
            ("http://localhost:5173", true, true),
            ("http://[::1]:5173", true, true),
            ("https://desk.example/", false, true),
            ("https://desk.example/orders", false, true),
            ("https://Desk.example", false, true),
            ("chrome-extension://abcdef", true, false),
            ("https://desk.example?x", false, false),
            ("https://", false, false),
            ("desk.example", false, false),
            ("*", true, false),
            ("null", false, false),
            ("", false, false),
        ] {
            assert_eq!(origin(text).is_ok(), is_origin, "{text:?} as an origin");
            assert_eq!(public_url(text).is_ok(), is_url, "{text:?} as a public address");
        }
    }

    #[test]
    fn schemes_of_other_servers_are_found() {
        for (urls, found) in [
            ("nats://127.0.0.1:4222, tls://a:4222,b:4222,", None),
            ("127.0.0.1", None),
            ("nats://a,http://b:80", Some("http://b:80")),
        ] {
            assert_eq!(foreign_scheme(urls), found, "{urls}");
        }
    }

    #[test]
    fn what_others_reach_is_told_apart() {
        for (url, alone) in [
            ("nats://127.0.0.1:4222", true),
            ("127.0.0.9", true),
            ("nats://me:secret@localhost:4222", true),
            ("nats://[::1]:4222", true),
            ("nats://10.0.0.5:4222", false),
            ("nats://127.0.0.1@nats.example:4222", false),
            ("localhost.example:4222", false),
            ("", false),
        ] {
            assert_eq!(is_loopback(url), alone, "{url:?}");
        }
    }
}
