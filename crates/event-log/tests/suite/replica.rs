//! The memory log plays a replica that is behind.

use fillstream_domain::{Incarnation, Seq};
use fillstream_event_log::{After, Consistency, EventLog, MemoryLog};

use crate::{
    records::{record, seqs},
    server::MEMORY_INCARNATION,
};

#[tokio::test]
async fn a_replica_that_is_behind_shows_less_and_the_leader_all() {
    let log = MemoryLog::new(Incarnation::new(MEMORY_INCARNATION));
    let subject = "orders.swap.1.progress";
    for after in 0..5 {
        log.append(record(subject, after)).await.unwrap();
    }
    assert!(!log.info().await.unwrap().replicated);
    let check = async |lag, consistency, expected: &[u64]| {
        log.set_replica_lag(lag);
        let page = log.read(subject, Seq::ZERO, consistency).await.unwrap();
        assert_eq!(seqs(&page.records), expected, "{lag} behind, {consistency:?}");
        let last = log.last(subject, consistency).await.unwrap();
        assert_eq!(last.map(|record| record.seq.get()), expected.last().copied());
        assert_eq!(log.info().await.unwrap().replicated, lag > 0);
    };
    check(0, Consistency::Any, &[1, 2, 3, 4, 5]).await;
    check(2, Consistency::Any, &[1, 2, 3]).await;
    check(2, Consistency::Leader, &[1, 2, 3, 4, 5]).await;
    check(9, Consistency::Any, &[]).await;
    check(9, Consistency::Leader, &[1, 2, 3, 4, 5]).await;

    // A fence is the leader's business, and so is a tail.
    log.set_replica_lag(5);
    assert_eq!(log.append(record(subject, 5)).await, Ok(Seq::new(6)));
    let mut tail = log.follow(After::START, None).await.unwrap();
    assert_eq!(seqs(&tail.next(10).await.unwrap()), [1, 2, 3, 4, 5, 6]);
}
