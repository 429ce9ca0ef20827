//! Latency: of a POST, until its confirmation is heard, and what the system adds to slow venues.

use std::time::{Duration, Instant};

use fillstream_nats_server::SyncMode;
use fillstream_tests::socket;
use futures_util::future::join_all;

use crate::{
    client::Client,
    figures::{heading, p50_p99, row},
    world::World,
};

/// Four steps of this long: quotes, building, submission, landing.
const STEP: Duration = Duration::from_millis(50);

pub(crate) async fn run() {
    for (sync, name) in [(SyncMode::Always, "durable (fsync)"), (SyncMode::OsBuffer, "server's default sync")]
    {
        heading(&format!("Latency, {name} (p50 / p99)"));
        for (clients, orders) in [(1, 1000), (50, 10_000), (200, 20_000)] {
            let world = World::new(sync);
            // Alone: executing the orders would be measured with it.
            let process = world.serve("api", "0");
            let mut samples = post(&process.address, clients, orders).await;
            row(&format!("POST, {clients} clients, api alone"), &p50_p99(&mut samples));
        }
        for clients in [1, 50] {
            let world = World::new(sync);
            let process = world.serve("api,executor,projector,bridge", "0");
            let mut samples = to_confirmed(&process.address, clients, 20 * clients.max(20)).await;
            row(
                &format!("POST to confirmed on the socket, {clients} clients, delays 0"),
                &p50_p99(&mut samples),
            );
        }
        let world = World::new(sync);
        let process = world.serve("api,executor,projector,bridge", "50ms");
        let mut samples = to_confirmed(&process.address, 50, 1000).await;
        for sample in &mut samples {
            *sample = sample.saturating_sub(STEP * 4);
        }
        row("added to four steps of 50 ms, 50 clients", &p50_p99(&mut samples));
    }
}

async fn post(address: &str, clients: usize, orders: usize) -> Vec<Duration> {
    let clients = (0..clients).map(|_| {
        let address = address.to_owned();
        tokio::spawn(async move {
            let mut connection = Client::connect(&address).await;
            let mut samples = Vec::new();
            for _ in 0..orders / clients {
                let started = Instant::now();
                connection.place().await;
                samples.push(started.elapsed());
            }
            samples
        })
    });
    join_all(clients).await.into_iter().flat_map(|client| client.expect("a client ends")).collect()
}

/// From the POST to the confirmed message on a socket that is opened right after the 201.
async fn to_confirmed(address: &str, clients: usize, orders: usize) -> Vec<Duration> {
    let clients = (0..clients).map(|_| {
        let address = address.to_owned();
        tokio::spawn(async move {
            let mut connection = Client::connect(&address).await;
            let mut samples = Vec::new();
            for _ in 0..orders / clients {
                let started = Instant::now();
                let order = connection.place().await;
                let mut socket =
                    socket::Client::progress(&address, &order, "").await.expect("the socket opens");
                while let socket::Heard::Message(message) = socket.hear().await {
                    if message["type"] == "confirmed" {
                        break;
                    }
                }
                samples.push(started.elapsed());
            }
            samples
        })
    });
    join_all(clients).await.into_iter().flat_map(|client| client.expect("a client ends")).collect()
}
