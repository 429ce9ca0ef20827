//! A stream that is deleted, made anew, trimmed or put back under processes that run, and a bucket of snapshots that goes.

use std::path::Path;

use fillstream_tests::{http::get, nats, socket::Client};
use fillstream_venues::Audit;
use serde_json::json;

use super::{ANN, EXECUTE, ORDERS, SWAP, rest, send, until, until_taken};
use crate::{
    cli_cases::said,
    site::{Site, quiet},
};

const ALL: &str = "api,matcher,executor,projector,bridge";
const SNAPSHOTS: &str = "OBJ_fillstream-snapshots";

async fn operator(site: &Site) -> nats::Client {
    nats::Client::connect(&site.nats.as_ref().expect("a nats-server of the test's own").url()).await
}

/// A request to JetStream that succeeds.
async fn done(operator: &mut nats::Client, subject: &str, payload: &str) {
    let answer = operator.request(subject, &[], payload).await.expect("an answer").json();
    assert!(answer["error"].is_null(), "{subject}: {answer}");
}

/// Sells what the order wants to buy, and waits until it is filled.
async fn fills(site: &Site, order: &str) {
    let sell = json!({
        "user_id": "0198c0de-7a5e-4c3a-9f00-3f2a1b4c5d02", "symbol": "BTC/USDT", "side": "SELL", "type": "MARKET",
        "quantity": "2",
    });
    let sold = send(site, "POST", ORDERS, &[], &sell.to_string()).await;
    assert_eq!(sold.status, 201, "{}", String::from_utf8_lossy(&sold.body));
    until(site, &format!("{ORDERS}/{order}?user_id={ANN}"), "filled", |order| {
        order.json()["status"] == "FILLED"
    })
    .await;
}

/// Places a swap; its id and the token of its last message.
async fn confirmed(site: &Site) -> (String, String) {
    let placed = send(site, "POST", EXECUTE, &[], SWAP).await.json();
    let order = placed["orderId"].as_str().expect("it is taken").to_owned();
    let mut watcher = Client::progress(site.address(), &order, "").await.expect("it opens");
    let (messages, _) = watcher.to_the_end().await;
    let last = messages.last().expect("messages");
    assert_eq!(last["status"], "confirmed", "{last}");
    (order, last["token"].as_str().expect("a token").to_owned())
}

