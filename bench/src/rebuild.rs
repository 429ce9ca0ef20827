//! Replaying the stream: bare, folded in memory, into SQLite.

use std::time::Instant;

use fillstream_domain::{
    Seq,
    subject::SwapSubject,
    swap::{SwapEvent, SwapOrder},
};
use fillstream_event_log::{After, EventLog, JetStreamLog};
use fillstream_nats_server::SyncMode;
use fillstream_read_store::ReadStore;
use futures_util::future::join_all;

use crate::{
    client::Client,
    figures::{heading, rate, row},
    world::World,
};

/// Orders whose events are replayed.
const ORDERS: usize = 40_000;
/// Connections that place them.
const CLIENTS: usize = 128;

pub(crate) async fn run() {
    heading("Rebuild");
    let world = World::new(SyncMode::OsBuffer);
    let log = world.log().await;
    fill(&world, &log).await;
    let events = log.info().await.expect("the stream answers").last_seq;
    row("events in the stream", &events.to_string());
    let bare = bare(&log, events.get()).await;
    row("bare consumer: events per second", &format!("{bare:.0}"));
    let folded = folded(&log, events.get()).await;
    row(
        "folded in memory: events per second",
        &format!("{folded:.0} ({:.0} % of the bare consumer)", 100.0 * folded / bare),
    );
    let store =
        ReadStore::open(&format!("sqlite://{}", world.scratch.path().join("bench.db").display())).await;
    let store = store.expect("the database opens");
    let started = Instant::now();
    fillstream_projector::rebuild(&log, &store, &mut |_, _| {}).await.expect("the rebuild ends");
    let sql = rate(usize::try_from(events.get()).unwrap_or(usize::MAX), started.elapsed());
    row(
        "rebuilt into SQLite: events per second",
        &format!("{sql:.0} ({:.0} % of the bare consumer)", 100.0 * sql / bare),
    );
}

/// Real orders through the real system, until all have ended.
async fn fill(world: &World, log: &JetStreamLog) {
    let process = world.serve("api,executor", "0");
    let clients = (0..CLIENTS).map(|_| {
        let address = process.address.clone();
        tokio::spawn(async move {
            let mut connection = Client::connect(&address).await;
            for _ in 0..ORDERS / CLIENTS {
                connection.place().await;
            }
        })
    });
    join_all(clients).await;
    let goal = (ORDERS / CLIENTS * CLIENTS * 5) as u64;
    while log.info().await.expect("the stream answers").last_seq < Seq::new(goal) {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

async fn bare(log: &JetStreamLog, events: u64) -> f64 {
    let started = Instant::now();
    let mut tail = log.follow(After::START, None).await.expect("the stream can be followed");
    let (mut last, mut count) = (0, 0);
    while last < events {
        let records = tail.next(2000).await.expect("the tail goes on");
        last = records.last().map_or(last, |record| record.seq.get());
        count += records.len();
    }
    rate(count, started.elapsed())
}

/// Every order folded through its life cycle, kept.
async fn folded(log: &JetStreamLog, events: u64) -> f64 {
    let started = Instant::now();
    let mut tail = log.follow(After::START, None).await.expect("the stream can be followed");
    let mut orders = std::collections::HashMap::new();
    let (mut last, mut count) = (0, 0);
    while last < events {
        for record in tail.next(2000).await.expect("the tail goes on") {
            last = record.seq.get();
            count += 1;
            let Some(subject) = SwapSubject::parse(&record.subject) else { continue };
            match SwapEvent::decode(&record.payload).expect("a stored event can be read") {
                SwapEvent::Placed(placed) => drop(orders.insert(subject.order(), SwapOrder::new(placed))),
                event @ (SwapEvent::RoutingStarted(_)
                | SwapEvent::Routed(_)
                | SwapEvent::Prepared(_)
                | SwapEvent::RetryScheduled(_)
                | SwapEvent::ReviewNeeded(_)
                | SwapEvent::Confirmed(_)
                | SwapEvent::Failed(_)) => orders
                    .get_mut(&subject.order())
                    .expect("placed first")
                    .apply(event)
                    .expect("a legal life"),
            }
        }
    }
    assert_eq!(orders.len(), count / 5);
    rate(count, started.elapsed())
}
