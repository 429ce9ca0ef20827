//! `fillstream up` is killed in the middle of a flow of orders, while clients listen.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use fillstream_domain::Seq;
use fillstream_read_store::ReadStore;
use fillstream_tests::{socket::Heard, stream};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    ANN, BOB, amount, assert_says,
    desk::{Desk, ORDERS, limit, try_ask, until, with},
    ear::{Ear, Line},
    past, text,
};

/// Orders of each of the traders, of whom each user has two.
const EACH: usize = 60;
/// The process is killed when so many orders are taken.
const KILLS: [usize; 2] = [70, 160];
const POLL: Duration = Duration::from_millis(5);

/// Places keyed orders, each again until it is taken: their ids.
async fn trade(address: &str, n: usize, taken: &AtomicUsize) -> Vec<String> {
    let (user, side) = if n.is_multiple_of(2) { (ANN, "BUY") } else { (BOB, "SELL") };
    let mut ids = Vec::new();
    for key in 0..EACH {
        let price = 100 + (key * 7 + n * 3) % 9;
        let order =
            with(limit(user, side, 1 + key % 3, price), &json!({"client_order_id": format!("{n}-{key}")}));
        let id = until("the order is taken", async || {
            let answer = try_ask(address, "POST", ORDERS, Some(&order)).await?;
            assert!([201, 503].contains(&answer.status), "{:?}", answer.json());
            (answer.status == 201).then(|| text(&answer.json(), "order_id").to_owned())
        });
        ids.push(id.await);
        taken.fetch_add(1, Ordering::Relaxed);
    }
    ids
}

/// Hears everything up to the trade of another market that ends the flow, over as many connections as it takes.
async fn listen(address: &str, path: &str, mut ear: Ear) -> (Line, usize) {
    let mut connections = 1;
    loop {
        let heard = ear.hear().await;
        if let Heard::Message(message) = heard {
            assert_ne!(message["type"], "reset", "{message}");
            if message["symbol"] == "ETH/USDT" && message["action"] != "created" {
                return (ear.line().clone(), connections);
            }
            continue;
        }
        let line = ear.line().clone();
        let mark = if path.contains('?') { '&' } else { '?' };
        let after = line.token.as_ref().map(|token| format!("{mark}after={token}")).unwrap_or_default();
        let again = format!("{path}{after}");
        let resumed =
            until("the socket is open again", async || Ear::resume(address, &again, line.clone()).await.ok());
        ear = resumed.await;
        connections += 1;
    }
}

