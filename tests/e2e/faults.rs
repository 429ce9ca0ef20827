//! Faults around the system, and what people then see: each row is a cause, what goes on all the same, what
//! `/ready`, metrics, log and doctor say, and how it heals.
//!
//! ```text
//!  cause                              goes on           is said                                  heals
//!  stream's disk below the floor      cancels, reads    507, /ready store_full, doctor           with the room
//!  stream's disk full                 reads             /ready cannot_append                     nats-server is started again
//!  limits of the stream reached       cancels, reads    507, /ready store_full                   with the limit
//!  nats-server frozen                 reads of rows     /ready unreachable                       when it goes on
//!  nats-server killed                 everything        restarts in metrics                      started again
//!  nats-server slow by 100 ms         everything        append latency in metrics                with the network
//!  SQLite locked, full                all but the rows  /ready, metrics, log, the same words     with the cause
//!  SQLite removed, broken             everything        log                                      made anew
//!  PostgreSQL read-only, denied,      all but the rows  /ready, metrics, log, the same words     with the cause
//!   hanging, frozen, cut
//!  no collector of spans              everything        log                                      with the collector
//!  the machine's clock jumps          everything        —                                        nothing to heal
//!  private nats-server frozen         reads of rows     the cause of its restart in the log      started again
//!  stream deleted                     reads of rows     /ready, with the server's words          with a stream made anew
//!  stream made anew                   everything        log                                      opened anew
//!  stream trimmed by hand             everything        doctor                                   not
//!  stream put back                    what it still has log, doctor and a file of what is lost   rows are made anew
//!   … and a swap placed by its key    no second send    needsReview, with its transaction        an operator decides
//!  ledger's disk full                 all but swaps     /ready, log, with the disk's words       with the room
//!  executors' consumer deleted        everything        log                                      made again
//!   … paused                          swaps, later      doctor                                   when it is resumed
//!  snapshots deleted, damaged         everything        log                                      read from the stream
//! ```

mod clocks;
mod disk;
mod metrics;
mod queue;
mod roles;
mod rows;
mod server;
mod stream;
mod traces;

use std::time::Duration;

use fillstream_tests::http::{Answer, get, request};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::site::Site;

const ORDERS: &str = "/api/v1/orders";
const EXECUTE: &str = "/api/orders/execute";
const SWAP: &str = r#"{"tokenIn":"SOL","tokenOut":"USDC","amount":10}"#;
const ANN: &str = "0198c0de-7a5e-4c3a-9f00-3f2a1b4c5d01";
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// Asks until the answer is as wanted.
async fn until(site: &Site, path: &str, what: &str, is: impl Fn(&Answer) -> bool) -> Answer {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = get(site.address(), path).await;
        if is(&answer) {
            return answer;
        }
        let shown = String::from_utf8_lossy(&answer.body);
        assert!(Instant::now() < deadline, "{path} is not {what}, still {shown}\n{}", site.process.said());
        sleep(POLL).await;
    }
}

async fn send(site: &Site, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let json = [("Content-Type", "application/json")];
    let headers: Vec<_> =
        headers.iter().copied().chain(json.into_iter().filter(|_| !body.is_empty())).collect();
    request(site.address(), method, path, &headers, body.as_bytes()).await.expect("an answer")
}

fn limit(price: u32) -> Value {
    json!({
        "user_id": ANN, "symbol": "BTC/USDT", "side": "BUY", "type": "LIMIT", "quantity": "2",
        "price": price.to_string(),
    })
}

/// Places a book order; its id.
async fn rest(site: &Site, price: u32) -> String {
    let answer = send(site, "POST", ORDERS, &[], &limit(price).to_string()).await;
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()["order_id"].as_str().expect("an id").to_owned()
}

/// Tries until new orders are taken again.
async fn until_taken(site: &Site) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = send(site, "POST", EXECUTE, &[], SWAP).await;
        if answer.status == 201 {
            return;
        }
        let shown = String::from_utf8_lossy(&answer.body);
        assert!(Instant::now() < deadline, "orders are still refused: {shown}\n{}", site.process.said());
        sleep(POLL).await;
    }
}

/// The figure of a line of `/metrics`.
async fn figure(site: &Site, line: &str) -> Option<f64> {
    let text = get(site.address(), "/metrics").await.body;
    let text = String::from_utf8_lossy(&text).into_owned();
    text.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok())
}

fn code(answer: &Answer) -> String {
    answer.json()["code"].as_str().unwrap_or_default().to_owned()
}
