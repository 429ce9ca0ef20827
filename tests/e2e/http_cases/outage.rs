//! The stream goes away under a running server, and comes back.

use std::time::{Duration, Instant};

use fillstream_tests::{
    http::{Answer, get, place, post},
    socket::{Client, Heard},
    stream,
};
use serde_json::Value;
use tokio::{join, time::sleep};

use super::{EXECUTE, GOOD, NOBODY_S, assert_problem};
use crate::site::Site;

/// An append is pursued for 10 s before its writer is told that nothing is known.
const REFUSED_WITHIN: Duration = Duration::from_secs(12);
/// Nobody waits for a stream that is known to be away.
const READ_WITHIN: Duration = Duration::from_secs(2);
/// What cannot be decided within 2 s is said to be undecided; a busy machine needs more.
const UNDECIDED_WITHIN: Duration = Duration::from_secs(5);
/// Longer than any outage here is told late.
const PATIENCE: Duration = Duration::from_secs(10);

async fn keyed(site: &Site, key: &str) -> Answer {
    post(site.address(), EXECUTE, &[("Idempotency-Key", key)], GOOD).await
}

/// Asks until the answer is as wanted.
async fn until(site: &Site, path: &str, is: impl Fn(&Answer) -> bool) -> Answer {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = get(site.address(), path).await;
        if is(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "{path} is still {}", String::from_utf8_lossy(&answer.body));
        sleep(Duration::from_millis(20)).await;
    }
}

/// Reads what a socket on an order begins with.
async fn watch(site: &Site, path: &str, greeting: &[&str]) -> Client {
    let mut client = Client::open(site.address(), path).await.expect("the socket opens");
    for kind in greeting {
        assert_eq!(client.message().await["type"], *kind, "{path}");
    }
    client
}

#[tokio::test]
async fn the_stream_goes_away_and_comes_back() {
    let site = Site::serve("api,projector,bridge", &[]);
    let nats = site.nats.as_ref().expect("a nats-server of our own");
    let order = place(site.address(), "SOL", "USDC").await;
    let path = format!("/api/orders/{order}");
    let before = get(site.address(), &path).await.json();
    let (on_a, on_b) = (format!("/api/orders/status/{order}"), format!("{EXECUTE}?orderId={order}"));
    let mut watching = [
        watch(&site, &on_a, &["connection", "subscribed", "backfill"]).await,
        watch(&site, &on_b, &["backfill"]).await,
    ];
    until(&site, "/ready", |ready| ready.json()["parts"]["projector"]["position"].as_u64() >= Some(1)).await;

    let lost = Instant::now();
    nats.kill_and_hold();
    let (.., told_after) = join!(
        placing_is_refused_in_time(&site),
        orders_are_read_from_the_store(&site, &path, &before),
        operators_are_told(&site),
        newcomers_are_told_why(&site, &on_a, &["connection", "subscribed"]),
        newcomers_are_told_why(&site, &on_b, &[]),
        async {
            watchers_are_told(&mut watching, &before).await;
            lost.elapsed()
        },
    );
    assert!(
        told_after >= Duration::from_secs(2),
        "told after {told_after:?}, of an outage that might be none"
    );

    let (waiting, ()) = join!(keyed(&site, "waits"), async {
        sleep(Duration::from_millis(300)).await;
        nats.resume().expect("nats-server comes back");
    });
    assert_eq!(waiting.status, 201, "a request that waits is answered when the stream is back");
    watchers_are_told(&mut watching, &before).await;
    until(&site, "/ready", |ready| ready.status == 200).await;
    let first = keyed(&site, "lost").await;
    assert_eq!(first.status, 201, "{}", String::from_utf8_lossy(&first.body));
    assert_eq!(keyed(&site, "lost").await.body, first.body);
    assert_eq!(keyed(&site, "waits").await.body, waiting.body);
    assert_eq!(get(site.address(), &path).await.json(), before);
    assert_eq!(stream::fold(&stream::all(&site.log().await).await).len(), 3, "one order for each key");
}

/// One status message each, at the position where the order stands; on family A with that family's fields.
async fn watchers_are_told(watching: &mut [Client; 2], before: &Value) {
    for (client, on_a) in watching.iter_mut().zip([true, false]) {
        let status = client.message().await;
        assert_eq!((&status["type"], &status["seq"]), (&Value::from("status"), &before["seq"]), "{status}");
        for field in ["reason", "token", "timestamp", "orderId", "message"] {
            assert!(status[field].is_string(), "{field} of {status}");
        }
        assert!(!on_a || status["progress"].is_u64(), "{status}");
    }
}

async fn placing_is_refused_in_time(site: &Site) {
    let asked = Instant::now();
    let answer = keyed(site, "lost").await;
    assert!(asked.elapsed() < REFUSED_WITHIN, "refused after {:?}", asked.elapsed());
    assert_problem("an order during an outage", &answer, 503, "stream_unreachable", &[]);
    assert!(answer.header("retry-after").is_some());
}

async fn orders_are_read_from_the_store(site: &Site, path: &str, before: &Value) {
    let asked = Instant::now();
    let answer = get(site.address(), path).await;
    assert_eq!((answer.status, &answer.json()), (200, before));
    assert!(asked.elapsed() < READ_WITHIN, "answered after {:?}", asked.elapsed());
    let answer = get(site.address(), &format!("/api/orders/{NOBODY_S}")).await;
    assert_problem("an order that is not stored", &answer, 503, "stream_unreachable", &[]);
    assert!(asked.elapsed() < REFUSED_WITHIN, "answered after {:?}", asked.elapsed());
}

async fn operators_are_told(site: &Site) {
    let ready = until(site, "/ready", |ready| ready.status == 503).await;
    assert_eq!(ready.json()["stream"], "unreachable");
    let health = get(site.address(), "/health").await;
    assert_eq!((health.status, &health.json()["stream"]), (200, &Value::from("unreachable")));
}

/// Whether the order exists cannot be known: the client hears so, and when to come again.
async fn newcomers_are_told_why(site: &Site, path: &str, greeting: &[&str]) {
    // An order that is not being watched: what is watched is known to exist.
    let path = path.replace(&path[path.len() - 36..], NOBODY_S);
    let asked = Instant::now();
    let mut client = watch(site, &path, greeting).await;
    let error = client.message().await;
    assert_eq!(error["type"], "error", "{error}");
    assert_eq!(error["code"], "stream_unreachable", "{error}");
    let end = client.hear().await;
    assert!(matches!(end, Heard::Closed(1013, _)), "{end:?}");
    assert!(asked.elapsed() < UNDECIDED_WITHIN, "closed after {:?}", asked.elapsed());
}
