//! Lists read page by page while they grow.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    ANN, BOB,
    desk::{Desk, ORDERS, limit, until},
    text,
};

/// Entries that are there before the first page is read.
const BEFORE: usize = 120;
const TRADES: &str = "/api/v1/markets/BTC%2FUSDT/trades";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_skip_nothing_and_repeat_nothing_while_the_list_grows() {
    let desk = Desk::up(&[]);
    let orders: Vec<_> =
        (0..2 * BEFORE).map(|n| limit([ANN, BOB][n % 2], ["BUY", "SELL"][n % 2], 1, 100)).collect();
    let placed = desk.batch(&orders).await;
    let mine = placed.iter().map(|result| &result["order"]).filter(|order| order["user_id"] == ANN);
    let mine: BTreeSet<_> = mine.map(|order| text(order, "order_id").to_owned()).collect();
    let (own, trades) = (format!("{ORDERS}?user_id={ANN}&limit=7"), format!("{TRADES}?limit=7"));
    let there = until("all trades are listed", async || {
        let trades = desk.pages(&format!("{TRADES}?limit=1000"), "trades").await;
        (trades.len() == BEFORE).then_some(trades)
    });
    let traded = ids(&there.await, "trade_id");

    let grow = async || {
        desk.limit(ANN, "BUY", 1, 100).await;
        desk.limit(BOB, "SELL", 1, 100).await;
    };
    let own = desk.pages_while(&own, "orders", grow).await;
    let trades = desk.pages_while(&trades, "trades", grow).await;
    let newest = desk.get(&format!("{TRADES}?limit=1")).await["trades"][0].clone();
    assert!(!traded.contains(text(&newest, "trade_id")), "the lists did not grow");
    for (case, listed, before) in
        [("orders", ids(&own, "order_id"), mine), ("trades", ids(&trades, "trade_id"), traded)]
    {
        let missing: Vec<_> = before.difference(&listed).collect();
        assert_eq!(missing, Vec::<&String>::new(), "{case}: skipped");
    }
    let places: Vec<_> = trades.iter().map(super::place).collect();
    assert!(places.is_sorted_by(|one, next| one > next), "the latest first");
    bad_cursors(&desk).await;
}

/// The ids of a list, which holds none twice.
fn ids(entries: &[Value], name: &str) -> BTreeSet<String> {
    let ids: BTreeSet<_> = entries.iter().map(|entry| text(entry, name).to_owned()).collect();
    assert_eq!(ids.len(), entries.len(), "{name}: something twice");
    ids
}

async fn bad_cursors(desk: &Desk) {
    let own = format!("{ORDERS}?user_id={ANN}");
    let cursor = async |path: &str| text(&desk.get(path).await, "cursor").to_owned();
    let of_orders = cursor(&format!("{own}&limit=1")).await;
    let of_trades = cursor(&format!("{TRADES}?limit=1")).await;
    for (path, cursor) in [(format!("{own}&"), of_trades), (format!("{TRADES}?"), of_orders)] {
        for bad in ["", "x", "%00", "-1", "AAAA", "b3JkZXJzLw", cursor.as_str(), &"x".repeat(5_000)] {
            let answer = desk.ask("GET", &format!("{path}cursor={bad}"), None).await;
            assert_eq!(answer.status, 400, "{path}cursor={bad}");
        }
        for limit in ["0", "1001", "-1", "x", ""] {
            assert_eq!(
                desk.ask("GET", &format!("{path}limit={limit}"), None).await.status,
                400,
                "{path}limit={limit}"
            );
        }
    }
    for query in ["symbol=btc", "status=open", "status=DONE"] {
        assert_eq!(desk.ask("GET", &format!("{own}&{query}"), None).await.status, 400, "{query}");
    }
    let eth = desk.pages(&format!("{own}&symbol=ETH-USDT"), "orders").await;
    assert_eq!(eth, Vec::<Value>::new());
}
