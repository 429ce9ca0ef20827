//! The working queue.

use std::time::{Duration, Instant};

use fillstream_domain::Seq;
use fillstream_event_log::{EventLog, JetStreamLog, JetStreamQueue, MemoryLog, MemoryQueue, Work, WorkQueue};
use fillstream_nats_server::PrivateServer;
use fillstream_retry::Obstacles;
use serde_json::{Value, json};

use crate::{
    records::{eventually, placed, record, soon},
    server::Server,
};

const EXECUTOR: &str = include_str!("../../../../nats/consumers/executor.json");
/// Until a record is handed out again: short, but not so short that a busy machine does it by mistake.
const ACK_WAIT: Duration = Duration::from_millis(1_000);

/// The executor's queue, with that wait.
fn queue(log: &JetStreamLog) -> JetStreamQueue {
    let mut definition: Value = serde_json::from_str(EXECUTOR).unwrap();
    assert_eq!(definition["max_deliver"], json!(-1), "no order is given up by the queue");
    definition["ack_wait"] = json!(u64::try_from(ACK_WAIT.as_nanos()).unwrap());
    log.work(&definition)
}

async fn next(queue: &mut impl WorkQueue) -> Work {
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
    let mut queue = queue(&log);
    let work = next(&mut queue).await;
    assert_eq!((work.record.seq, &work.record.subject), (Seq::FIRST, &placed.subject));
    assert_eq!((work.record.event_id, &work.record.payload), (Some(placed.event_id), &placed.payload));
    let traceparent = work.record.traceparent.map(|trace| trace.to_string());
    assert_eq!((work.delivered, &traceparent), (1, &placed.traceparent));
    work.ack().await;
    is_done(&server).await;
    assert!(tokio::time::timeout(ACK_WAIT * 2, queue.next()).await.is_err());
}

#[tokio::test]
async fn what_nobody_acknowledges_is_handed_out_for_ever() {
    let server = Server::durable();
    let log = server.log().await;
    log.append(placed(1)).await.unwrap();
    let mut queue = queue(&log);
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
    let (mut mine, mut other) = (queue(&log), queue(&log));
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
    work.nak(ACK_WAIT * 2).await;
    let again = tokio::select! { work = next(&mut mine) => work, work = next(&mut other) => work };
    assert_eq!((again.record.seq, again.delivered), (Seq::FIRST, 2));
    let waited = begin.elapsed();
    assert!(waited > ACK_WAIT * 3 / 2 && waited < ACK_WAIT * 5, "later is {waited:?}");
    again.ack().await;
    is_done(&server).await;
}

/// Takes and does work until there is none for a while.
async fn work_off(mut queue: impl WorkQueue) -> Vec<(u64, u64)> {
    let mut done = Vec::new();
    while let Ok(work) = tokio::time::timeout(ACK_WAIT * 2, queue.next()).await {
        work.ack().await;
        done.push((work.record.seq.get(), work.delivered));
        tokio::task::yield_now().await;
    }
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_the_work() {
    let server = Server::durable();
    let (one, other) = (server.log().await, server.log().await);
    let (first, second) = (queue(&one), queue(&other));
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
    let mut dying = queue(&one);
    assert_eq!(next(&mut dying).await.record.seq, Seq::FIRST);
    drop((dying, one));
    let mut done = work_off(queue(&other)).await;
    done.sort_unstable();
    assert_eq!(done.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
    assert_eq!(done[0].1, 2);
    is_done(&server).await;
}

#[tokio::test]
async fn a_queue_outlives_the_server_and_its_consumer() {
    let server = std::sync::Arc::new(Server::durable());
    let log = server.log().await;
    let mut queue = queue(&log);
    log.append(placed(1)).await.unwrap();
    let work = next(&mut queue).await;
    server.with_process(PrivateServer::kill_and_hold).await;
    server.with_process(|process| process.resume().unwrap()).await;
    let again = next(&mut queue).await;
    assert_eq!(again.record, work.record);
    again.ack().await;
    is_done(&server).await;

    // Made again, it begins at the start: acknowledgements were the consumer's.
    server.witness().await.delete_consumers().await;
    log.append(placed(2)).await.unwrap();
    let seqs = [next(&mut queue).await.record.seq, next(&mut queue).await.record.seq];
    assert_eq!(seqs, [Seq::new(1), Seq::new(2)]);
}

/// Promises of the real queue, on the one in memory.
#[tokio::test(start_paused = true)]
async fn a_queue_in_memory_hands_out_as_the_real_one_does() {
    let log = MemoryLog::new(fillstream_domain::Incarnation::new(crate::server::MEMORY_INCARNATION));
    let shared = MemoryQueue::new(log.clone(), "orders.swap.*.placed", ACK_WAIT, 2);
    let (mut mine, mut other) = (shared.clone(), shared.clone());
    for n in 1..=3 {
        log.append(placed(n)).await.unwrap();
        log.append(record(format!("orders.swap.{n}.progress"), 0)).await.unwrap();
    }
    let (first, second) = (next(&mut mine).await, next(&mut other).await);
    assert_eq!([first.record.seq.get(), second.record.seq.get()], [1, 3]);
    // No more than two are in hand; what is in progress stays there, silence hands out again.
    let begin = tokio::time::Instant::now();
    let again = async {
        loop {
            tokio::time::sleep(ACK_WAIT / 5).await;
            first.in_progress().await;
        }
    };
    let handed = tokio::select! {
        () = again => None,
        work = next(&mut mine) => Some(work),
    };
    let handed = handed.unwrap();
    assert_eq!((handed.record.seq.get(), handed.delivered), (3, 2));
    assert!(begin.elapsed() >= ACK_WAIT, "{:?}", begin.elapsed());
    first.ack().await;
    let third = next(&mut other).await;
    assert_eq!((third.record.seq.get(), third.delivered), (5, 1));
    third.nak(ACK_WAIT * 3).await;
    handed.ack().await;
    let begin = tokio::time::Instant::now();
    let third = next(&mut mine).await;
    assert_eq!((third.record.seq.get(), third.delivered, begin.elapsed() >= ACK_WAIT * 3), (5, 2, true));
    third.ack().await;
    assert_eq!(shared.in_hand(), 0);
    assert!(tokio::time::timeout(ACK_WAIT * 9, mine.next()).await.is_err(), "all is done");
    // What strangers do: taken away, nothing comes; made anew, everything does; paused, nothing.
    log.append(placed(4)).await.unwrap();
    shared.take_away().await;
    assert!(tokio::time::timeout(ACK_WAIT * 9, mine.next()).await.is_err());
    shared.make_anew();
    shared.pause(true);
    assert!(tokio::time::timeout(ACK_WAIT * 9, mine.next()).await.is_err());
    shared.pause(false);
    assert_eq!(next(&mut mine).await.record.seq.get(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_is_over_once_the_server_is_back_though_there_is_no_work() {
    let server = std::sync::Arc::new(Server::durable());
    let log = server.log().await;
    let obstacles = Obstacles::default();
    let mut queue = queue(&log).shown_in(&obstacles);
    let waits = tokio::spawn(async move { queue.next().await });
    is_done(&server).await;
    server.with_process(PrivateServer::kill_and_hold).await;
    eventually("the trouble is told", async || !obstacles.all().is_empty()).await;
    server.with_process(|process| process.resume().unwrap()).await;
    eventually("it is over", async || obstacles.all().is_empty()).await;
    assert!(!waits.is_finished(), "there is no work");
    waits.abort();
}
