//! `/ready` for one role, and at an address of its own.

use fillstream_tests::{
    free_port,
    http::{get, request},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Duration, Instant, sleep, timeout},
};

use super::until;
use crate::site::Site;

#[tokio::test]
async fn each_role_is_judged_alone() {
    // Nobody matches: the api and the bridge are well all the same.
    let site = Site::serve("api,bridge,projector", &[]);
    for role in ["api", "bridge", "projector"] {
        let ready = until(&site, &format!("/ready?role={role}"), "ready", |ready| ready.status == 200).await;
        let body = ready.json();
        assert_eq!(body["status"], "ready", "{body}");
        let parts: Vec<_> = body["parts"].as_object().expect("parts").keys().cloned().collect();
        assert_eq!(parts, [role], "{body}");
        let part = &body["parts"][role];
        assert_eq!(part["caught_up"], true, "{body}");
        assert!(part["lag_seconds"].is_number() && part["position"].is_u64(), "{body}");
        assert!(part["reason"].is_null(), "{body}");
    }
    for role in ["matcher", "executor"] {
        let answer = get(site.address(), &format!("/ready?role={role}")).await;
        let (status, body) = (answer.status, answer.json());
        assert_eq!(status, 503, "{body}");
        let reason = body["parts"][role]["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("does not run"), "{body}");
    }
    for query in ["role=cook", "role=", "role=api&role=bridge"] {
        let answer = get(site.address(), &format!("/ready?{query}")).await;
        let body: Value = answer.json();
        assert_eq!((answer.status, &body["errors"][0]["pointer"]), (400, &"query:role".into()), "{body}");
    }
}

#[tokio::test]
async fn details_are_told_at_an_address_of_their_own_when_there_is_one() {
    let port = free_port();
    let site = Site::serve("api,projector", &[&format!("--operations-listen=127.0.0.1:{port}")]);
    until(&site, "/ready", "ready", |ready| ready.status == 200).await;
    let body = get(site.address(), "/ready").await.json();
    assert_eq!(body["parts"], serde_json::json!({}), "{body}");
    assert!(body["room"].is_null(), "{body}");
    assert_eq!(get(site.address(), "/metrics").await.status, 404);
    let operations = format!("127.0.0.1:{port}");
    assert!(get(&operations, "/ready").await.json()["parts"]["projector"].is_object());
    let metrics = get(&operations, "/metrics").await;
    assert!(String::from_utf8_lossy(&metrics.body).contains("fillstream_ready{role=\"api\"} 1"));
}

#[tokio::test]
async fn the_operators_address_has_its_times_and_its_limits_too() {
    let port = free_port();
    let operations = format!("127.0.0.1:{port}");
    let listen = format!("--operations-listen={operations}");
    let _site = Site::serve("api,projector", &[&listen, "--header-timeout=2s"]);
    // Half a request on each of more connections than there are places.
    let mut halves = Vec::new();
    for _ in 0..64 + 64 + 10 {
        let mut half = TcpStream::connect(&operations).await.expect("it is accepted");
        half.write_all(b"GET /metrics HTTP/1.1\r\nX-").await.ok();
        halves.push(half);
    }
    let mut said = [0; 3];
    for half in &mut halves {
        let mut bytes = Vec::new();
        let read = timeout(Duration::from_secs(20), half.read_to_end(&mut bytes)).await.expect("it is ended");
        said[match (read.is_ok(), bytes.starts_with(b"HTTP/1.1 408 ")) {
            (true, true) => 0,
            (true, false) => 1,
            (false, _) => 2,
        }] += 1;
    }
    assert!(said[0] >= 64 && said[0] <= 64 + 8, "those with a place are told: {said:?}");
    drop(halves);
    let until = Instant::now() + Duration::from_secs(20);
    while request(&operations, "GET", "/metrics", &[], b"").await.is_none_or(|answer| answer.status != 200) {
        assert!(Instant::now() < until, "there is no place though all have gone");
        sleep(Duration::from_millis(50)).await;
    }
}
