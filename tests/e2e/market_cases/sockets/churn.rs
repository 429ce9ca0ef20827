//! Thousands of clients that come and go, in all the ways in which one can go.

use fillstream_tests::raw::{Raw, frame, upgrade};
use futures_util::future::join_all;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{DOORS, Door, STREAMS, Usage, bystanders, freed, hear_pairs, pairs};
use crate::market_cases::{
    ANN,
    desk::{Desk, until, user},
};

/// Clients in all.
const CLIENTS: usize = 10_000;
/// Clients before it is measured what the process holds: buffers and pools have their size by then.
const FIRST: usize = 800;
/// Clients at the same time.
const AT_ONCE: usize = 80;
/// What memory may differ by: a leak of 2 KiB for each client shows.
const MEMORY_MARGIN: u64 = 20 << 20;

/// How a client goes.
#[derive(Debug, Clone, Copy)]
enum Parting {
    /// With a close, and its answer.
    Close,
    /// It closes the connection, unread messages and all.
    Hangup,
    /// It resets the connection.
    Reset,
    /// Before it has read that it is let in.
    Early,
}

const PARTINGS: [Parting; 4] = [Parting::Close, Parting::Hangup, Parting::Reset, Parting::Early];

/// Each is a user of its own.
async fn visit(desk: &Desk, n: usize) {
    let (door, parting) = (DOORS[n % 4], PARTINGS[n / 4 % 4]);
    let path = door.path().replace(ANN, &user(n));
    if let Parting::Early = parting {
        let mut stream = TcpStream::connect(desk.address()).await.expect("a connection");
        return stream.write_all(upgrade(desk.address(), &path).as_bytes()).await.expect("a request");
    }
    let mut raw = Raw::open(desk.address(), &path).await.expect("a socket");
    if door == Door::Many {
        for (stream, symbol) in STREAMS {
            let request = json!({"action": "subscribe", "stream": stream, "symbol": symbol});
            raw.write(&frame(0x81, request.to_string().as_bytes())).await;
        }
    }
    match parting {
        Parting::Close => assert_eq!(raw.close().await, Some(1000), "{door:?}"),
        Parting::Reset => raw.reset(),
        Parting::Hangup | Parting::Early => {}
    }
}

async fn visits(desk: &Desk, count: usize) {
    for first in (0..count).step_by(AT_ONCE) {
        join_all((first..count.min(first + AT_ONCE)).map(|n| visit(desk, n))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_come_and_go_and_leave_nothing_behind() {
    let desk = Desk::up(&[]);
    let mut others = bystanders(&desk).await;
    let quiet = Usage::of(&desk).await;
    visits(&desk, FIRST).await;
    // What the process keeps for its own: connections to its database, above all.
    let before = until("the first ones are gone", async || {
        let now = Usage::of(&desk).await;
        ((now.connections, now.subscriptions) == (quiet.connections, quiet.subscriptions)).then_some(now)
    });
    let before = before.await;
    visits(&desk, CLIENTS).await;
    let after = until("memory is back", async || {
        let now = freed(&desk, before).await;
        (now.memory <= before.memory + MEMORY_MARGIN).then_some(now)
    });
    println!("before {before:?}\nafter  {:?}", after.await);
    pairs(&desk, 1).await;
    hear_pairs(&mut others, 1).await;
}
