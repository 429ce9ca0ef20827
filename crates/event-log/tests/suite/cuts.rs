//! The connection is cut after every byte: an append's answer agrees with the stream, and nothing is lost or double.

use fillstream_domain::Seq;
use fillstream_event_log::{AppendError, Consistency, EventLog};
use futures_util::future::join_all;

use crate::{
    parts::{ids, rest},
    proxy::{Proxy, Way},
    records::{append_all, assert_agree, placed, record, soon, write_while},
    server::Server,
};

/// Records that go as one atomic batch on a durable stream, when they are appended at once.
const BATCH: usize = 24;

/// Cuts at every `step`-th byte of what goes that way for a group of this size.
async fn cut_everywhere(way: Way, group: usize, step: usize) {
    let server = Server::durable();
    let proxy = Proxy::before(&server).await;
    let log = server.log_at(&proxy.url()).await;
    let mut orders = (0..).map(placed);
    let mut next_group = || orders.by_ref().take(group).collect::<Vec<_>>();

    let before = proxy.passed(way);
    let mut told = append_all(&log, next_group()).await;
    let length = proxy.passed(way) - before;
    assert!(length > 30 * group.min(2), "{length} bytes are no {way:?}");
    for bytes in (0..=length).step_by(step) {
        let before = proxy.cuts();
        proxy.cut_after(way, bytes);
        let verdicts = append_all(&log, next_group()).await;
        for (record, verdict) in &verdicts {
            assert!(verdict.is_ok(), "cut after {bytes} of {length}: {verdict:?} for {record:?}");
        }
        assert_eq!(proxy.cuts(), before + 1, "not cut after {bytes} of {length}");
        told.extend(verdicts);
    }

    let stored = server.witness().await.stored().await;
    assert_agree(&told, &stored);
    assert_eq!(stored.len(), told.len());
    let in_batches = stored.iter().filter(|record| record.batch.is_some()).count();
    assert!(if group == 1 { in_batches == 0 } else { in_batches > stored.len() / 2 }, "{in_batches}");
}

#[tokio::test]
async fn the_answer_to_a_plain_append() {
    cut_everywhere(Way::Answer, 1, 1).await;
}

#[tokio::test]
async fn the_answer_to_a_batch() {
    cut_everywhere(Way::Answer, BATCH, 1).await;
}

#[tokio::test]
async fn the_request_of_a_plain_append() {
    cut_everywhere(Way::Request, 1, 3).await;
}

#[tokio::test]
async fn the_request_of_a_batch() {
    cut_everywhere(Way::Request, BATCH, 89).await;
}

/// Cuts at every `step`-th byte of what goes that way for an append in so many parts.
async fn cut_parts_everywhere(way: Way, parts: usize, step: usize) {
    let server = Server::durable();
    let proxy = Proxy::before(&server).await;
    let log = server.log_at(&proxy.url()).await;
    let mut appended = Vec::new();
    let before = proxy.passed(way);
    let (mut last, mut length, mut bytes) = (0, 0, 0);
    while bytes <= length {
        let first = record("markets.SOL-USDC", last);
        let cuts = proxy.cuts();
        let whole = length == 0;
        if !whole {
            proxy.cut_after(way, bytes);
        }
        let verdict = soon("a verdict", log.append_parts(first.clone(), rest(parts - 1), None)).await;
        assert_eq!(verdict, Ok(Seq::new(last + parts as u64)), "cut after {bytes} of {length}");
        last += parts as u64;
        appended.extend(ids(&first, parts).into_iter().flatten());
        if whole {
            length = proxy.passed(way) - before;
        } else {
            assert_eq!(proxy.cuts(), cuts + 1, "not cut after {bytes} of {length}");
            bytes += step;
        }
    }
    let stored = server.witness().await.stored().await;
    assert!(stored.iter().map(|record| record.event_id).eq(appended), "lost, double or out of order");
    assert!(stored.iter().all(|record| record.batch.is_some() == (parts > 1)));
}

