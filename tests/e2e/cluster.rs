//! Three nodes, one of which hears of everything late: what is read from it may be old, never incomplete.
//!
//! ```text
//!   desk (api, executor, rows read) ── n1 ══ n2          n3 (late) ── processes that are killed and started again:
//!                                       ╚══ delay ═══════════╝        matcher, projector
//! ```

mod nodes;

use std::time::{Duration, Instant};

use fillstream_tests::{
    Process, Scratch, free_port,
    http::{get, post},
};
use futures_util::{StreamExt, stream};
use rustix::process::Signal;
use serde_json::json;
use tokio::time::sleep;

use self::nodes::Nodes;
use crate::site::quiet;

const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);
/// Between a node of the others and the late one, in each direction.
const DELAY: Duration = Duration::from_millis(250);
/// Orders that are asked for at once.
const AT_ONCE: usize = 16;
/// Time for which the late node stands still while a process starts on it.
const FROZEN: Duration = Duration::from_secs(3);
const ANN: &str = "0198c0de-7a5e-4c3a-9f00-3f2a1b4c5d01";

/// A process over the cluster; all of them share the rows.
fn serve(scratch: &Scratch, roles: &str, nats_url: &str) -> Process {
    let rows = format!("--database-url=sqlite://{}", scratch.path().join("rows.db").display());
    let data = format!("--data={}", scratch.path().join(roles).display());
    let listen = format!("--listen=127.0.0.1:{}", free_port());
    let (roles, nats) = (format!("--role={roles}"), format!("--nats-url={nats_url}"));
    let fast = ["--quote-delay=0", "--build-delay=0", "--submit-delay=0", "--landing-delay=0"];
    let arguments = [&[&*roles, &nats, &rows, &data, &listen, "--replicas=3"][..], &fast].concat();
    Process::start(quiet(&[&["serve"][..], &arguments].concat()))
}

/// Sells and buys in turn at one price, so that every order is filled; their ids.
async fn trade(address: &str, symbol: &str, placed: &mut Vec<String>) {
    for side in ["SELL", "BUY"] {
        let order = json!({
            "user_id": ANN, "symbol": symbol, "side": side, "type": "LIMIT", "quantity": "1", "price": "100",
            "self_trade_prevention": "NONE",
        });
        let answer = post(address, "/api/v1/orders", &[], &order.to_string()).await;
        if answer.status == 201 {
            placed.push(answer.json()["order_id"].as_str().expect("an id").to_owned());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_out_beside_a_node_that_is_late() {
    let rounds = if std::env::var_os("FILLSTREAM_TEST_LONG").is_some() { 20 } else { 3 };
    let scratch = Scratch::new("cluster");
    let nodes = Nodes::start(&scratch, DELAY).await;
    let desk = serve(&scratch, "api,executor", &nodes.url(&[0, 1]));
    // The markets are there once a matcher was.
    let late = nodes.url(&[2]);
    let first = serve(&scratch, "matcher,projector", &late);
    let (mut book, mut swaps) = (Vec::new(), Vec::new());
    let deadline = Instant::now() + PATIENCE;
    while book.is_empty() {
        assert!(Instant::now() < deadline, "nothing is taken:\n{}\n{}", desk.said(), first.said());
        trade(&desk.address, "BTC/USDT", &mut book).await;
        sleep(POLL).await;
    }
    drop(first);
    for round in 0..rounds {
        let until = Instant::now() + Duration::from_millis(1500);
        if round == 1 {
            nodes.signal(2, Signal::STOP);
        }
        let (thawing, starting) = (
            async {
                if round == 1 {
                    sleep(FROZEN).await;
                    nodes.signal(2, Signal::CONT);
                }
            },
            async {
                let (scratch, late) = (&scratch, &late);
                tokio::task::block_in_place(|| serve(scratch, "matcher,projector", late))
            },
        );
        let loading = async {
            while Instant::now() < until {
                trade(&desk.address, "BTC/USDT", &mut book).await;
                trade(&desk.address, "SOL/USDC", &mut book).await;
                let swap = r#"{"tokenIn":"SOL","tokenOut":"USDC","amount":10}"#;
                let answer = post(&desk.address, "/api/orders/execute", &[], swap).await;
                if answer.status == 201 {
                    swaps.push(answer.json()["orderId"].as_str().expect("an id").to_owned());
                }
            }
        };
        let thawed = tokio::join!(thawing, loading);
        let ((), ()) = thawed;
        // Killed in the middle of its work.
        drop(starting.await);
    }
    let last = serve(&scratch, "matcher,projector", &late);
    println!("{} book orders, {} swaps over {rounds} rounds", book.len(), swaps.len());
    let deadline = Instant::now() + PATIENCE;
    let of_book = book.iter().map(|order| (format!("/api/v1/orders/{order}"), "FILLED"));
    let of_swaps = swaps.iter().map(|order| (format!("/api/orders/{order}"), "confirmed"));
    let (address, last) = (&desk.address, &last);
    let ended = async |path: String, wanted: &str| {
        loop {
            let answer = get(address, &path).await;
            if answer.json()["status"] == wanted {
                return;
            }
            let shown = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(Instant::now() < deadline, "{path} has a hole: {shown}\n{}", last.said());
            sleep(POLL).await;
        }
    };
    let all = stream::iter(of_book.chain(of_swaps));
    all.for_each_concurrent(AT_ONCE, |(path, wanted)| ended(path, wanted)).await;
    let verified = quiet(&["verify", &format!("--nats-url={late}")]).output().expect("fillstream can be run");
    assert!(verified.status.success(), "{verified:?}");
}
