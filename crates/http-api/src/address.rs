//! The address at which a client finds its order's socket.

use axum::http::{HeaderMap, header};
use fillstream_domain::OrderId;

/// `ws://HOST/api/orders/status/ID`: the configured public address, else the host that the request named, else
/// `listen`; `wss` when a proxy says that it was asked over https.
pub(crate) fn socket_url(
    public_url: Option<&str>,
    listen: &str,
    headers: &HeaderMap,
    order: OrderId,
) -> String {
    let base = match public_url {
        Some(url) => url.trim_end_matches('/').replacen("http", "ws", 1),
        None => {
            // Each proxy of a chain appends its own word; the client spoke to the first.
            let first = |name: &str| headers.get(name)?.to_str().ok()?.split(',').next().map(str::trim);
            let secure = first("x-forwarded-proto").is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
            let hosts = [first("x-forwarded-host"), first(header::HOST.as_str())];
            let host = hosts.into_iter().flatten().find(|host| is_host(host)).unwrap_or(listen);
            format!("{}://{host}", if secure { "wss" } else { "ws" })
        }
    };
    format!("{base}/api/orders/status/{order}")
}

/// Only what can stand in a host with a port: the text goes into an answer.
fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_follows_the_request() {
        let order: OrderId = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e".parse().unwrap();
        for (public, headers, base) in [
            (None, &[("host", "localhost:3000")][..], "ws://localhost:3000"),
            (None, &[("host", "api.example"), ("x-forwarded-proto", "https")], "wss://api.example"),
            (None, &[("host", "a:1"), ("x-forwarded-proto", "https, http")], "wss://a:1"),
            (None, &[("host", "a:1"), ("x-forwarded-host", "b.example, a:1")], "ws://b.example"),
            (None, &[("host", "a:1"), ("x-forwarded-host", "<b>")], "ws://a:1"),
            (None, &[("host", "a b\"c")], "ws://[::1]:3007"),
            (None, &[], "ws://[::1]:3007"),
            (Some("https://desk.example/"), &[("host", "localhost")], "wss://desk.example"),
        ] {
            let headers: HeaderMap = headers
                .iter()
                .map(|(name, value)| (name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap()))
                .collect();
            assert_eq!(
                socket_url(public, "[::1]:3007", &headers, order),
                format!("{base}/api/orders/status/{order}")
            );
        }
    }
}
