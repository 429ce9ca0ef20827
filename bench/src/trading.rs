//! Book orders over the whole path: HTTP, log, matcher, log, socket; beside what the bare log takes and the least that
//! any such path can take.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use fillstream_nats_server::SyncMode;
use futures_util::future::join_all;
use tokio::{sync::oneshot, time::timeout};

use crate::{
    ceiling::bare_log,
    client::{Client, post, quoted},
    cpu::Account,
    ear::Ear,
    events,
    figures::{heading, p50_p99, percentile, rate, row},
    floor::floor,
    pace::{LANES, Lane, PER_SECOND},
    size::Size,
    world::World,
};

const ROLES: &str = "api,matcher,projector,bridge";
/// Connections that place orders one by one.
const CLIENTS: usize = 256;
/// Connections that place them in batches, and orders of a batch.
const BATCHERS: usize = 4;
const BATCH: usize = 500;
/// Time that the trades may take once everything is sent.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) async fn run(size: Size) {
    for (sync, name, orders) in [
        (SyncMode::Always, "durable (fsync)", 40_000),
        (SyncMode::OsBuffer, "server's default sync", 100_000),
    ] {
        let orders = size.of(orders);
        heading(&format!("Book orders per second, HTTP to trades on a socket, {name}, {orders} orders"));
        let ceiling = bare_log(sync, orders, events::book_placed).await;
        row("bare log of this run: placed events per second", &format!("{ceiling:.0}"));
        for (how, clients, batch) in [
            (format!("one by one, {CLIENTS} clients"), CLIENTS, 1),
            (format!("batches of {BATCH}, {BATCHERS} clients"), BATCHERS, BATCH),
        ] {
            let reached = orders_per_second(sync, orders, clients, batch).await;
            let share = 100.0 * reached / ceiling;
            row(&format!("orders per second, {how}"), &format!("{reached:.0} ({share:.0} % of the ceiling)"));
        }
        heading(&format!("POST to trade_executed at {PER_SECOND} orders per second, {name} (p50 / p99)"));
        let turns = size.of(200);
        let mut floor = floor(sync, turns).await;
        row("floor of this run: publish, consumer, fenced publish, consumer", &p50_p99(&mut floor));
        let Latency { mut posts, mut trades } = latency(sync, turns).await;
        row("POST to 201", &p50_p99(&mut posts));
        let times = percentile(&mut trades, 0.5).as_secs_f64() / percentile(&mut floor, 0.5).as_secs_f64();
        row(
            &format!("POST to trade_executed, {} trades", trades.len()),
            &format!("{} ({times:.1} times the floor at p50)", p50_p99(&mut trades)),
        );
    }
}

/// An order for one at the only price: two of them, of both sides, make one trade.
fn order(client: usize, number: usize) -> String {
    let side = if number.is_multiple_of(2) { "SELL" } else { "BUY" };
    format!(
        r#"{{"user_id":"00000000-0000-4000-8000-{client:012x}","symbol":"BTC/USDT","side":"{side}","type":"LIMIT","quantity":"1","price":"100"}}"#
    )
}

