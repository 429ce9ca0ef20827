//! Methods, paths, hosts and origins; what operators ask.

use fillstream_tests::http::{Answer, exchange, get, post, request};
use serde_json::Value;

use super::{EXECUTE, GOOD, NOBODY_S, assert_problem};
use crate::site::Site;

const ORDER: &str = "/api/orders/0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d03";

async fn ask(site: &Site, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    request(site.address(), method, path, headers, b"").await.expect("an answer")
}

#[tokio::test]
async fn methods_and_paths_that_nobody_serves_are_named() {
    let site = Site::up(&[]);
    let status = format!("/api/orders/status/{NOBODY_S}");
    for (method, path, allowed) in [
        ("PUT", EXECUTE, &["GET", "POST"][..]),
        ("DELETE", EXECUTE, &["GET", "POST"]),
        ("PATCH", EXECUTE, &["GET", "POST"]),
        ("POST", ORDER, &["GET"]),
        ("DELETE", ORDER, &["GET"]),
        ("POST", &status, &["GET"]),
        ("POST", "/health", &["GET"]),
        ("BREW", EXECUTE, &["GET", "POST"]),
    ] {
        let answer = ask(&site, method, path, &[]).await;
        assert_problem(&format!("{method} {path}"), &answer, 405, "method_not_allowed", &[]);
        let allow = answer.header("allow").unwrap_or_default();
        let named: Vec<_> = allow.split(',').map(str::trim).collect();
        assert!(allowed.iter().all(|method| named.contains(method)), "{method} {path}: {allow:?}");
        assert!(!named.contains(&method), "{method} {path}: {allow:?}");
    }
    for path in
        ["/nope", "/api", "/api/orders", "/api/orders/execute/", "/api/v2/orders", "/nope%ff", "//health"]
    {
        assert_problem(path, &ask(&site, "GET", path, &[]).await, 404, "not_found", &[]);
        assert_eq!(ask(&site, "POST", path, &[]).await.status, 404, "POST {path}");
    }
    let answer = ask(&site, "GET", EXECUTE, &[]).await;
    assert_problem("no upgrade", &answer, 426, "upgrade_required", &[]);
    assert_eq!(answer.header("upgrade"), Some("websocket"));
}

