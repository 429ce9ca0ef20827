//! The working queue.

use std::time::{Duration, Instant};

use fillstream_domain::Seq;
use fillstream_event_log::{EventLog, JetStreamLog, Work, WorkQueue};
use serde_json::{Value, json};

use crate::{
    records::{eventually, placed, record, soon},
    server::Server,
};

const EXECUTOR: &str = include_str!("../../../../nats/consumers/executor.json");
/// Until a record is handed out again: short, but not so short that a busy machine does it by mistake.
const ACK_WAIT: Duration = Duration::from_millis(1_000);

/// The executor's queue, with that wait.
async fn queue(log: &JetStreamLog) -> WorkQueue {
    let mut definition: Value = serde_json::from_str(EXECUTOR).unwrap();
    assert_eq!(definition["max_deliver"], json!(-1), "no order is given up by the queue");
    definition["ack_wait"] = json!(u64::try_from(ACK_WAIT.as_nanos()).unwrap());
    log.work(&definition).await.unwrap()
}

async fn next(queue: &mut WorkQueue) -> Work {
    soon("work", queue.next()).await
}

/// The server has nothing left to hand out, and nothing that is not acknowledged.
async fn is_done(server: &Server) {
    let witness = server.witness().await;
    eventually("all is acknowledged", async || {
        let info = witness.api("CONSUMER.INFO.ORDERS.executor", "").await;
        info["num_pending"] == 0 && info["num_ack_pending"] == 0
    })
    .await;
}

#[tokio::test]
async fn what_is_done_is_handed_out_once() {
    let server = Server::durable();
    let log = server.log().await;
    let mut placed = placed(1);
    placed.traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    log.append(placed.clone()).await.unwrap();
    // Not the executor's.
    log.append(record("orders.swap.1.progress", 0)).await.unwrap();
    let mut queue = queue(&log).await;
    let work = next(&mut queue).await;
    assert_eq!((work.record.seq, &work.record.subject), (Seq::FIRST, &placed.subject));
    assert_eq!((work.record.event_id, &work.record.payload), (Some(placed.event_id), &placed.payload));
    assert_eq!((work.delivered, &work.traceparent), (1, &placed.traceparent));
    work.done().await;
    is_done(&server).await;
    assert!(tokio::time::timeout(ACK_WAIT * 2, queue.next()).await.is_err());
}

#[tokio::test]
async fn what_nobody_acknowledges_is_handed_out_for_ever() {
    let server = Server::durable();
    let log = server.log().await;
    log.append(placed(1)).await.unwrap();
    let mut queue = queue(&log).await;
    for delivered in 1..=8 {
        let begin = Instant::now();
        let work = next(&mut queue).await;
        assert_eq!((work.record.seq, work.delivered), (Seq::FIRST, delivered));
        let waited = begin.elapsed();
        assert!(delivered == 1 || waited > ACK_WAIT / 2, "again after {waited:?}");
        assert!(waited < ACK_WAIT * 4, "again only after {waited:?}");
    }
}

#[tokio::test]
async fn what_is_in_progress_is_kept_and_what_is_for_later_comes_later() {
    let server = Server::durable();
    let log = server.log().await;
    log.append(placed(1)).await.unwrap();
    let (mut mine, mut other) = (queue(&log).await, queue(&log).await);
    let work = tokio::select! {
        work = next(&mut mine) => work,
        work = next(&mut other) => work,
    };
    let begin = Instant::now();
    while begin.elapsed() < ACK_WAIT * 3 {
        work.in_progress().await;
        let again = tokio::time::timeout(ACK_WAIT / 5, async {
            tokio::select! { work = mine.next() => work, work = other.next() => work }
        });
        assert!(again.await.is_err(), "handed out again after {:?}", begin.elapsed());
    }
    let begin = Instant::now();
    work.later(ACK_WAIT * 2).await;
    let again = tokio::select! { work = next(&mut mine) => work, work = next(&mut other) => work };
    assert_eq!((again.record.seq, again.delivered), (Seq::FIRST, 2));
    let waited = begin.elapsed();
    assert!(waited > ACK_WAIT * 3 / 2 && waited < ACK_WAIT * 5, "later is {waited:?}");
    again.done().await;
    is_done(&server).await;
}

/// Takes and does work until there is none for a while.
async fn work_off(mut queue: WorkQueue) -> Vec<(u64, u64)> {
    let mut done = Vec::new();
    while let Ok(work) = tokio::time::timeout(ACK_WAIT * 2, queue.next()).await {
        work.done().await;
        done.push((work.record.seq.get(), work.delivered));
        tokio::task::yield_now().await;
    }
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_the_work() {
    let server = Server::durable();
    let (one, other) = (server.log().await, server.log().await);
    let (first, second) = (queue(&one).await, queue(&other).await);
    let workers = [tokio::spawn(work_off(first)), tokio::spawn(work_off(second))];
    for wave in 0..10 {
        let appends = (wave * 100..(wave + 1) * 100).map(|n| one.append(placed(n)));
        assert!(futures_util::future::join_all(appends).await.iter().all(Result::is_ok));
    }
    let mut done = Vec::new();
    for worker in workers {
        let by_one = soon("a worker ends", worker).await.unwrap();
        assert!(by_one.len() > 50, "one of two did only {}", by_one.len());
        done.extend(by_one);
    }
    done.sort_unstable();
    assert_eq!(done, (1..=1_000).map(|seq| (seq, 1)).collect::<Vec<_>>());
    is_done(&server).await;
}

#[tokio::test]
async fn the_work_of_one_that_died_goes_to_another() {
    let server = Server::durable();
    let (one, other) = (server.log().await, server.log().await);
    for n in 0..20 {
        one.append(placed(n)).await.unwrap();
    }
    let mut dying = queue(&one).await;
    assert_eq!(next(&mut dying).await.record.seq, Seq::FIRST);
    drop((dying, one));
    let mut done = work_off(queue(&other).await).await;
    done.sort_unstable();
    assert_eq!(done.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
    assert_eq!(done[0].1, 2);
    is_done(&server).await;
}

#[tokio::test]
async fn a_queue_outlives_the_server_and_its_consumer() {
    let server = std::sync::Arc::new(Server::durable());
    let log = server.log().await;
    let mut queue = queue(&log).await;
    log.append(placed(1)).await.unwrap();
    let work = next(&mut queue).await;
    server.with_process(fillstream_nats_server::PrivateServer::kill_and_hold).await;
    server.with_process(|process| process.resume().unwrap()).await;
    let again = next(&mut queue).await;
    assert_eq!(again.record, work.record);
    again.done().await;
    is_done(&server).await;

    // Made again, it begins at the start: acknowledgements were the consumer's.
    server.witness().await.delete_consumers().await;
    log.append(placed(2)).await.unwrap();
    let seqs = [next(&mut queue).await.record.seq, next(&mut queue).await.record.seq];
    assert_eq!(seqs, [Seq::new(1), Seq::new(2)]);
}
