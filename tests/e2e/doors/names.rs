//! Requests under a name that is not ours, and from pages that are not ours.

use fillstream_tests::{
    http::{exchange, get, request},
    socket::Client,
};
use serde_json::json;

use super::code;
use crate::site::Site;

const ORDER: &str = r#"{"tokenIn":"SOL","tokenOut":"USDC","amount":1}"#;
const EXECUTE: &str = "/api/orders/execute";

/// The status and the code of a request with this host and these headers.
async fn ask(site: &Site, method: &str, path: &str, host: &str, headers: &str) -> (u16, String) {
    let body = if method == "POST" { ORDER } else { "" };
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}Connection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    code(&exchange(site.address(), text.as_bytes()).await.expect("an answer"))
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_name_was_pointed_here_gets_nothing() {
    let site = Site::up(&["--allow-origin=https://desk.example", "--allow-host=orders.example"]);
    let rebound = "Origin: http://evil.example:26000\r\n";
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (method, path, more) in [
        ("POST", EXECUTE, ""),
        ("GET", "/api/log", ""),
        ("GET", "/api/v1/markets", ""),
        ("GET", "/", ""),
        ("GET", "/nowhere", ""),
        ("GET", "/ws/trades", upgrade),
        ("DELETE", "/api/v1/orders/0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e", ""),
    ] {
        for host in ["evil.example:26000", "localhost.evil.example", "desk.example.evil.example"] {
            for origin in ["", rebound] {
                let found = ask(&site, method, path, host, &format!("{origin}{more}")).await;
                assert_eq!(found, refused(421, "foreign_host"), "{method} {path} {host} {origin:?}");
            }
        }
    }
    for host in ["localhost", "127.0.0.1:1", "[::1]:3000", "10.0.0.7", "desk.example", "Orders.Example:443"] {
        assert_eq!(ask(&site, "POST", EXECUTE, host, "").await.0, 201, "{host}");
    }
    // Load balancers and scrapers have names of their own for it.
    for path in ["/health", "/ready", "/metrics"] {
        assert_eq!(ask(&site, "GET", path, "fillstream-7", "").await.0, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_others_change_nothing_and_hear_nothing() {
    let site = Site::up(&["--allow-origin=https://desk.example"]);
    let own = site.address().to_owned();
    for (origin, allowed) in [
        (format!("http://{own}"), true),
        ("http://localhost:5173".to_owned(), true),
        ("http://127.0.0.1".to_owned(), true),
        ("https://desk.example".to_owned(), true),
        ("https://evil.example".to_owned(), false),
        ("http://localhost.evil.example".to_owned(), false),
        ("null".to_owned(), false),
    ] {
        let headers = [("Origin", origin.as_str()), ("Content-Type", "application/json")];
        let answer = request(&own, "POST", EXECUTE, &headers, ORDER.as_bytes()).await.expect("an answer");
        let expected = if allowed { refused(201, "") } else { refused(403, "origin_not_allowed") };
        assert_eq!(code(&answer), expected, "{origin}");
        let may_read = answer.header("access-control-allow-origin");
        assert_eq!(may_read, allowed.then_some(origin.as_str()), "{origin}");
        let opened = Client::open_with(&own, "/ws/trades", &[("origin", origin.as_str())]).await;
        assert_eq!(opened.err(), if allowed { None } else { Some(403) }, "{origin}");
    }
    // What does not come from a page names none.
    let answer =
        request(&own, "POST", EXECUTE, &[("Content-Type", "application/json")], ORDER.as_bytes()).await;
    assert_eq!(answer.expect("an answer").status, 201);
    let any = Site::up(&["--allow-origin=*"]);
    for origin in ["https://evil.example", "null"] {
        let headers = [("Origin", origin), ("Content-Type", "application/json")];
        let answer = request(any.address(), "POST", EXECUTE, &headers, ORDER.as_bytes()).await;
        let answer = answer.expect("an answer");
        assert_eq!(
            (answer.status, answer.header("access-control-allow-origin")),
            (201, Some("*")),
            "{origin}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_proxy_says_is_believed_as_far_as_the_operator_says() {
    let here = Site::serve("api", &[]);
    let listed = Site::serve("api", &["--trusted-proxy=127.0.0.0/8"]);
    let elsewhere = Site::serve("api", &["--trusted-proxy=192.0.2.1,2001:db8::/32"]);
    let said = "X-Forwarded-Proto: https\r\nX-Forwarded-Host: api.example\r\n";
    for (site, base) in
        [(&here, "wss://10.0.0.7"), (&listed, "wss://api.example"), (&elsewhere, "ws://10.0.0.7")]
    {
        let text = format!(
            "POST {EXECUTE} HTTP/1.1\r\nHost: 10.0.0.7\r\n{said}Connection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{ORDER}",
            ORDER.len()
        );
        let answer = exchange(site.address(), text.as_bytes()).await.expect("an answer").json();
        let order = answer["orderId"].as_str().unwrap_or_default();
        assert_eq!(answer["wsUrl"], json!(format!("{base}/api/orders/status/{order}")), "{answer}");
    }
    assert_eq!(get(here.address(), "/health").await.status, 200);
}
