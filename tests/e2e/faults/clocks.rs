//! The clock of a process's machine jumps, the nats-server's stays.

use std::{fs, path::PathBuf};

use fillstream_tests::{socket::Client, tools::skipped};
use serde_json::json;
use tokio::time::timeout;

use super::{ANN, EXECUTE, ORDERS, PATIENCE, SWAP, rest, send, until, until_taken};
use crate::site::Site;

/// Never quoted: it is tried three times, with pauses between.
const DUST: &str = r#"{"tokenIn":"DUST","tokenOut":"USDC","amount":10}"#;

/// Debian's libfaketime, in whatever architecture's folder.
fn faketime() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?;
    let libraries =
        folders.filter_map(|folder| Some(folder.ok()?.path().join("faketime/libfaketimeMT.so.1")));
    libraries.into_iter().find(|library| library.is_file())
}

/// A site whose clock a file shifts.
struct Shifted {
    site: Site,
    file: PathBuf,
}

impl Shifted {
    fn start(scratch: &fillstream_tests::Scratch, library: &std::path::Path) -> Self {
        let file = scratch.path().join("clock");
        fs::write(&file, "+0").expect("a file");
        let text = |path: &std::path::Path| path.display().to_string();
        let environment = [
            ("LD_PRELOAD", text(library)),
            ("FAKETIME_TIMESTAMP_FILE", text(&file)),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let retries = ["--retry-base=1s", "--retry-max=1s", "--ready-within=2s"];
        let site = Site::serve_in("api,matcher,executor,projector,bridge", &retries, &environment);
        Self { site, file }
    }

    fn set(&self, shift: &str) {
        fs::write(&self.file, shift).expect("a file");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_order_waits_for_a_clock() {
    let Some(library) = faketime() else { return skipped("libfaketime is not installed") };
    let scratch = fillstream_tests::Scratch::new("clock");
    let mut shifted = Shifted::start(&scratch, &library);
    until(&shifted.site, "/ready", "ready", |ready| ready.status == 200).await;
    for shift in ["-1h", "+1h", "-1d", "+0"] {
        let site = &shifted.site;
        let placed = send(site, "POST", EXECUTE, &[], DUST).await.json();
        let order = placed["orderId"].as_str().expect("it is taken").to_owned();
        let mut watcher = Client::progress(site.address(), &order, "").await.expect("it opens");
        let watched = async {
            loop {
                let message = watcher.message().await;
                let seen = message.to_string();
                if seen.contains("retrying") {
                    return;
                }
            }
        };
        timeout(PATIENCE, watched).await.expect("it is tried again");
        shifted.set(shift);
        if shift == "-1d" {
            shifted.site.kill_and_restart();
        }
        let site = &shifted.site;
        until(site, &format!("/api/orders/{order}"), "failed", |order| order.json()["status"] == "failed")
            .await;
        until_taken(site).await;
        let resting = rest(site, 100).await;
        let sell = json!({
            "user_id": "0198c0de-7a5e-4c3a-9f00-3f2a1b4c5d02", "symbol": "BTC/USDT", "side": "SELL",
            "type": "MARKET", "quantity": "2",
        });
        assert_eq!(send(site, "POST", ORDERS, &[], &sell.to_string()).await.status, 201);
        if shift.starts_with('-') {
            // The stream's stamps seem to lie in the future: one of the clocks is wrong, and nobody knows which.
            until(site, "/ready?role=matcher", "told", |ready| {
                ready.status == 503 && ready.json().to_string().contains("ahead of this machine's clock")
            })
            .await;
            shifted.set("+0");
        }
        let site = &shifted.site;
        until(site, &format!("{ORDERS}/{resting}?user_id={ANN}"), "filled", |order| {
            order.json()["status"] == "FILLED"
        })
        .await;
        assert_eq!(send(site, "POST", EXECUTE, &[], SWAP).await.status, 201);
        until(site, "/ready", "ready", |ready| ready.status == 200).await;
    }
}
