//! Limits of a page on the real log.

use fillstream_domain::{Incarnation, Seq};
use fillstream_event_log::{Consistency, EventLog, LogError, MemoryLog};
use futures_util::future::join_all;

use crate::{
    records::{pages, placed, record, sized, stored_as},
    server::{MEMORY_INCARNATION, Server},
};

#[tokio::test]
async fn a_page_ends_at_a_megabyte() {
    let server = Server::durable();
    let log = server.log().await;
    let subject = "orders.swap.1.progress";
    let mut stored = Vec::new();
    // The fourth alone is nearly a page.
    for bytes in [400_000, 400_000, 400_000, 990_000, 10, 10] {
        let after = stored.len() as u64;
        let mut record = sized(subject, bytes);
        record.after = Seq::new(after);
        let seq = log.append(record.clone()).await.unwrap();
        stored.push(stored_as(&log, &record, seq.get()).await);
    }
    for consistency in [Consistency::Any, Consistency::Leader] {
        let pages = pages(&log, subject, consistency).await;
        for page in &pages {
            let bytes: usize = page.records.iter().map(|record| record.payload.len()).sum();
            // What passes the limit is the last of its page.
            let before_last = bytes - page.records.last().unwrap().payload.len();
            assert!(before_last < 1 << 20, "{bytes} bytes in a page, {consistency:?}");
        }
        assert!(pages.len() > 1, "{consistency:?}");
        let records: Vec<_> = pages.into_iter().flat_map(|page| page.records).collect();
        assert_eq!(records, stored, "{consistency:?}");
    }
}

#[tokio::test]
async fn more_subjects_than_one_answer_holds_are_an_error() {
    let server = Server::os_buffered();
    let logs: [Box<dyn EventLog>; 2] =
        [Box::new(server.log().await), Box::new(MemoryLog::new(Incarnation::new(MEMORY_INCARNATION)))];
    for log in logs {
        join_all((0..1_024).map(placed).map(|record| log.append(record))).await;
        assert_eq!(log.last_of_each("orders.swap.*.placed").await.unwrap().len(), 1_024);
        log.append(placed(1_024)).await.unwrap();
        let refused = log.last_of_each("orders.swap.*.placed").await;
        assert!(matches!(refused, Err(LogError::Server(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn many_histories_at_once_do_not_mix() {
    let server = Server::os_buffered();
    let log = server.log().await;
    let subject = |n: usize| format!("orders.swap.{n}.progress");
    let mut last = vec![0; 50];
    for _ in 0..20 {
        let appends = (0..50).map(|n| log.append(record(subject(n), last[n])));
        last = join_all(appends).await.into_iter().map(|seq| seq.unwrap().get()).collect();
    }
    let reads = (0..200).map(async |n| {
        let consistency = if n < 100 { Consistency::Any } else { Consistency::Leader };
        let page = log.read(&subject(n % 50), Seq::ZERO, consistency).await.unwrap();
        assert!(page.records.iter().all(|record| record.subject == subject(n % 50)));
        assert_eq!((page.records.len(), page.more), (20, false));
    });
    join_all(reads).await;
}