/// A request with so many orders, the first of which has this number.
fn request(address: &str, client: usize, first: usize, batch: usize) -> Vec<u8> {
    if batch == 1 {
        return post(address, "/api/v1/orders", &order(client, first));
    }
    let orders: Vec<String> = (first..first + batch).map(|number| order(client, number)).collect();
    post(address, "/api/v1/orders/batch", &format!(r#"{{"orders":[{}]}}"#, orders.join(",")))
}

/// Until the last trade is heard.
async fn orders_per_second(sync: SyncMode, orders: usize, clients: usize, batch: usize) -> f64 {
    let world = World::new(sync);
    let process = world.serve(ROLES, "0");
    world.ready(&process).await;
    // As many of each side.
    let rounds = (orders / clients / batch).next_multiple_of(2);
    let orders = rounds * clients * batch;
    let trades = trades(&process.address, orders / 2).await;
    let account = Account::open(process.pid(), world.server.pid());
    let started = Instant::now();
    let clients = (0..clients).map(|client| {
        let address = process.address.clone();
        tokio::spawn(async move {
            let mut connection = Client::connect(&address).await;
            let requests = [0, 1].map(|first| request(&address, client, first, batch));
            let status = if batch == 1 { "201" } else { "200" };
            for round in 0..rounds {
                let answer = connection.ask(&requests[round % 2], status).await;
                assert!(!answer.contains(r#""problem":"#), "{answer}");
            }
        })
    });
    for client in join_all(clients).await {
        client.expect("a client ends");
    }
    row("… orders acknowledged per second meanwhile", &format!("{:.0}", rate(orders, started.elapsed())));
    let heard = timeout(PATIENCE, trades).await.expect("all trades are heard in time");
    let Heard { last, fell_behind, takers } = heard.expect("the socket stays open");
    account.print(orders, "order");
    row(
        "… trades heard, each once; times the socket fell behind meanwhile",
        &format!("{} of {}; {fell_behind}", takers.len(), orders / 2),
    );
    rate(orders, last - started)
}

/// Messages that a socket on `/ws/trades` has heard.
struct Heard {
    last: Instant,
    fell_behind: usize,
    /// Time at which the trade of each taker came.
    takers: HashMap<String, Instant>,
}

/// Listens until so many trades have come.
async fn trades(address: &str, count: usize) -> oneshot::Receiver<Heard> {
    let mut ear = Ear::open(address, "/ws/trades").await;
    let (done, heard) = oneshot::channel();
    tokio::spawn(async move {
        let (mut takers, mut fell_behind) = (HashMap::with_capacity(count), 0);
        while takers.len() < count {
            let open = ear.hear(|text| {
                if text.contains(r#""type":"trade_executed""#) {
                    let taker = quoted(text, "taker_order_id").to_owned();
                    let again = takers.insert(taker, Instant::now());
                    assert!(again.is_none(), "a second time: {text}");
                } else if text.contains(r#""type":"fell_behind""#) {
                    fell_behind += 1;
                }
            });
            assert!(open.await, "the bridge closed the socket after {} trades", takers.len());
        }
        let last = Instant::now();
        // Nobody listens any more when the bench has given up.
        let _ = done.send(Heard { last, fell_behind, takers });
    });
    heard
}

struct Latency {
    posts: Vec<Duration>,
    trades: Vec<Duration>,
}

/// Each lane has so many turns, a lane of sellers after one of buyers.
async fn latency(sync: SyncMode, turns: usize) -> Latency {
    let world = World::new(sync);
    let process = world.serve(ROLES, "0");
    world.ready(&process).await;
    let trades = trades(&process.address, turns * LANES / 2).await;
    let start = tokio::time::Instant::now() + Duration::from_millis(500);
    let lanes = (0..LANES).map(|number| {
        let address = process.address.clone();
        tokio::spawn(async move {
            let mut connection = Client::connect(&address).await;
            let request = request(&address, number, number, 1);
            let (mut lane, mut posted) = (Lane::new(number, start), Vec::new());
            for _ in 0..turns {
                let from = lane.turn().await.into_std();
                let answer = connection.ask(&request, "201").await;
                posted.push((quoted(answer, "order_id").to_owned(), from, from.elapsed()));
            }
            posted
        })
    });
    let lanes = join_all(lanes).await;
    let heard = timeout(PATIENCE, trades).await.expect("all trades are heard in time");
    let takers = heard.expect("the socket stays open").takers;
    let mut latency = Latency { posts: Vec::new(), trades: Vec::new() };
    for (order, from, post) in lanes.into_iter().flat_map(|lane| lane.expect("a lane ends")) {
        latency.posts.push(post);
        latency.trades.extend(takers.get(&order).map(|heard| *heard - from));
    }
    latency
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn orders_go_in_and_trades_come_out() {
        for (clients, batch) in [(2, 1), (2, 10)] {
            assert!(orders_per_second(SyncMode::OsBuffer, 40, clients, batch).await > 0.0);
        }
        let Latency { posts, trades } = latency(SyncMode::OsBuffer, 1).await;
        assert_eq!((posts.len(), trades.len()), (LANES, LANES / 2));
        assert_eq!(floor(SyncMode::OsBuffer, 1).await.len(), LANES);
        assert!(bare_log(SyncMode::OsBuffer, 100, events::book_placed).await > 0.0);
    }
}