#[tokio::test]
async fn the_answer_to_an_append_of_one_part() {
    cut_parts_everywhere(Way::Answer, 1, 1).await;
}

#[tokio::test]
async fn the_answer_to_an_append_of_three_parts() {
    cut_parts_everywhere(Way::Answer, 3, 1).await;
}

#[tokio::test]
async fn the_request_of_an_append_of_one_part() {
    cut_parts_everywhere(Way::Request, 1, 7).await;
}

#[tokio::test]
async fn the_request_of_an_append_of_three_parts() {
    cut_parts_everywhere(Way::Request, 3, 37).await;
}

#[tokio::test]
async fn a_duplicate_stays_one_whatever_is_cut() {
    let server = Server::durable();
    let proxy = Proxy::before(&server).await;
    let log = server.log_at(&proxy.url()).await;
    let mut told = Vec::new();
    // The answers to a batch that a duplicate stops: the refusal, what is read then, and the answer to the rest.
    for (order, bytes) in (0..6_000).step_by(97).enumerate() {
        let first = record(format!("orders.swap.{order}.placed"), 0);
        let winner = log.append(first.clone()).await.unwrap();
        told.push((first, Ok(winner)));
        proxy.cut_after(Way::Answer, bytes);
        let mut group = vec![record(format!("orders.swap.{order}.placed"), 0)];
        group.extend((1..BATCH).map(|n| record(format!("orders.swap.{order}-{n}.placed"), 0)));
        let verdicts = append_all(&log, group).await;
        proxy.spare();
        assert_eq!(verdicts[0].1, Err(AppendError::Fenced { last: winner }), "cut after {bytes}");
        assert!(verdicts[1..].iter().all(|(_, verdict)| verdict.is_ok()), "cut after {bytes}: {verdicts:?}");
        told.extend(verdicts);
    }
    assert!(proxy.cuts() > 20, "{} cuts", proxy.cuts());
    assert_agree(&told, &server.witness().await.stored().await);
}

#[tokio::test]
async fn a_history_is_whole_or_not_given() {
    let server = Server::durable();
    let proxy = Proxy::before(&server).await;
    let log = server.log_at(&proxy.url()).await;
    let subject = "orders.swap.1.progress";
    for after in 0..40 {
        log.append(record(subject, after)).await.unwrap();
    }
    let read =
        async |consistency| log.read(subject, Seq::ZERO, consistency).await.map(|page| page.records.len());
    let (mut whole, mut failed) = (0, 0);
    for consistency in [Consistency::Any, Consistency::Leader] {
        let before = proxy.passed(Way::Answer);
        assert_eq!(read(consistency).await.unwrap(), 40);
        for bytes in (0..proxy.passed(Way::Answer) - before).step_by(151) {
            proxy.cut_after(Way::Answer, bytes);
            match soon("a page", read(consistency)).await {
                Ok(records) => {
                    assert_eq!(records, 40, "cut after {bytes}");
                    whole += 1;
                }
                Err(_) => failed += 1,
            }
            proxy.spare();
            // The next one finds the connection again.
            assert_eq!(soon("a page", read(consistency)).await.unwrap(), 40);
        }
    }
    assert!(failed > 50, "{failed} failed, {whole} whole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cuts_at_random_under_load() {
    let server = Server::durable();
    let proxy = Proxy::before(&server).await;
    let log = server.log_at(&proxy.url()).await;
    proxy.cut_at_random(42);
    let subjects: Vec<_> = (0..40).map(|n| format!("orders.swap.{n}.progress")).collect();
    let told = join_all(subjects.iter().map(|subject| write_while(&log, subject, |told| told.len() < 40)))
        .await
        .concat();
    assert!(proxy.cuts() > 20, "{} cuts", proxy.cuts());
    assert_agree(&told, &server.witness().await.stored().await);
    let acknowledged = told.iter().filter(|(_, verdict)| verdict.is_ok()).count();
    assert_eq!(acknowledged, 1_600, "every cut is shorter than the patience");
}
