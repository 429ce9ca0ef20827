//! More clients than there is room for.

use fillstream_tests::http::{get, request};
use tokio::time::{Duration, Instant, sleep};

use super::{PATIENCE, code, sent};
use crate::site::Site;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_still_answers_its_operators_and_says_so_to_others() {
    let site = Site::serve("api", &["--max-connections=64", "--header-timeout=30s"]);
    let mut crowd = Vec::new();
    for _ in 0..64 {
        crowd.push(sent(site.address(), b"GET / HTTP/1.1\r\nX-").await);
    }
    for path in ["/health", "/metrics"] {
        assert_eq!(get(site.address(), path).await.status, 200, "{path}");
    }
    let full = get(site.address(), "/api/v1/markets").await;
    assert_eq!(code(&full), (503, "too_many_connections".to_owned()));
    assert_eq!(full.header("retry-after"), Some("1"));
    drop(crowd);
    let deadline = Instant::now() + PATIENCE;
    while get(site.address(), "/api/v1/markets").await.status != 200 {
        assert!(Instant::now() < deadline, "there is no room though all have gone");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_the_connections_that_it_may_have() {
    let limits = ["--connections-per-address=8", "--trusted-proxy=192.0.2.1", "--header-timeout=30s"];
    let site = Site::serve("api", &limits);
    let mut crowd = Vec::new();
    for _ in 0..8 {
        crowd.push(sent(site.address(), b"GET / HTTP/1.1\r\nX-").await);
    }
    assert_eq!(code(&get(site.address(), "/api/v1/markets").await), (429, "rate_limited".to_owned()));
    drop(crowd);
    let deadline = Instant::now() + PATIENCE;
    while get(site.address(), "/api/v1/markets").await.status != 200 {
        assert!(Instant::now() < deadline, "there is no room though all have gone");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_the_rate_are_refused_and_say_when_to_come_back() {
    let limits = ["--requests-per-address=2", "--trusted-proxy=127.0.0.1"];
    let site = Site::serve("api", &limits);
    let from = |address: &'static str| {
        let here = site.address().to_owned();
        async move {
            request(&here, "GET", "/api/v1/markets", &[("X-Forwarded-For", address)], b"")
                .await
                .expect("an answer")
        }
    };
    let first = from("198.51.100.1").await;
    assert_eq!(first.status, 200);
    assert_eq!(first.header("ratelimit-policy"), Some("\"address\";q=20;w=10"));
    let mut refused = first;
    for _ in 0..60 {
        refused = from("198.51.100.1").await;
        if refused.status != 200 {
            break;
        }
    }
    assert_eq!(code(&refused), (429, "rate_limited".to_owned()));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.header("ratelimit"), Some("\"address\";r=0;t=1"));
    assert_eq!(from("198.51.100.2").await.status, 200, "another address");
}
