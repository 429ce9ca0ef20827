//! A deep stream: books as they were, and a restart after a kill.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use fillstream_domain::{OrderId, Seq, book::Commit, subject::market_commits};
use fillstream_event_log::{Consistency, EventLog, JetStreamLog, SnapshotStore};
use fillstream_nats_server::SyncMode;
use fillstream_order_book::flow::{Ask, Flow};
use fillstream_tests::Process;
use futures_util::future::join_all;

use crate::{
    client::{self, Client, get},
    events,
    figures::{heading, p50_p99, percentile, row},
    size::Size,
    world::World,
};

const ROLES: &str = "api,matcher,projector,bridge";
/// Inputs that are appended side by side.
const WAVE: usize = 2000;
/// Books asked for.
const BOOKS: u64 = 500;
/// Restarts of each kind.
const RESTARTS: usize = 5;
const POLL: Duration = Duration::from_millis(2);
const SEED: u64 = 1;

/// Either or both, over the same stream.
pub(crate) async fn run(size: Size, past: bool, recovery: bool) {
    let (events, open) = (size.of(1_000_000) as u64, size.of(100_000));
    heading(&format!("A stream of {events} events, {open} open orders, server's default sync"));
    let world = World::new(SyncMode::OsBuffer);
    let log = world.log().await;
    let mut process = world.serve(ROLES, "0");
    world.ready(&process).await;
    let started = Instant::now();
    let last_input = fill(&log, events, open).await;
    covered(&log, last_input).await;
    world.ready(&process).await;
    row("filled, matched and projected", &format!("{:.1} s", started.elapsed().as_secs_f64()));
    let last = log.info().await.expect("the stream answers").last_seq;
    row("events in the stream", &last.to_string());
    if past {
        let mut samples = books(&process, last.get(), BOOKS).await;
        row(&format!("GET book?at= at {BOOKS} random sequences (p50 / p99)"), &p50_p99(&mut samples));
    }
    if recovery {
        for (name, forget) in [("with snapshots", false), ("without any snapshot", true)] {
            let mut samples = Vec::new();
            for _ in 0..RESTARTS {
                samples.push(restart(&world, &log, &mut process, forget).await);
            }
            let slowest = percentile(&mut samples, 1.0).as_secs_f64();
            let median = percentile(&mut samples, 0.5).as_secs_f64();
            row(
                &format!("kill -9 to ready, {name} (median, slowest of {RESTARTS})"),
                &format!("{median:.2} s, {slowest:.2} s"),
            );
        }
    }
}

/// Appends the flow's inputs until the stream has so many events; the last input's sequence.
async fn fill(log: &JetStreamLog, events: u64, open: usize) -> u64 {
    let mut flow = Flow::new(SEED, open);
    let mut placed: HashMap<OrderId, u64> = HashMap::new();
    // Cancels of orders of the same wave: they come behind them.
    let mut late: Vec<Ask> = Vec::new();
    let mut last = 0;
    while last < events {
        let (mut wave, mut orders, behind) = (Vec::new(), Vec::new(), std::mem::take(&mut late));
        for ask in behind.into_iter().chain(flow.by_ref().take(WAVE)) {
            let after = match ask {
                Ask::Place(_) => 0,
                Ask::Cancel(order, _) => match placed.remove(&order) {
                    Some(seq) => seq,
                    None => {
                        late.push(ask);
                        continue;
                    }
                },
            };
            orders.push(match ask {
                Ask::Place(order) => Some(order.order_id),
                Ask::Cancel(..) => None,
            });
            wave.push(log.append(events::book_input(&events::of_flow(&ask), after)));
        }
        for (order, appended) in orders.into_iter().zip(join_all(wave).await) {
            let seq = appended.expect("the log takes it");
            last = last.max(seq.get());
            if let Some(order) = order {
                placed.insert(order, seq.get());
            }
        }
    }
    last
}

/// Waits until the matcher has committed the outcome of this input.
async fn covered(log: &JetStreamLog, input: u64) {
    let subject = market_commits(&events::symbol());
    loop {
        let last = log.last(&subject, Consistency::Leader).await.expect("the stream answers");
        let commit = last.map(|record| Commit::decode(&record.payload).expect("a commit can be read"));
        if commit.is_some_and(|commit| commit.last_input >= Seq::new(input)) {
            return;
        }
        tokio::time::sleep(POLL * 10).await;
    }
}

/// So many books at places up to `last`.
async fn books(process: &Process, last: u64, count: u64) -> Vec<Duration> {
    let mut client = Client::connect(&process.address).await;
    let mut samples = Vec::new();
    for number in 1..=count {
        // Spread over the stream without a pattern.
        let at = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % last + 1;
        let request = get(&process.address, &format!("/api/v1/markets/BTC-USDT/book?at={at}"));
        let started = Instant::now();
        let book = client.ask(&request, "200").await;
        samples.push(started.elapsed());
        // The first commit comes behind a wave or two.
        assert!(book.contains(r#""bids":[["#) || at < 10 * WAVE as u64, "an empty book at {at}: {book}");
    }
    samples
}

/// Kills the process, perhaps forgets all snapshots, and starts another one; how long until that is ready.
async fn restart(world: &World, log: &JetStreamLog, process: &mut Process, forget: bool) -> Duration {
    process.kill();
    if forget {
        let snapshots = log.snapshots();
        for name in snapshots.names("").await.expect("the store answers") {
            snapshots.delete(&name).await.expect("the store forgets it");
        }
    }
    let started = Instant::now();
    *process = world.serve(ROLES, "0");
    while !client::is_ready(&process.address).await {
        tokio::time::sleep(POLL).await;
    }
    started.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_stream_is_filled_looked_back_into_and_taken_up_again() {
        let world = World::new(SyncMode::OsBuffer);
        let log = world.log().await;
        let mut process = world.serve(ROLES, "0");
        world.ready(&process).await;
        let last_input = fill(&log, 5000, 500).await;
        covered(&log, last_input).await;
        assert_eq!(books(&process, last_input, 20).await.len(), 20);
        for forget in [false, true] {
            restart(&world, &log, &mut process, forget).await;
            let log = world.log().await;
            covered(&log, last_input).await;
        }
    }
}