#[tokio::test]
async fn a_handshake_that_is_none_is_a_problem_too() {
    let site = Site::serve("api,bridge", &[]);
    let good = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for (left_out, status) in
        [("Connection", 400), ("Sec-WebSocket-Version", 426), ("Sec-WebSocket-Key", 400)]
    {
        let mut text = format!("GET /api/orders/status/{NOBODY_S} HTTP/1.1\r\nHost: localhost\r\n");
        for (name, value) in good.iter().filter(|(name, _)| *name != left_out) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        // Ends the connection once it is answered: a second request, refused, that asks for it.
        text.push_str("\r\nGET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let answer = exchange(site.address(), text.as_bytes()).await.expect("an answer");
        let length = answer.header("content-length").and_then(|text| text.parse().ok()).expect("a length");
        let answer = Answer { body: answer.body[..length].to_vec(), ..answer };
        assert_problem(left_out, &answer, status, "bad_handshake", &[]);
        let version = (left_out == "Sec-WebSocket-Version").then_some("13");
        assert_eq!(answer.header("sec-websocket-version"), version, "{left_out}");
    }
}

#[tokio::test]
async fn the_socket_s_address_follows_the_request() {
    let site = Site::serve("api", &[]);
    let named = Site::serve("api", &["--allow-host=api.example"]);
    let fixed = Site::serve("api", &["--public-url=https://orders.example/"]);
    let here = site.address().to_owned();
    for (site, headers, base) in [
        (&site, "Host: localhost:3000\r\n", "ws://localhost:3000"),
        (&site, "Host: [::1]:3000\r\n", "ws://[::1]:3000"),
        (&named, "Host: api.example\r\nX-Forwarded-Proto: https\r\n", "wss://api.example"),
        (&site, "Host: localhost\r\nX-Forwarded-Proto: https, http\r\n", "wss://localhost"),
        (&named, "Host: api.example\r\nX-Forwarded-Proto: http\r\n", "ws://api.example"),
        (&named, "Host: 10.0.0.7\r\nX-Forwarded-Host: api.example, lb\r\n", "ws://api.example"),
        (&site, "Host: 10.0.0.7\r\nX-Forwarded-Host: api.example, lb\r\n", "ws://10.0.0.7"),
        (&site, "", &format!("ws://{here}")),
        (&fixed, "Host: localhost\r\nX-Forwarded-Proto: http\r\n", "wss://orders.example"),
    ] {
        let request = format!(
            "POST {EXECUTE} HTTP/1.1\r\n{headers}Connection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{GOOD}",
            GOOD.len()
        );
        let answer = exchange(site.address(), request.as_bytes()).await.expect("an answer").json();
        let order = answer["orderId"].as_str().unwrap_or_default();
        assert_eq!(answer["wsUrl"], format!("{base}/api/orders/status/{order}"), "{headers:?}: {answer}");
    }
}

#[tokio::test]
async fn pages_may_call_from_where_they_are_allowed_to() {
    let own = Site::serve("api", &[]);
    let any = Site::serve("api", &["--allow-origin=*"]);
    let listed = Site::serve("api", &["--allow-origin=https://desk.example,http://localhost:5173"]);
    for (site, origin, allowed) in [
        (&own, "http://localhost:5173", Some("http://localhost:5173")),
        (&own, "https://anywhere.example", None),
        (&own, "null", None),
        (&any, "https://anywhere.example", Some("*")),
        (&any, "null", Some("*")),
        (&listed, "https://desk.example", Some("https://desk.example")),
        (&listed, "http://localhost:5173", Some("http://localhost:5173")),
        (&listed, "https://desk.example.evil", None),
        (&listed, "http://desk.example", None),
        (&listed, "null", None),
    ] {
        let preflight = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "content-type,idempotency-key,x-user-id"),
        ];
        let answer = ask(site, "OPTIONS", EXECUTE, &preflight).await;
        assert_eq!(answer.status, 200, "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), allowed, "preflight from {origin}");
        let list = |name| answer.header(name).unwrap_or_default().to_ascii_lowercase();
        assert!(list("access-control-allow-methods").contains("post"), "{origin}");
        for header in ["content-type", "idempotency-key", "x-user-id"] {
            assert!(list("access-control-allow-headers").contains(header), "{header} from {origin}");
        }
        for body in [GOOD, "{"] {
            let answer = post(site.address(), EXECUTE, &[("Origin", origin)], body).await;
            assert_eq!(answer.header("access-control-allow-origin"), allowed, "{body} from {origin}");
            let exposed = answer.header("access-control-expose-headers").unwrap_or_default();
            assert!(exposed.contains("location") && exposed.contains("idempotent-replayed"), "{exposed}");
        }
    }
}

#[tokio::test]
async fn operators_are_answered() {
    let site = Site::up(&[]);
    post(site.address(), EXECUTE, &[], GOOD).await;
    let health = get(site.address(), "/health").await;
    assert_eq!(health.status, 200);
    let health = health.json();
    assert_eq!(health["status"], "ok");
    assert_eq!(health["durability"], "fsync", "{health}");
    assert!(health["version"].is_string() && health["uptime_seconds"].is_u64(), "{health}");
    for count in ["connections", "subscriptions", "messages_sent"] {
        assert!(health["websocket"][count].is_u64(), "{count} of {health}");
    }
    let ready = get(site.address(), "/ready").await;
    assert_eq!(ready.status, 200, "{}", ready.json());
    for part in ["projector", "bridge"] {
        assert_eq!(ready.json()["parts"][part]["caught_up"], Value::Bool(true), "{part} of {}", ready.json());
    }
    let metrics = get(site.address(), "/metrics").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.header("content-type").is_some_and(|kind| kind.starts_with("text/plain; version=0.0.4")));
    let text = String::from_utf8(metrics.body).expect("text");
    let mut named = std::collections::BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and a type");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(named.insert(name.to_owned()), "{name} is declared twice");
        } else if !line.starts_with("# HELP ") {
            let (series, value) = line.rsplit_once(' ').expect("a series and a value");
            let name = series.split('{').next().unwrap_or_default();
            let family =
                ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            assert!(named.contains(name) || named.contains(family), "{line} has no TYPE");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    assert!(named.contains("fillstream_sockets"), "{text}");
}
