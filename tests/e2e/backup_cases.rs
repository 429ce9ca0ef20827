//! `fillstream backup` while orders come, and `fillstream restore` where nothing is.

use std::{path::Path, time::Duration};

use fillstream_tests::{
    Process, Scratch, free_port,
    http::{get, place, post},
    socket::Client,
    stream,
};
use serde_json::{Value, json};

use crate::site::{Site, quiet, run};

/// Orders that are acknowledged before the backup begins; as many come while it runs.
const ORDERS: usize = 40;
const USER: &str = "01990000-0000-7000-8000-000000000001";

/// An acknowledged order: where it is found, and at which sequence it was stored.
struct Acknowledged {
    path: String,
    seq: u64,
}

/// A swap or a book order, alternately.
async fn order(address: &str, number: usize) -> Acknowledged {
    if number.is_multiple_of(2) {
        let body = r#"{"tokenIn":"SOL","tokenOut":"USDC","amount":10}"#;
        let answer = post(address, "/api/orders/execute", &[], body).await;
        let answer = answer.json();
        let id = answer["orderId"].as_str().expect("it is acknowledged");
        return Acknowledged { path: format!("/api/orders/{id}"), seq: number_of(&answer["seq"]) };
    }
    let price = if number % 4 == 1 { "100" } else { "101" };
    let side = if number % 8 < 4 { "BUY" } else { "SELL" };
    let body = json!({"user_id": USER, "symbol": "BTC/USDT", "side": side, "type": "LIMIT", "quantity": "1", "price": price});
    let answer = post(address, "/api/v1/orders", &[], &body.to_string()).await.json();
    let id = answer["order_id"].as_str().expect("it is acknowledged");
    Acknowledged { path: format!("/api/v1/orders/{id}?user_id={USER}"), seq: number_of(&answer["seq"]) }
}

fn number_of(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

fn data(path: &Path) -> String {
    format!("--data={}", path.display())
}

/// Runs a command; what it printed as JSON, and whether it went well.
fn told(arguments: &[&str]) -> (Value, bool) {
    let output = run(&mut quiet(arguments));
    let text = if output.status.success() { &output.stdout } else { &output.stderr };
    let value = serde_json::from_slice(text);
    (value.unwrap_or_else(|_| json!(String::from_utf8_lossy(text))), output.status.success())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_order_is_in_a_backup_and_comes_back() {
    let mut site = Site::up(&[]);
    let mut before = Vec::new();
    for number in 0..ORDERS {
        before.push(order(site.address(), number).await);
    }
    let watched = place(site.address(), "SOL", "USDC").await;
    let (messages, _) =
        Client::progress(site.address(), &watched, "").await.expect("it opens").to_the_end().await;
    let token = messages.last().expect("messages")["token"].as_str().expect("a token").to_owned();
    let saved = site.scratch.path().join("saved");
    let (from, to) = (data(site.scratch.path()), saved.display().to_string());
    let address = site.address().to_owned();
    let meanwhile = tokio::spawn(async move {
        for number in 0..ORDERS {
            order(&address, number).await;
        }
    });
    let arguments = ["backup".to_owned(), to.clone(), from, "--json".to_owned()];
    let backup = tokio::task::spawn_blocking(move || told(&arguments.each_ref().map(String::as_str)));
    let (manifest, well) = backup.await.expect("it runs");
    assert!(well, "{manifest}");
    meanwhile.await.expect("orders are taken while it runs");
    let last = number_of(&manifest["content"]["last"]);
    assert!(before.iter().all(|order| order.seq <= last), "up to {last} only");
    let (refused, well) = told(&["backup", &to, &data(site.scratch.path()), "--json"]);
    assert!(!well && refused["detail"].as_str().is_some_and(|why| why.contains("is not empty")), "{refused}");
    let wanted = stream::all(&site.log().await).await;
    let wanted: Vec<_> = wanted.into_iter().filter(|record| record.seq.get() <= last).collect();
    site.process.kill();

    let scratch = Scratch::new("restored");
    let into = data(scratch.path());
    let (restored, well) = told(&["restore", &to, &into, "--json"]);
    assert!(well, "{restored}");
    assert_eq!(restored["content"], manifest["content"]);
    let (refused, well) = told(&["restore", &to, &into, "--json"]);
    assert!(
        !well && refused["detail"].as_str().is_some_and(|why| why.contains("is there already")),
        "{refused}"
    );

    let (port, listen) =
        (format!("--nats-port={}", free_port()), format!("--listen=127.0.0.1:{}", free_port()));
    let process =
        Process::start(quiet(&["up", &into, &port, &listen, "--block-interval=20ms", "--life-blocks=3000"]));
    process.until_ready();
    let log = stream::open(&process.nats_url().expect("it is printed")).await;
    let found = stream::all(&log).await;
    for (wanted, found) in wanted.iter().zip(&found) {
        let parts = |record: &fillstream_event_log::Record| {
            (record.seq, record.stored_at, record.subject.clone(), record.event_id, record.payload.clone())
        };
        assert_eq!(parts(found), parts(wanted));
    }
    assert!(found.len() >= wanted.len(), "{} of {}", found.len(), wanted.len());
    for Acknowledged { path, seq } in before {
        assert_eq!(get(&process.address, &path).await.status, 200, "{path}, acknowledged at {seq}");
    }
    // It is the same stream: what a client has seen of it counts.
    let query = format!("?after={token}");
    let resumed =
        Client::progress(&process.address, &watched, &query).await.expect("it opens").to_the_end().await.0;
    assert!(resumed.iter().all(|message| message["type"] != "reset"), "{resumed:?}");
    let (report, well) = told(&["verify", &into, "--json"]);
    assert!(well, "{report}");
    // And it goes on.
    let new = order(&process.address, 1).await;
    assert!(new.seq > last);
    tokio::time::timeout(Duration::from_secs(20), async {
        while get(&process.address, &new.path).await.status != 200 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it is found");
}
