//! A replicated stream, whose replicas answer with less than was acknowledged.

use std::sync::Arc;

use crate::{
    client::Client,
    life::{GOOD, order},
    rig::{Rig, settings},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_knows_nothing_is_passed_over() {
    let rig = Rig::start(settings()).await;
    rig.append(order(1), &GOOD[..3]).await;
    let twin = rig.twin().await;
    rig.log.calm.set_replica_lag(1000);
    let mut client = Client::connect(&twin.url(true, order(1))).await;
    client.until_type("backfill").await;
    assert_eq!(client.shown, rig.channel(order(1), true).await);
    let counters = twin.hub.counters();
    assert_eq!((counters.stale_reads.get(), counters.histories_read.get()), (3, 1), "then the leader");
    let unknown = Client::try_connect(&twin.url(true, order(2)), &[]).await.err().unwrap();
    assert_eq!(unknown.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joins_beside_a_publisher_never_see_the_hole() {
    let rig = Arc::new(Rig::start(settings()).await);
    rig.log.calm.set_replica_lag(40);
    let mut joins = Vec::new();
    for number in 0..120 {
        // Hubs that know nothing of the order, so that its history must be read.
        let twin = rig.twin().await;
        let every_step = number % 2 == 0;
        let url = twin.url(every_step, order(number / 4));
        if number % 4 == 0 {
            rig.append(order(number / 4), &GOOD[..2]).await;
        } else {
            let next = usize::try_from(number % 4).unwrap() + 1;
            rig.append(order(number / 4), &GOOD[next..=next]).await;
        }
        joins.push(tokio::spawn(async move {
            // All of it, for as long as the client is connected.
            let twin = twin;
            let mut client = Client::connect(&url).await;
            assert_eq!(client.until_close().await.0, 1000);
            (client.shown, twin.hub.counters().stale_reads.get())
        }));
    }
    let mut stale = 0;
    for (join, number) in joins.into_iter().zip(0..) {
        let (shown, stale_reads) = join.await.unwrap();
        assert_eq!(shown, rig.channel(order(number / 4), number % 2 == 0).await, "join {number}");
        stale += stale_reads;
    }
    assert!(stale > 20, "replicas were behind: {stale}");
}
