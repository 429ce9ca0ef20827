//! A newcomer's first order.

use std::process::Command;

use fillstream_tests::{
    Process, Scratch, binary, free_port, http,
    socket::{Chain, Client, Heard},
    stream,
};

fn up(scratch: &Scratch, more: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command
        .arg("up")
        .arg("--data")
        .arg(scratch.path())
        .args(["--listen", &format!("127.0.0.1:{}", free_port())]);
    command.args(["--nats-port", &free_port().to_string()]);
    command.args([
        "--quote-delay",
        "30ms",
        "--build-delay",
        "20ms",
        "--submit-delay",
        "20ms",
        "--landing-delay",
        "30ms",
    ]);
    command.args(["--retry-base", "50ms", "--socket-linger", "100ms"]);
    command.args(more);
    command
}

#[tokio::test]
async fn is_watched_to_its_end() {
    let scratch = Scratch::new("first");
    let process = Process::start(up(&scratch, &[]));
    for (pair, expected) in [
        (
            ("SOL", "USDC"),
            &["pending", "routing", "routing", "building", "building", "submitted", "confirmed"][..],
        ),
        (("DUST", "USDC"), &["pending", "routing", "retrying", "routing", "retrying", "routing", "failed"]),
        (
            ("RUSH", "USDC"),
            &[
                "pending",
                "routing",
                "routing",
                "building",
                "building",
                "submitted",
                "retrying",
                "routing",
                "routing",
                "building",
                "building",
                "submitted",
                "retrying",
                "routing",
                "routing",
                "building",
                "building",
                "submitted",
                "failed",
            ],
        ),
    ] {
        let order = http::place(&process.address, pair.0, pair.1).await;
        let mut client = Client::progress(&process.address, &order, "").await.expect("the socket opens");
        let (messages, end) = client.to_the_end().await;
        let mut chain = Chain::default();
        messages.iter().for_each(|message| chain.take(message));
        assert_eq!(chain.faults, Vec::<String>::new(), "{messages:#?}");
        assert_eq!(chain.kinds(), expected, "{pair:?}");
        assert!(matches!(end, Heard::Closed(1000, _)), "{end:?}");
    }
    let log = stream::open(&process.nats_url().expect("the address is printed")).await;
    assert_eq!(stream::fold(&stream::all(&log).await).len(), 3);
}
