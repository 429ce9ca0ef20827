//! Markets, books and matchers as an operator meets them.

use std::process::Command;

use fillstream_tests::{Process, socket::Client};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use super::{
    ANN, BOB, assert_says,
    desk::{Desk, limit, until, with},
    ear::Ear,
    text,
};
use crate::site::{Site, quiet};

const XRP: [&str; 3] = ["market", "add", "XRP/USDT"];

fn xrp(user: &str, side: &str, quantity: &str, price: &str) -> Value {
    with(limit(user, side, quantity, price), &json!({"symbol": "XRP-USDT"}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_market_is_added_and_traded_while_the_system_runs() {
    let desk = Desk::up(&[]);
    assert_eq!(Client::open(desk.address(), "/ws/markets/XRP-USDT").await.err(), Some(404));
    assert_eq!(desk.post(&xrp(ANN, "SELL", "10", "0.5")).await.status, 422, "no such market yet");
    let add = [&XRP[..], &["--tick-size=0.0001", "--lot-size=0.1", "--min-notional=5"]].concat();
    assert!(desk.printed(&add).starts_with("XRP/USDT is defined at sequence "));
    assert!(desk.printed(&add).starts_with("XRP/USDT has this definition already"));
    let (_, stderr, ended) = desk.command(&[&XRP[..], &["--tick-size=0.01"]].concat());
    assert_eq!(ended, Some(1), "another unit: {stderr}");
    let (_, stderr, ended) = desk.command(&["market", "show", "NOPE/NOPE"]);
    assert!(ended == Some(1) && stderr.contains("BTC/USDT, ETH/USDT, SOL/USDC, XRP/USDT"), "{stderr}");

    let listed = desk.printed(&["market", "list", "--json"]);
    let listed: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let names: Vec<_> = listed.iter().map(|market| text(market, "symbol")).collect();
    assert_eq!(names, ["BTC/USDT", "ETH/USDT", "SOL/USDC", "XRP/USDT"]);
    assert_eq!(desk.printed(&["market", "list"]).lines().count(), 5);
    assert_says(
        &listed[0],
        &json!({
            "tick_size": "0.01", "lot_size": "0.00000001", "min_notional": "1", "max_price": "10000000",
            "max_quantity": "1000000", "quote_decimals": 8, "maker_fee": "0.0005", "taker_fee": "0.001",
        }),
    );
    assert!(listed[0]["price_band"].is_null());
    let shown: Value =
        serde_json::from_str(&desk.printed(&["market", "show", "XRP-USDT", "--json"])).expect("JSON");
    until_listed(&desk, 4).await;
    assert_eq!(desk.get("/api/v1/markets/XRP%2FUSDT").await, shown);
    traded(&desk).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_has_all_open_orders_is_told_so_and_may_go_on_after_a_cancel() {
    let desk = Desk::up(&[]);
    let limits = ["--tick-size=0.0001", "--lot-size=0.1", "--max-open-orders-per-user=2"];
    desk.printed(&[&XRP[..], &limits].concat());
    let mut orders = Vec::new();
    for price in ["0.5", "0.6"] {
        let placed = desk.post(&xrp(ANN, "SELL", "10", price)).await;
        assert_eq!(placed.status, 201, "{}", placed.json());
        orders.push(text(&placed.json(), "order_id").to_owned());
    }
    let in_book = async || {
        let book = desk.get("/api/v1/markets/XRP-USDT/book").await;
        (book["asks"].as_array()?.len() == 2).then_some(())
    };
    until("both are in the book", in_book).await;
    for _ in 0..3 {
        let refused = desk.post(&xrp(ANN, "SELL", "10", "0.7")).await;
        assert_eq!((refused.status, text(&refused.json(), "code")), (422, "too_many_open_orders"));
    }
    let first = format!("/api/v1/orders/{}?user_id={ANN}", orders[0]);
    assert_eq!(desk.ask("DELETE", &first, None).await.status, 200);
    assert_eq!(desk.post(&xrp(ANN, "SELL", "10", "0.7")).await.status, 201);
    let listed = desk.get(&format!("/api/v1/orders?user_id={ANN}")).await;
    let states: Vec<_> =
        listed["orders"].as_array().expect("orders").iter().map(|row| text(row, "status")).collect();
    assert_eq!(states, ["OPEN", "OPEN", "CANCELLED"], "what was refused is not stored");
}

/// Waits until HTTP knows so many markets.
async fn until_listed(desk: &Desk, count: usize) {
    let listed = async || desk.get("/api/v1/markets").await["markets"].as_array().map(Vec::len);
    until("the markets are listed", async || (listed().await? == count).then_some(())).await;
}

/// Its own filters are in force; fees are those of the moment in which an order was placed.
async fn traded(desk: &Desk) {
    for (case, order) in [
        ("off tick", xrp(ANN, "SELL", "20", "0.50001")),
        ("off lot", xrp(ANN, "SELL", "20.01", "0.5")),
        ("below the notional", xrp(ANN, "SELL", "9.9", "0.5")),
    ] {
        assert_eq!(desk.post(&order).await.status, 422, "{case}");
    }
    let mut trades = Ear::open(desk, "/ws/trades").await;
    desk.place(&xrp(ANN, "SELL", "20", "0.5")).await;
    let mut book = Client::open(desk.address(), "/ws/markets/XRP-USDT").await.expect("a market");
    assert_says(&book.message().await, &json!({"symbol": "XRP/USDT", "snapshot": true}));
    desk.place(&xrp(BOB, "BUY", "10", "0.5")).await;
    assert_says(&trades.next().await, &json!({"buyer_fee": "0.005", "seller_fee": "0.0025"}));
    desk.printed(&[&XRP[..], &["--taker-fee=0.002", "--maker-fee=0", "--price-band=10"]].concat());
    desk.place(&xrp(BOB, "BUY", "10", "0.5")).await;
    assert_says(&trades.next().await, &json!({"buyer_fee": "0.01", "seller_fee": "0.0025"}));
    // A band is judged by the matcher, around the last trade: refused behind the 201.
    let mut ann = Ear::open(desk, &format!("/ws/orders?user_id={ANN}&after=0")).await;
    let far = desk.place(&xrp(ANN, "SELL", "20", "0.5501")).await;
    let rejected = loop {
        let update = ann.next().await;
        if update["order_id"] == far["order_id"] {
            break update;
        }
    };
    assert_says(&rejected, &json!({"action": "rejected", "status": "REJECTED", "reason": "price_band"}));
    let shown = desk.until_status(ANN, text(&far, "order_id"), "REJECTED").await;
    assert_says(&shown, &json!({"remaining_quantity": "0"}));
    let printed = desk.printed(&["book", "XRP/USDT"]);
    assert!(printed.starts_with("XRP/USDT after sequence "), "{printed}");
    assert!(desk.printed(&["verify"]).contains("XRP/USDT     right up to commit"));
}

/// A matcher of its own beside the other roles.
fn matcher(site: &Site) -> Process {
    let url = site.nats.as_ref().expect("a nats-server of the test's own").url();
    let data = site.scratch.path().display().to_string();
    let command: Command =
        quiet(&["serve", "--role=matcher", "--takeover-after=500ms", "--nats-url", &url, "--data", &data]);
    Process::spawn(command)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_matcher_takes_over_from_one_that_is_killed() {
    let desk = Desk::serve("api,bridge,projector");
    let mut matchers = [matcher(&desk.0), matcher(&desk.0)];
    desk.until_heard("BTC-USDT").await;
    let mut trades = Ear::open(&desk, "/ws/trades").await;
    for turn in 0..4 {
        let maker = desk.limit(ANN, "SELL", 1, 100).await;
        let killed = Instant::now();
        matchers[turn % 2].kill();
        let taker = desk.limit(BOB, "BUY", 1, 100).await;
        let trade = trades.next().await;
        assert_says(&trade, &json!({"maker_order_id": maker, "taker_order_id": taker}));
        assert!(killed.elapsed() < Duration::from_secs(3), "{:?}", killed.elapsed());
        matchers[turn % 2] = matcher(&desk.0);
    }
    let path = format!("/api/v1/orders/{}?user_id={ANN}", desk.limit(ANN, "SELL", 1, 101).await);
    let answer = desk.ask("DELETE", &path, None).await;
    assert_eq!(answer.status, 200, "{:?}", answer.json());
}
