//! Times at which the stream took a record.

use std::time::{SystemTime, UNIX_EPOCH};

use fillstream_domain::{Incarnation, Seq};
use fillstream_event_log::{After, Consistency, EventLog, MemoryLog, Record, WorkQueue};

use crate::{
    records::{fill, placed, record, soon, take},
    server::{MEMORY_INCARNATION, Server, on_each_log},
};

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A record as each way of reading gives it.
async fn each_way(log: &dyn EventLog, subject: &str) -> Vec<Record> {
    let mut found = log.last_of_each(subject).await.unwrap();
    for consistency in [Consistency::Any, Consistency::Leader] {
        found.extend(log.read(subject, Seq::ZERO, consistency).await.unwrap().records);
        found.extend(log.first(subject, consistency).await.unwrap());
        found.extend(log.last(subject, consistency).await.unwrap());
    }
    found.extend(take(&mut *log.follow(After::START, Some(subject)).await.unwrap(), 1).await);
    found
}

#[tokio::test]
async fn every_reader_is_told_the_same_time() {
    on_each_log(async |log| {
        let mut last = now();
        for n in 0..20 {
            fill(&*log, &[placed(n)]).await;
            let found = each_way(&*log, &placed(n).subject).await;
            assert_eq!(found.len(), 8);
            let stored_at = found[0].stored_at;
            assert!(found.iter().all(|record| record.stored_at == stored_at), "{found:?}");
            assert!((last..=now()).contains(&stored_at), "{stored_at} is not from {last} to {}", now());
            last = stored_at;
        }
    })
    .await;
}

#[tokio::test]
async fn it_is_the_servers_time_truncated() {
    let server = Server::os_buffered();
    let log = server.log().await;
    let stream = server.witness().await.stream().await;
    let consumer = serde_json::json!({
        "durable_name": "executor", "filter_subject": "orders.swap.*.placed", "ack_policy": "explicit"
    });
    let mut queue = log.work(&consumer);
    for n in 0..20 {
        let stored = fill(&log, &[placed(n)]).await.remove(0);
        let nanos = stream.direct_get(stored.seq.get()).await.unwrap().time.unix_timestamp_nanos();
        assert_eq!(i128::from(stored.stored_at), nanos.div_euclid(1_000_000));
        let work = soon("work", queue.next()).await;
        assert_eq!(work.record, stored);
        work.ack().await;
    }
}

#[tokio::test]
async fn a_test_sets_the_time_of_a_log_in_memory() {
    let log = MemoryLog::new(Incarnation::new(MEMORY_INCARNATION));
    let stamp = async |n: usize| {
        log.append(placed(n)).await.unwrap();
        log.last(&placed(n).subject, Consistency::Any).await.unwrap().unwrap().stored_at
    };
    let before = now();
    let stamped = stamp(0).await;
    assert!((before..=now()).contains(&stamped));
    for (n, ms) in [1_000, 1_000, 1_001, 999, -1, i64::MAX].into_iter().enumerate() {
        log.set_time(ms);
        assert_eq!((stamp(2 * n + 1).await, stamp(2 * n + 2).await), (ms, ms));
    }
    log.set_time(5);
    let parts = vec!["2".into(), "3".into()];
    log.append_parts(record("markets.SOL-USDC", 0), parts, None).await.unwrap();
    let page = log.read("markets.SOL-USDC", Seq::ZERO, Consistency::Any).await.unwrap();
    assert_eq!(page.records.iter().map(|record| record.stored_at).collect::<Vec<_>>(), [5, 5, 5]);
}
