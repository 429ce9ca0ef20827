//! A stream that loses its end, or is another one: rows that are ahead are rescued and rebuilt, while the projector lives and
//! at its start.

use std::fs;

use fillstream_domain::{Incarnation, Seq, subject};
use fillstream_event_log::{Consistency, EventLog, MemoryLog};
use fillstream_projector::{lost_transactions, rebuild, rescued_files};
use fillstream_read_store::Checkpoint;
use serde_json::Value;

use crate::site::{INCARNATION, PATIENCE, Site, created, order, part, symbol};

/// The lines of the one file of rescued rows.
fn rescued(site: &Site) -> Vec<Value> {
    let files = rescued_files(&site.directory).unwrap();
    assert_eq!(files.len(), 1, "{files:?}");
    let text = fs::read_to_string(&files[0]).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Definition and order 1 with their commits, then the swap's events and orders 2 and 3, of which the last is committed.
fn eleven(site: &Site) -> Vec<u64> {
    site.begin();
    let swap = site.swap(1);
    let placed = [site.place(2), site.place(3)];
    site.commit(&part((8, 9), 1, true, created(9, 3)));
    swap.into_iter().chain(placed).collect()
}

#[tokio::test]
async fn what_only_the_rows_know_is_rescued_while_it_lives() {
    let site = Site::new().await;
    assert_eq!(eleven(&site), [5, 6, 7, 8, 9]);
    let running = site.start();
    running.reach(10).await;
    // The swap is still placed, nothing more of it; order 2 and 3 are gone.
    site.log.put_back(Seq::new(5));
    // What comes next has numbers that the rows have seen.
    let again = [site.place(2), site.place(4)];
    assert_eq!(again, [6, 7]);
    running.stands_at(7).await;
    site.is_as_rebuilt().await;
    let lines = rescued(&site);
    let of = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).collect::<Vec<_>>();
    let swaps = of("swap_order");
    assert_eq!(swaps.len(), 1, "{lines:?}");
    assert_eq!(
        (&swaps[0]["order_id"], &swaps[0]["placed_in_stream"]),
        (&Value::from(order(1).to_string()), &Value::from(true))
    );
    let events: Vec<_> =
        swaps[0]["lost_events"].as_array().unwrap().iter().map(|lost| &lost["event"]["type"]).collect();
    assert_eq!(
        events,
        ["swap.routing_started", "swap.prepared"],
        "a transaction that may have been sent is among them"
    );
    // Order 2 came again: the stream has it.
    let orders: Vec<_> = of("book_order").iter().map(|line| line["order_id"].clone()).collect();
    assert_eq!(orders, [order(3).to_string()]);
    assert_eq!(running.projector.rescued(), lines.len() as u64);
    assert!(running.projector.obstacles().all().is_empty());
    // And it goes on.
    let next = site.place(5);
    running.reach(next).await;
    site.is_as_rebuilt().await;
}

#[tokio::test]
async fn a_start_finds_it_too() {
    for back_to in [0, 3, 8, 9] {
        let site = Site::new().await;
        eleven(&site);
        let running = site.start();
        running.reach(10).await;
        running.stop().await;
        site.log.put_back(Seq::new(back_to));
        // As many records as before, and more: only the record itself tells.
        for number in 20..25 {
            site.place(number);
        }
        let last = back_to + 5;
        let running = site.start();
        running.stands_at(last).await;
        site.is_as_rebuilt().await;
        running.stop().await;
    }
}

#[tokio::test]
async fn rows_of_another_stream_are_rescued_and_rebuilt() {
    let site = Site::new().await;
    eleven(&site);
    let running = site.start();
    running.reach(10).await;
    running.stop().await;
    let log = MemoryLog::new(Incarnation::new(8));
    let other = Site { log, store: site.store.clone(), directory: site.directory.clone() };
    other.begin();
    let running = other.start();
    running.stands_at(4).await;
    other.is_as_rebuilt().await;
    assert!(rescued(&other).iter().any(|line| line["kind"] == "swap_order"));
}

#[tokio::test]
async fn a_rebuild_waits_for_nothing_beyond_the_stream_s_end() {
    let site = Site::new().await;
    eleven(&site);
    let running = site.start();
    running.reach(10).await;
    running.stop().await;
    for back_to in [4, 0] {
        site.log.put_back(Seq::new(back_to));
        let rebuilt = tokio::time::timeout(PATIENCE, rebuild(&site.log, &site.store, &mut |_, _| {})).await;
        assert_eq!(rebuilt.unwrap().unwrap().seq, Seq::new(back_to));
    }
}

/// A checkpoint of an older version does not say which record it is: the leader does, once.
#[tokio::test]
async fn an_old_checkpoint_is_adopted() {
    let site = Site::new().await;
    eleven(&site);
    let running = site.start();
    running.reach(10).await;
    running.stop().await;
    let known = site.store.checkpoint().await.unwrap().unwrap();
    site.execute("UPDATE read_model SET record_id = NULL").await;
    assert_eq!(site.store.checkpoint().await.unwrap(), Some(Checkpoint { record: None, ..known }));
    let running = site.start();
    let next = site.place(6);
    running.reach(next).await;
    site.is_as_rebuilt().await;
    running.stop().await;
    // One that is beyond the stream's end is no checkpoint of it.
    site.execute("UPDATE read_model SET record_id = NULL, seq = 4711").await;
    let running = site.start();
    running.stands_at(next).await;
    site.is_as_rebuilt().await;
    assert_eq!(site.log.incarnation(), INCARNATION);
    assert!(
        site.log
            .last(&subject::book_order(&symbol(), order(6)), Consistency::Leader)
            .await
            .unwrap()
            .is_some()
    );
}

/// An executor asks before it begins: the transaction may have been sent.
#[tokio::test]
async fn transactions_that_only_the_rows_know_are_told() {
    let site = Site::new().await;
    eleven(&site);
    let running = site.start();
    running.reach(10).await;
    running.stop().await;
    let told = async |site: &Site| {
        let lost = lost_transactions(&site.log, &site.store).await.unwrap();
        lost.into_iter().map(|(record, lost)| (record.seq.get(), lost.order_id)).collect::<Vec<_>>()
    };
    assert_eq!(told(&site).await, [], "the stream holds all of it");
    for (back_to, lost) in [(9, vec![]), (6, vec![(7, order(1))]), (3, vec![(7, order(1))])] {
        site.log.put_back(Seq::new(back_to));
        // As many records as before: only the record itself tells.
        for number in 20..30 {
            site.place(number);
        }
        assert_eq!(told(&site).await, lost, "put back to {back_to}");
    }
    let (log, directory) = (MemoryLog::new(Incarnation::new(8)), site.directory.join("other"));
    let other = Site { log, store: site.store.clone(), directory };
    other.begin();
    assert_eq!(told(&other).await, [], "another stream never knew of it");
}
