//! The executors' consumer, handled by strangers while executors run.

use fillstream_tests::nats;

use super::{EXECUTE, SWAP, send, until};
use crate::{
    cli_cases::said,
    site::{Site, quiet},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swaps_end_whatever_is_done_to_their_consumer_and_doctor_says_what_lasts() {
    let site = Site::serve("api,executor,matcher,projector,bridge", &["--ready-within=5s"]);
    until(&site, "/ready", "ready", |ready| ready.status == 200).await;
    let url = site.nats.as_ref().expect("a nats-server of the test's own").url();
    let mut operator = nats::Client::connect(&url).await;
    let doctor = || {
        let (server, nats) = (format!("--server=http://{}", site.address()), format!("--nats-url={url}"));
        let data = format!("--data={}", site.scratch.path().display());
        said(&mut quiet(&["doctor", "--json", &server, &nats, &data])).0
    };
    for (subject, body, is_paused) in [
        ("DELETE.ORDERS.executor", "", false),
        ("PAUSE.ORDERS.executor", r#"{"pause_until":"2999-01-01T00:00:00Z"}"#, true),
        // It goes on.
        ("PAUSE.ORDERS.executor", "{}", false),
    ] {
        let asked = format!("$JS.API.CONSUMER.{subject}");
        let answer = operator.request(&asked, &[], body).await.expect("an answer").json();
        assert!(answer["error"].is_null(), "{asked}: {answer}");
        let placed = send(&site, "POST", EXECUTE, &[], SWAP).await.json();
        let order = placed["orderId"].as_str().expect("it is taken");
        let path = format!("/api/orders/{order}");
        until(&site, &path, "confirmed", |order| order.json()["status"] == "confirmed").await;
        until(&site, "/ready", "ready all the same", |ready| ready.status == 200).await;
        let told = doctor();
        let consumer = told.lines().filter(|line| line.contains(r#""check":"consumer""#));
        let wrong: Vec<_> = consumer.filter(|line| line.contains(r#""result":"wrong""#)).collect();
        assert_eq!(!wrong.is_empty(), is_paused, "{subject} {body}: {told}");
        assert!(wrong.iter().all(|line| line.contains("it is paused")), "{wrong:?}");
    }
    assert!(site.process.said().contains("consumer deleted"), "{}", site.process.said());
}