async fn ready(site: &Site) {
    until(site, "/ready", "ready", |ready| ready.status == 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_deleted_is_told_and_a_new_one_is_taken_up() {
    let site = Site::serve(ALL, &[]);
    ready(&site).await;
    let (order, token) = confirmed(&site).await;
    done(&mut operator(&site).await, "$JS.API.STREAM.DELETE.ORDERS", "").await;
    let told = until(&site, "/ready?role=matcher", "not ready", |ready| ready.status == 503).await.json();
    let told = until(&site, "/ready?role=api", "told why", |ready| {
        ready.json()["parts"]["api"]["reason"].as_str().is_some_and(|why| why.contains("stream not found"))
    })
    .await
    .json()
    .to_string()
        + &told.to_string();
    assert!(told.contains("unreachable"), "{told}");
    assert_ne!(send(&site, "POST", EXECUTE, &[], SWAP).await.status, 201);

    // Who starts makes the stream, as at the very first start.
    let url = site.nats.as_ref().expect("a nats-server of the test's own").url();
    let other = Site::beside(&site, "api", &url);
    until(&other, "/ready", "ready", |ready| ready.status == 200).await;
    ready(&site).await;
    until_taken(&site).await;
    fills(&site, &rest(&site, 100).await).await;
    confirmed(&site).await;
    let after = format!("?after={token}");
    let lost = Client::progress(site.address(), &order, &after).await;
    assert!(lost.is_err_and(|status| status == 404), "the order is not in the new stream");
    assert!(site.process.said().contains("the stream was recreated"), "{}", site.process.said());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trimmed_stream_goes_on() {
    let site = Site::serve(ALL, &[]);
    ready(&site).await;
    let order = rest(&site, 100).await;
    let (swap, _) = confirmed(&site).await;
    let last = get(site.address(), "/ready").await.json()["last_seq"].as_u64().expect("its end");
    ready(&site).await;
    let mut operator = operator(&site).await;
    done(&mut operator, "$JS.API.STREAM.PURGE.ORDERS", &json!({ "seq": last }).to_string()).await;
    fills(&site, &order).await;
    confirmed(&site).await;
    ready(&site).await;
    assert_eq!(get(site.address(), &format!("/api/orders/{swap}")).await.json()["status"], "confirmed");
    let server = format!("--server=http://{}", site.address());
    let nats = format!("--nats-url={}", site.nats.as_ref().expect("a nats-server of the test's own").url());
    let data = format!("--data={}", site.scratch.path().display());
    let (stdout, stderr, _) = said(&mut quiet(&["doctor", "--json", &server, &nats, &data]));
    assert!(stdout.contains("are gone from the stream"), "{stdout}{stderr}");
}

fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    let copied = std::process::Command::new("cp").arg("-a").args([from, to]).status();
    assert!(copied.is_ok_and(|copied| copied.success()), "{} is copied", from.display());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_put_back_goes_on_and_what_it_lost_is_in_a_file() {
    let site = Site::serve(ALL, &[]);
    ready(&site).await;
    let kept = rest(&site, 100).await;
    confirmed(&site).await;
    let nats = site.nats.as_ref().expect("a nats-server of the test's own");
    let (store, saved) = (site.scratch.path().join("shared/jetstream"), site.scratch.path().join("saved"));
    nats.kill_and_hold();
    copy(&store, &saved);
    nats.resume().expect("it starts again");
    until_taken(&site).await;
    let lost = rest(&site, 101).await;
    let (swap, token) = confirmed(&site).await;
    ready(&site).await;
    nats.kill_and_hold();
    copy(&saved, &store);
    nats.resume().expect("it starts again");

    ready(&site).await;
    until_taken(&site).await;
    ready(&site).await;
    fills(&site, &kept).await;
    confirmed(&site).await;
    for path in [format!("{ORDERS}/{lost}?user_id={ANN}"), format!("/api/orders/{swap}")] {
        assert_eq!(get(site.address(), &path).await.status, 404, "{path} is not in the stream any more");
    }
    let after = format!("?after={token}");
    assert!(Client::progress(site.address(), &swap, &after).await.is_err_and(|status| status == 404));
    let file = std::fs::read_dir(site.scratch.path()).expect("a directory").find_map(|entry| {
        let path = entry.ok()?.path();
        path.file_name()?.to_str()?.starts_with("rows-ahead-of-stream").then_some(path)
    });
    let file = file.unwrap_or_else(|| panic!("what was lost is in no file:\n{}", site.process.said()));
    let text = std::fs::read_to_string(&file).expect("it can be read");
    assert!(text.contains(&lost) && text.contains(&swap), "{text}");
    assert!(site.process.said().contains(&file.display().to_string()), "{}", site.process.said());
    let nats_url = format!("--nats-url={}", nats.url());
    let server = format!("--server=http://{}", site.address());
    let data = format!("--data={}", site.scratch.path().display());
    let (stdout, stderr, _) = said(&mut quiet(&["doctor", "--json", &server, &nats_url, &data]));
    assert!(stdout.contains("rows-ahead-of-stream"), "{stdout}{stderr}");
    let (stdout, stderr, verified) = said(&mut quiet(&["verify", &nats_url]));
    assert_eq!(verified, Some(0), "{stdout}{stderr}");
}

/// The venue knows of the swap, the stream no longer does, and the client repeats its request: it is not executed twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swap_that_the_stream_has_lost_is_not_executed_again_when_it_is_placed_again() {
    for dies in [false, true] {
        let mut site = Site::serve(ALL, &[]);
        ready(&site).await;
        confirmed(&site).await;
        let (store, saved) =
            (site.scratch.path().join("shared/jetstream"), site.scratch.path().join("saved"));
        let nats = site.nats.take().expect("a nats-server of the test's own");
        nats.kill_and_hold();
        copy(&store, &saved);
        nats.resume().expect("it starts again");
        until_taken(&site).await;
        let key = [("Idempotency-Key", "once")];
        let placed = send(&site, "POST", EXECUTE, &key, SWAP).await.json();
        let order = placed["orderId"].as_str().expect("it is taken").to_owned();
        let path = format!("/api/orders/{order}");
        until(&site, &path, "confirmed", |order| order.json()["status"] == "confirmed").await;
        ready(&site).await;
        if dies {
            // What the executor knew is gone with it: the rows know.
            site.process.kill();
        }
        nats.kill_and_hold();
        copy(&saved, &store);
        nats.resume().expect("it starts again");
        if dies {
            site.kill_and_restart();
        }
        ready(&site).await;
        until(&site, &path, "forgotten with the stream's end", |order| order.status == 404).await;
        until_taken(&site).await;
        let again = send(&site, "POST", EXECUTE, &key, SWAP).await;
        assert_eq!((again.status, again.json()["orderId"].as_str()), (201, Some(&*order)), "dies: {dies}");
        until(&site, &path, "under review", |order| order.json()["needsReview"] == true).await;
        let nats_url = format!("--nats-url={}", nats.url());
        let (stdout, _, _) = said(&mut quiet(&["parked", "list", &nats_url]));
        assert!(stdout.contains(&order), "{stdout}");
        let audit = Audit::read(&site.scratch.path().join("venues")).expect("the ledgers can be read");
        assert_eq!(audit.order(order.parse().expect("an id")).landed, 1, "dies: {dies}");
        assert!(site.process.said().contains("the stream has lost a transaction"), "{}", site.process.said());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_snapshots_or_with_damaged_ones_books_are_loaded_from_the_stream() {
    let mut site = Site::serve(ALL, &["--snapshot-every=2"]);
    ready(&site).await;
    let mut orders = Vec::new();
    for price in 100..110 {
        orders.push(rest(&site, price).await);
    }
    let mut operator = operator(&site).await;
    // Nobody but the matcher writes there: an operator's slip.
    for chunk in ["$O.fillstream-snapshots.C.damaged", "$O.fillstream-snapshots.M.damaged"] {
        done(&mut operator, chunk, "damaged").await;
    }
    site.kill_and_restart();
    ready(&site).await;
    done(&mut operator, &format!("$JS.API.STREAM.DELETE.{SNAPSHOTS}"), "").await;
    for price in 110..120 {
        orders.push(rest(&site, price).await);
    }
    ready(&site).await;
    site.kill_and_restart();
    ready(&site).await;
    fills(&site, orders.last().expect("some")).await;
    let info = operator.request(&format!("$JS.API.STREAM.INFO.{SNAPSHOTS}"), &[], "").await;
    assert!(info.expect("an answer").json()["error"].is_null(), "the bucket is made again");
}

#[tokio::test]
async fn a_private_server_that_is_frozen_is_started_again() {
    let site = Site::up(&[]);
    rest(&site, 100).await;
    super::server::signal(super::server::private(&site), "STOP");
    until(&site, "/ready?role=api", "not ready", |ready| ready.status == 503).await;
    // Nobody lets it go on.
    until_taken(&site).await;
    ready(&site).await;
    assert!(site.process.said().contains("it lives and answers nothing"), "{}", site.process.said());
}
