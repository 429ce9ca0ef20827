//! Swap orders per second, POST to confirmed, beside what the bare log takes.

use std::time::{Duration, Instant};

use fillstream_domain::Seq;
use fillstream_event_log::{After, EventLog, JetStreamLog};
use fillstream_nats_server::SyncMode;
use futures_util::future::join_all;

use crate::{
    ceiling::bare_log,
    client::Client,
    cpu::Account,
    events,
    figures::{heading, rate, row},
    world::World,
};

/// Messages of one good order: placed, routing_started, routed, prepared, confirmed.
const MESSAGES_PER_ORDER: usize = 5;
/// Connections that place orders.
const CLIENTS: usize = 256;

pub(crate) async fn run() {
    for (sync, name, orders) in
        [(SyncMode::Always, "durable (fsync)", 20_000), (SyncMode::OsBuffer, "server's default sync", 40_000)]
    {
        heading(&format!("Swap orders per second, POST to confirmed, all delays 0, {name}"));
        let ceiling = bare_log(sync, orders * MESSAGES_PER_ORDER, events::mean_size).await;
        row("bare log of this run: messages per second", &format!("{ceiling:.0}"));
        let allowed = ceiling / MESSAGES_PER_ORDER as f64;
        row("… divided by 5 messages per order", &format!("{allowed:.0}"));
        let reached = orders_per_second(sync, orders).await;
        row("swap orders per second, all roles in one process", &format!("{reached:.0}"));
        row("share of the ceiling", &format!("{:.0} %", 100.0 * reached / allowed));
    }
}

async fn orders_per_second(sync: SyncMode, orders: usize) -> f64 {
    let world = World::new(sync);
    let process = world.serve("api,executor,projector,bridge", "0");
    let log = world.log().await;
    warm_up(&process.address, &log).await;
    let from = log.info().await.expect("the stream answers").last_seq;
    let account = Account::open(process.pid(), world.server.pid());
    let started = Instant::now();
    let confirmed = tokio::spawn(count_confirmed(log, from.get(), orders));
    let clients = (0..CLIENTS).map(|client| {
        let address = process.address.clone();
        tokio::spawn(async move {
            let mut connection = Client::connect(&address).await;
            for _ in (client..orders).step_by(CLIENTS) {
                connection.place().await;
            }
        })
    });
    join_all(clients).await;
    let posted = started.elapsed();
    let last = confirmed.await.expect("the count ends");
    row("… orders acknowledged per second meanwhile", &format!("{:.0}", rate(orders, posted)));
    account.print(orders, "order");
    rate(orders, last - started)
}

async fn warm_up(address: &str, log: &JetStreamLog) {
    let mut connection = Client::connect(address).await;
    for _ in 0..200 {
        connection.place().await;
    }
    let last = count_confirmed(log.clone(), 0, 200).await;
    assert!(last.elapsed() < Duration::from_secs(60));
}

/// Follows the stream until so many orders are confirmed; when the last one was.
async fn count_confirmed(log: JetStreamLog, from: u64, orders: usize) -> Instant {
    let mut tail =
        log.follow(After::Seq(Seq::new(from + 1).prev()), None).await.expect("the stream can be followed");
    let mut confirmed = 0;
    while confirmed < orders {
        for record in tail.next(2000).await.expect("the tail goes on") {
            confirmed += usize::from(record.payload.starts_with(br#"{"type":"swap.confirmed""#));
        }
    }
    Instant::now()
}
