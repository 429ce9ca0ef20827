//! Commands for people, on a running system.

use fillstream_tests::{http::get, stream};
use serde_json::Value;

use super::said;
use crate::site::{Site, quiet};

const NOBODY_S: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d03";

/// The order's id in what `swap` printed first: `order ID, sequence N`.
fn id(stdout: &str) -> String {
    let first = stdout.lines().next().unwrap_or_default();
    let id = first.strip_prefix("order ").and_then(|rest| rest.split(',').next());
    id.unwrap_or_else(|| panic!("no order in {stdout}")).to_owned()
}

/// The lines that tell an order's steps, each by its sequence.
fn steps(text: &str) -> Vec<&str> {
    let begins_with_number =
        |line: &&str| line.split_whitespace().next().is_some_and(|word| word.parse::<u64>().is_ok());
    text.lines().filter(begins_with_number).collect()
}

#[tokio::test]
async fn an_order_is_placed_watched_and_read_from_the_terminal() {
    let site = Site::up(&[]);
    let (server, data) =
        (format!("--server=http://{}", site.address()), site.scratch.path().display().to_string());
    for (token_in, code, entries, events, last) in [
        ("SOL", 0, 7, 5, "confirmed"),
        ("DUST", 2, 7, 7, "Insufficient liquidity in pool"),
        ("RUSH", 2, 19, 13, "failed"),
    ] {
        let (stdout, stderr, ended) = said(&mut quiet(&["swap", token_in, "USDC", "3", &server]));
        assert_eq!(ended, Some(code), "swap {token_in}: {stdout}{stderr}");
        let order = id(&stdout);
        assert_eq!(steps(&stdout).len(), entries, "{stdout}");
        assert!(steps(&stdout).last().is_some_and(|line| line.contains(last)), "{stdout}");

        let (watched, stderr, ended) = said(&mut quiet(&["watch", &order, &server]));
        assert_eq!(ended, Some(code), "watch {token_in}: {watched}{stderr}");
        assert_eq!(steps(&watched), steps(&stdout), "watching later tells the same");

        let (read, stderr, ended) = said(&mut quiet(&["order", &order, "--data", &data]));
        assert_eq!(ended, Some(0), "order {token_in}: {read}{stderr}");
        assert_eq!(steps(&read).len(), entries, "{read}");
        let (json, _, _) = said(&mut quiet(&["order", &order, "--json", "--data", &data]));
        let parsed: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(parsed.len(), events, "{json}");
        assert!(parsed.iter().all(|event| event["order_id"] == *order), "{json}");
    }
}

#[tokio::test]
async fn what_cannot_be_done_is_said_in_a_sentence() {
    let site = Site::up(&[]);
    let server = format!("--server=http://{}", site.address());
    let data = format!("--data={}", site.scratch.path().display());
    let nowhere = "--server=http://127.0.0.1:9";
    for (arguments, words) in [
        (&["swap", "SOL", "USDC", "abc", &server][..], "/amount: must be a number greater than 0"),
        (&["swap", "SOL", "BTC", "1", &server], "/tokenOut: must be a token that SOL can be swapped to"),
        (
            &["swap", "SOL", "USDC", "1", "--slippage=60", &server],
            "/slippage: must be greater than 0 and at most 50",
        ),
        (&["swap", "SOL", "USDC", "1", "--key=two words", &server], "Idempotency-Key"),
        (&["swap", "SOL", "USDC", "1", nowhere], "http://127.0.0.1:9 does not answer"),
        (&["swap", "SOL", "USDC", "1", "--server=127.0.0.1:3000"], "such as http://127.0.0.1:3000"),
        (&["swap", "SOL", "USDC"], "<AMOUNT>"),
        (&["watch", NOBODY_S, &server], "There is no order"),
        (&["watch", NOBODY_S, nowhere], "http://127.0.0.1:9 does not answer"),
        (&["watch", "me", &server], "must be a hyphenated UUID"),
        (&["order", NOBODY_S, &data], "there is no order"),
        (&["order", "*", &data], "must be a hyphenated UUID"),
        (&["order", NOBODY_S, "--data=/nowhere"], "no nats-server runs for /nowhere"),
        (&["parked", "retry", "executor", "1", &data], "executor"),
        (&["resolve", NOBODY_S, "dead", &data], NOBODY_S),
        (&["resolve", NOBODY_S, "landed", &data], "--amount-out"),
        (&["resolve", NOBODY_S, "landed", "--amount-out=-1", &data], "--amount-out"),
    ] {
        let (stdout, stderr, code) = said(&mut quiet(arguments));
        assert!(matches!(code, Some(1 | 2)), "{arguments:?}: {code:?} {stdout}{stderr}");
        assert!(stderr.contains(words), "{arguments:?}: no {words:?} in {stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}

#[tokio::test]
async fn operators_see_what_is_parked_and_rebuild_the_read_model() {
    let site = Site::up(&[]);
    let (server, data) =
        (format!("--server=http://{}", site.address()), format!("--data={}", site.scratch.path().display()));
    let place =
        || said(&mut quiet(&["swap", "SOL", "USDC", "3", "--key=k", "--no-watch", "--json", &server]));
    let (placed, stderr, code) = place();
    assert_eq!(code, Some(0), "{placed}{stderr}");
    let answer: Value = serde_json::from_str(&placed).expect("the answer as JSON");
    assert_eq!(place().0, placed, "the same key places no second order");
    let order = answer["orderId"].as_str().expect("an id");
    let (_, _, code) = said(&mut quiet(&["watch", order, &server]));
    assert_eq!(code, Some(0));
    for parked in [&["parked", &data][..], &["parked", "list", &data], &["parked", &data, "list"]] {
        let (stdout, stderr, code) = said(&mut quiet(parked));
        assert_eq!((stdout.as_str(), code), ("nothing is parked\n", Some(0)), "{parked:?}: {stderr}");
    }
    let path = format!("/api/orders/{order}");
    let before = get(site.address(), &path).await.json();
    let (stdout, stderr, code) = said(&mut quiet(&["rebuild", &data]));
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let last = stream::last_seq(&site.log().await).await;
    assert!(stdout.contains(&format!("the read model is rebuilt up to sequence {last}\n")), "{stdout}");
    assert_eq!(get(site.address(), &path).await.json(), before, "after the rebuild");
    let (stdout, _, _) = said(&mut quiet(&["swap", "SOL", "USDC", "3", &server]));
    assert_eq!(steps(&stdout).len(), 7, "the system goes on: {stdout}");
}
