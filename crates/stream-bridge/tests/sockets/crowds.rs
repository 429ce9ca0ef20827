//! Many sockets at once.

use std::{fs, sync::Arc};

use fillstream_stream_bridge::Settings;
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::{
    client::Client,
    life::{GOOD, order},
    rig::{Rig, settings, until},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients_of_one_order_get_the_same_bytes() {
    let rig = Rig::start(settings()).await;
    rig.append(order(1), &GOOD[..1]).await;
    rig.caught_up().await;
    let url = rig.url(true, order(1));
    let mut clients = join_all((0..1000).map(|_| Client::connect(&url))).await;
    join_all(clients.iter_mut().map(|client| client.until_type("backfill"))).await;
    let sent = rig.hub.counters().messages_sent.get();
    rig.append(order(1), &GOOD[1..2]).await;
    join_all(clients.iter_mut().map(|client| client.until_type("routing"))).await;
    assert_eq!(rig.hub.counters().messages_sent.get() - sent, 1000);
    let first = clients[0].texts.last().unwrap().clone();
    assert!(clients.iter().all(|client| client.texts.last() == Some(&first)));
    assert_eq!(rig.hub.counters().histories_read.get(), 0, "the order was placed since the start");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_reconnect_and_share_the_reads() {
    const ORDERS: u128 = 50;
    let rig = Rig::start(settings()).await;
    let mut after = Vec::new();
    for number in 0..ORDERS {
        rig.append(order(number), &GOOD[..3]).await;
        rig.caught_up().await;
        let mut client = Client::connect(&rig.url(true, order(number))).await;
        client.until_type("backfill").await;
        after.push(client.token);
        rig.append(order(number), &GOOD[3..4]).await;
    }
    // The process that they were connected to is gone; this one has just begun.
    let twin = Arc::new(rig.twin().await);
    let started = Instant::now();
    let reconnects = (0..5000).map(|socket| {
        let (twin, number) = (Arc::clone(&twin), socket % ORDERS);
        let url =
            format!("{}after={}", twin.url(true, order(number)), after[usize::try_from(number).unwrap()]);
        tokio::spawn(async move {
            let mut client = Client::connect(&url).await;
            let backfill = client.until_type("backfill").await;
            assert_eq!(client.shown.len(), 2, "{backfill}");
            client
        })
    });
    let clients = join_all(reconnects).await;
    let took = started.elapsed();
    println!("5,000 reconnects took {took:?}");
    let counters = twin.hub.counters();
    assert_eq!((counters.connections.get(), counters.subscriptions.get()), (5000, 5000));
    assert!(
        counters.histories_read.get() <= u64::try_from(ORDERS).unwrap(),
        "{}",
        counters.histories_read.get()
    );
    assert!(took.as_secs() < 5, "{took:?}");
    drop(clients);
    until("all are gone", || counters.connections.get() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_come_and_go_and_nothing_stays() {
    let rig = Rig::start(Settings { max_sockets: 2000, ..settings() }).await;
    for number in 0..20 {
        rig.append(order(number), &GOOD[..2]).await;
    }
    let counters = rig.hub.counters();
    let counts = || {
        [&counters.connections, &counters.subscriptions, &counters.orders_watched].map(|count| count.get())
    };
    for wave in 0..20_u128 {
        let clients = join_all((0..100_u128).map(async |socket| {
            let url = rig.url(socket % 3 > 0, order(socket % 20));
            let mut client = Client::connect(&url).await;
            // Some go before they have heard anything.
            if socket % 5 > 0 {
                client.until_type("backfill").await;
            }
            client
        }))
        .await;
        assert!(open_sockets(rig.address.port()) > 0);
        for (mut client, way) in clients.into_iter().zip(wave..) {
            match way % 3 {
                0 => drop(client),
                1 => drop(client.socket.close(None).await),
                _ => drop(client.socket.into_inner()),
            }
        }
    }
    until("all are gone", || counts() == [0, 0, 0]).await;
    until("the kernel has none left", || open_sockets(rig.address.port()) == 0).await;
}

/// Connections on this side of the port that the kernel holds for a process: neither listening nor waiting its time out.
fn open_sockets(port: u16) -> usize {
    let table = fs::read_to_string("/proc/self/net/tcp").unwrap();
    let local = format!(":{port:04X}");
    let open = |line: &&str| {
        let mut fields = line.split_whitespace().skip(1);
        let (at, state) = (fields.next().unwrap(), fields.nth(1).unwrap());
        at.ends_with(&local) && !["0A", "06"].contains(&state)
    };
    table.lines().skip(1).filter(open).count()
}
