//! Clients that begin something and do not go on.

use std::{fs, time::Duration};

use fillstream_tests::{http::get, process::raise_open_files};
use tokio::time::{Instant, sleep};

use super::{answer, sent, to_the_end};
use crate::site::Site;

const TIMES: [&str; 3] = ["--header-timeout=1s", "--body-timeout=1s", "--idle-timeout=1s"];

fn descriptors(site: &Site) -> usize {
    fs::read_dir(format!("/proc/{}/fd", site.process.pid())).expect("it lives").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_request_is_not_waited_for() {
    let site = Site::serve("api", &TIMES);
    let address = site.address();
    let head = "POST /api/orders/execute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    for (case, bytes, answered) in [
        ("silent", String::new(), ""),
        ("half a head", "GET /health HTTP/1.1\r\nHost: loc".to_owned(), "HTTP/1.1 408 "),
        ("half a body", format!("{head}Content-Length: 100\r\n\r\n{{"), "HTTP/1.1 408 "),
        ("half a chunk", format!("{head}Transfer-Encoding: chunked\r\n\r\n64\r\n{{"), "HTTP/1.1 408 "),
    ] {
        let mut stream = sent(address, bytes.as_bytes()).await;
        let heard = to_the_end(&mut stream).await;
        let heard = heard.unwrap_or_else(|error| panic!("{case}: {error}"));
        assert!(heard.starts_with(answered) && heard.is_empty() == answered.is_empty(), "{case}: {heard}");
        if !answered.is_empty() {
            assert!(
                heard.contains("request_timeout") && heard.contains("application/problem+json"),
                "{case}: {heard}"
            );
            assert!(heard.to_ascii_lowercase().contains("connection: close"), "{case}: {heard}");
        }
    }
    // One that only idles between two requests is let go of without a word, and not before its time.
    let mut stream = sent(address, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(answer(&mut stream).await.expect("an answer").starts_with("HTTP/1.1 200 "));
    let since = Instant::now();
    assert_eq!(to_the_end(&mut stream).await.as_deref(), Ok(""));
    assert!(since.elapsed() > Duration::from_millis(900), "closed after {:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_half_requests_go_and_others_are_served_meanwhile() {
    raise_open_files(20_000);
    let site = Site::serve("api", &["--header-timeout=3s"]);
    let before = descriptors(&site);
    let mut halves = Vec::new();
    for _ in 0..2000 {
        halves
            .push(sent(site.address(), b"POST /api/orders/execute HTTP/1.1\r\nHost: localhost\r\nX-").await);
    }
    let since = Instant::now();
    assert_eq!(get(site.address(), "/health").await.status, 200);
    assert!(since.elapsed() < Duration::from_secs(2), "another client waited for {:?}", since.elapsed());
    assert!(descriptors(&site) > before + 1000, "they are held");
    for half in &mut halves {
        let heard = to_the_end(half).await;
        assert!(heard.as_ref().is_ok_and(|heard| heard.starts_with("HTTP/1.1 408 ")), "{heard:?}");
    }
    drop(halves);
    let deadline = Instant::now() + super::PATIENCE;
    while descriptors(&site) > before + 10 {
        assert!(Instant::now() < deadline, "{} of them are kept, there were {before}", descriptors(&site));
        sleep(Duration::from_millis(20)).await;
    }
}
