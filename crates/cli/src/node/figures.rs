//! Figures that others keep, read at each look at `/metrics`.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use fillstream_event_log::{EventLog, Link};
use fillstream_http_edge::{Limits, Unfinishing};
use fillstream_http_server::Places;
use fillstream_metrics::Metrics;
use fillstream_parked::list;
use fillstream_read_store::ReadStore;
use fillstream_stream_bridge::Hub;
use tokio::{
    runtime::Handle,
    sync::watch,
    time::{Instant, sleep},
};

use super::health::Health;

/// Between two counts of the parked entries.
const COUNT_EVERY: Duration = Duration::from_secs(30);

/// Those of the process, the stream and the sockets.
pub(crate) fn register(health: &Health) {
    let watched = health.watched();
    let (metrics, started): (&Metrics, _) = (&watched.watching.metrics, Instant::now());
    metrics.gauge("uptime_seconds", "Since the process started", move || started.elapsed().as_secs());
    // Asked from within the runtime, whose figure it is.
    let handle = Handle::current();
    metrics.gauge("tasks", "Tasks of the process now; one for each socket among them", move || {
        handle.metrics().num_alive_tasks() as u64
    });
    let link = watched.log.link();
    metrics.gauge("stream_up", "1 while the stream can be reached", move || {
        u64::from(*link.borrow() == Link::Up)
    });
    let appends = watched.watching.appends.watch();
    metrics.gauge("stream_appendable", "0 after an append that failed, until one is stored", move || {
        u64::from(appends.borrow().is_none())
    });
    parked(metrics, Arc::clone(&watched.log));
    if let Some(hub) = &watched.hub {
        sockets(metrics, hub);
    }
}

/// Entries that wait for an operator, counted now and then, for as long as the figure can be asked for.
fn parked(metrics: &Metrics, log: Arc<dyn EventLog>) {
    let (counted, entries) = watch::channel(0);
    metrics.gauge(
        "parked_entries",
        "Parked entries that wait for a decision, counted every 30 s",
        move || *entries.borrow(),
    );
    tokio::spawn(async move {
        while !counted.is_closed() {
            // What cannot be counted stays what it was: that the stream is away is told by other figures.
            if let Ok(open) = list(&*log).await {
                counted.send_replace(open.len() as u64);
            }
            sleep(COUNT_EVERY).await;
        }
    });
}

fn sockets(metrics: &Metrics, hub: &Arc<Hub>) {
    let read = |read: fn(&Hub) -> u64| {
        let hub = Arc::clone(hub);
        move || read(&hub)
    };
    metrics.gauge("sockets", "Sockets open now", read(|hub| hub.counters().connections.get()));
    let about = "Orders and channels of the market that sockets watch now, each counted for each socket";
    metrics.gauge("subscriptions", about, read(|hub| hub.counters().subscriptions.get()));
    let about = "Messages written to sockets";
    metrics.counter("messages_sent", about, read(|hub| hub.counters().messages_sent.get()));
    let about = "Times that a socket was told fell_behind";
    metrics.counter("fell_behind", about, read(|hub| hub.counters().fell_behind.get()));
    let about = "Histories read from the stream";
    metrics.counter("histories_read", about, read(|hub| hub.counters().histories_read.get()));
    let about = "Histories read again because a replica was behind";
    metrics.counter("stale_reads", about, read(|hub| hub.counters().stale_reads.get()));
    let about = "Times that the tail's consumer was set up again";
    metrics.counter("tail_recreated", about, read(|hub| hub.counters().tail_recreated.get()));
    let about =
        "Upgrades refused because the process is full or going down, or the address or user has its share";
    metrics.counter("upgrades_refused", about, read(|hub| hub.counters().refused.get()));
    let (closed, about) =
        (Arc::clone(hub), "Sockets that have ended, by close code; 1006: the peer has gone");
    metrics.counters("sockets_closed", about, "code", move || {
        let all = closed.counters().closed.all().into_iter();
        all.map(|(code, count)| (code.to_string(), count)).collect()
    });
}

/// Connections of the read model.
pub(crate) fn rows(metrics: &Metrics, store: &ReadStore) {
    let (open, idle) = (store.clone(), store.clone());
    let about = "Connections to the database for reading that are open now";
    metrics.gauge("database_connections", about, move || open.connections().0);
    let about = "Of these: nobody uses them";
    metrics.gauge("database_connections_idle", about, move || idle.connections().1);
}

/// What the door refuses, and how many connections it has.
pub(crate) fn door(
    metrics: &Metrics,
    limits: Arc<Limits>,
    places: Arc<Places>,
    unfinishing: Arc<Unfinishing>,
) {
    let taken = Arc::clone(&places);
    metrics.gauge("connections", "HTTP connections open now", move || taken.taken() as u64);
    let about = "Connections and requests refused, by the limit that refused them";
    metrics.counters("limits_refused", about, "limit", move || {
        let (refusals, refused) = (limits.refusals(), places.refused());
        let counted = [
            ("connections", &refused.full),
            ("connections_of_address", &refused.of_address),
            ("requests_of_address", &refusals.requests_of_address),
            ("requests_of_user", &refusals.requests_of_user),
            ("orders_of_user", &refusals.orders_of_user),
            ("cancels_of_user", &refusals.cancels_of_user),
        ];
        let counted = counted.map(|(limit, count)| (limit, count.load(Ordering::Relaxed))).into_iter();
        let all = counted.chain([("unfinished_messages", unfinishing.given_up())]);
        all.map(|(limit, count)| (limit.to_owned(), count)).collect()
    });
}