/// The last things that happen: once the cancel is answered, all that was placed before has its outcome.
async fn end(desk: &Desk) {
    let last = desk.limit(ANN, "BUY", 1, 2).await;
    let answer = desk.ask("DELETE", &format!("{ORDERS}/{last}?user_id={ANN}"), None).await;
    assert_eq!(answer.status, 200, "{:?}", answer.json());
    for (user, side) in [(ANN, "SELL"), (BOB, "BUY")] {
        desk.place(&with(limit(user, side, 1, 50), &json!({"symbol": "ETH/USDT"}))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_everything_is_killed_in_the_middle() {
    let mut desk = Desk::up(&["--snapshot-every=40"]);
    let (address, taken) = (desk.address().to_owned(), AtomicUsize::new(0));
    let paths =
        [format!("/ws/orders?user_id={ANN}"), format!("/ws/orders?user_id={BOB}"), "/ws/trades".to_owned()];
    let mut ears = Vec::new();
    for path in &paths {
        ears.push(Ear::open(&desk, path).await);
    }
    let trading = join_all((0..4).map(|n| trade(&address, n, &taken)));
    let flow = async {
        let killing = async {
            for kill in KILLS {
                while taken.load(Ordering::Relaxed) < kill {
                    sleep(POLL).await;
                }
                desk.0.kill_and_restart();
            }
        };
        let (ids, ()) = tokio::join!(trading, killing);
        end(&desk).await;
        ids.concat()
    };
    let listening = join_all(paths.iter().zip(ears).map(|(path, ear)| listen(&address, path, ear)));
    let (placed, lines) = tokio::join!(flow, listening);
    for (path, (line, connections)) in paths.iter().zip(&lines) {
        println!("{path}: {} messages over {connections} connections", line.heard.len());
        assert!(*connections > KILLS.len(), "{path}");
    }
    outcomes_are_there(&desk, &placed, [&lines[0].0, &lines[1].0]).await;
    trades_are_there(&desk, &lines[2].0).await;
    the_log_reproduces_itself(&desk).await;
    the_rows_come_again(&desk).await;
    past::equals_a_fold(&desk, 15).await;
}

/// What a user last heard of each order is what GET says of it; every order that was taken is among them.
async fn outcomes_are_there(desk: &Desk, placed: &[String], lines: [&Line; 2]) {
    let mut heard = BTreeMap::new();
    for (user, line) in [ANN, BOB].into_iter().zip(lines) {
        for update in &line.heard {
            assert_eq!(update["user_id"], user);
            let before = heard.insert(text(update, "order_id").to_owned(), update.clone());
            assert_eq!(before.is_none(), update["action"] == "created", "{update}");
        }
    }
    assert_eq!(
        placed.iter().filter(|order| !heard.contains_key(*order)).count(),
        0,
        "orders without an outcome"
    );
    assert_eq!(heard.len(), placed.len() + 3, "orders that nobody placed");
    for (order, update) in &heard {
        let shown = desk.order(text(update, "user_id"), order).await;
        let fields = ["status", "filled_quantity", "remaining_quantity", "quantity", "price", "fee"];
        let last: serde_json::Map<_, _> =
            fields.iter().map(|name| ((*name).to_owned(), update[*name].clone())).collect();
        assert_says(&shown, &Value::Object(last));
    }
}

/// The trades that were heard are those of the lists, in their order, and no quantity came from nowhere.
async fn trades_are_there(desk: &Desk, line: &Line) {
    let mut listed = Vec::new();
    for market in ["BTC-USDT", "ETH-USDT"] {
        let path = format!("/api/v1/markets/{market}/trades?limit=50");
        let trades = until("the last trade is listed", async || {
            let trades = desk.pages(&path, "trades").await;
            let heard = line.heard.iter().filter(|trade| trade["symbol"] == market.replace('-', "/")).count();
            (trades.len() >= heard).then_some(trades)
        });
        listed.extend(trades.await.into_iter().rev());
    }
    let ids =
        |trades: &[Value]| trades.iter().map(|trade| text(trade, "trade_id").to_owned()).collect::<Vec<_>>();
    assert_eq!(ids(&listed), ids(&line.heard));
    let traded: u128 = line.heard.iter().map(|trade| amount(&trade["quantity"])).sum();
    assert!(traded > 0);
}

/// Twice the same, from the beginning and from a snapshot, and nothing is appended by looking.
async fn the_log_reproduces_itself(desk: &Desk) {
    let log = desk.0.log().await;
    let before = stream::last_seq(&log).await;
    let (one, other) = (desk.verify(), desk.verify());
    assert_eq!(one, other);
    assert_eq!(one["last_seq"], before);
    let markets = one["markets"].as_array().expect("markets");
    let names: Vec<_> = markets.iter().map(|market| text(market, "symbol")).collect();
    assert_eq!(names, ["BTC/USDT", "ETH/USDT", "SOL/USDC"]);
    let printed = desk.printed(&["verify", "--from-snapshot", "--json"]);
    let short: Value = serde_json::from_str(&printed).expect("JSON");
    assert!(short["markets"][0]["from_commit"].as_u64() > Some(0), "{short}");
    assert_eq!(short["markets"][0]["hash"], markets[0]["hash"]);
    assert_eq!(stream::last_seq(&log).await, before, "an idle system, or a look at it, appends something");
}

async fn the_rows_come_again(desk: &Desk) {
    let path = desk.0.scratch.path().join("read-model.db");
    let store = ReadStore::open(&format!("sqlite://{}", path.display())).await.expect("the read model opens");
    let last = stream::last_seq(&desk.0.log().await).await;
    let live = until("the rows are current", async || {
        let dump = store.dump().await.expect("the rows can be read");
        dump.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.seq >= Seq::new(last)).then_some(dump)
    });
    let live = live.await;
    assert!(live.book_orders.len() > 4 * EACH && !live.trades.is_empty() && !live.user_updates.is_empty());
    desk.printed(&["rebuild"]);
    assert_eq!(store.dump().await.expect("the rows can be read"), live);
    store.close().await;
}
