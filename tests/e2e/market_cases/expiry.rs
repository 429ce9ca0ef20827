//! A crowd of orders that is over at the same instant, and one order that trades with a crowd, under the largest definition: nobody
//! is cut off by it, and memory stays bounded.

use std::{
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use fillstream_domain::Timestamp;
use fillstream_tests::socket::Client;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    ANN,
    desk::{Desk, limit, user, with},
};
use crate::site::{quiet, run};

/// Users of the crowd.
const USERS: usize = 97;
const PATIENCE: Duration = Duration::from_secs(300);

/// Resident memory of a process, at most so far, in MiB.
fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its memory");
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1024
}

async fn place(desk: &Desk, crowd: usize, price: u32, more: &Value) {
    let orders: Vec<_> = (0..crowd).map(|n| with(limit(&user(n % USERS), "SELL", 1, price), more)).collect();
    for chunk in orders.chunks(1_000) {
        let placed = desk.batch(chunk).await;
        assert!(placed.iter().all(|result| result["order"].is_object()), "{:?}", placed.first());
    }
}

/// The best price of those who sell, once the book says that there are none at any lower one.
async fn until_best_ask(desk: &Desk, expected: &Value) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let book = desk.get("/api/v1/markets/BTC-USDT/book?depth=1").await;
        let best = book["asks"][0][0].clone();
        if best == *expected {
            return;
        }
        assert!(Instant::now() < deadline, "{expected} is not the best ask: {book}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_is_over_at_once_and_one_that_is_swept_cut_nobody_off() {
    let (crowd, seconds) =
        if std::env::var_os("FILLSTREAM_TEST_LONG").is_some() { (100_000, 180) } else { (10_000, 15) };
    let desk = Desk::up(&[]);
    let data = format!("--data={}", desk.0.scratch.path().display());
    let largest = ["--max-makers=100000", "--max-open-orders-per-user=100000", "--max-quantity=1000000"];
    let defined = run(&mut quiet(&[&["market", "add", "BTC/USDT", &data][..], &largest].concat()));
    assert!(defined.status.success(), "{}", String::from_utf8_lossy(&defined.stderr));
    let mut trades = Client::open(desk.address(), "/ws/trades").await.expect("a socket");
    let connections = |desk: &Desk| desk.0.process.said().matches("connected to NATS").count();
    let before = connections(&desk);

    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let over = now + Duration::from_secs(seconds);
    let over = Timestamp::from_unix_ms(over.as_millis().try_into().expect("before the sun burns out"));
    place(&desk, crowd, 200, &json!({"time_in_force": "GTD", "expires_at": over.to_string()})).await;
    place(&desk, crowd, 100, &json!({})).await;
    until_best_ask(&desk, &json!("100")).await;
    desk.limit(ANN, "BUY", crowd, 100).await;
    let mut heard = 0;
    while heard < crowd {
        heard += usize::from(trades.message().await["type"] == "trade_executed");
    }
    // What stands at 200 goes when its time has come.
    until_best_ask(&desk, &Value::Null).await;
    assert_eq!(connections(&desk), before, "a connection was cut:\n{}", desk.0.process.said());
    let peak = peak(desk.0.process.pid());
    println!("{crowd} orders over at once and as many swept: at most {peak} MiB resident");
    assert!(peak < 300 + crowd as u64 / 50, "{peak} MiB resident");
    desk.verify();
}
