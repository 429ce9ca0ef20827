//! A stream whose older state was put back under a living process: it is told from one that is late.

use std::{path::Path, sync::Arc};

use fillstream_domain::Seq;
use fillstream_event_log::{After, AppendError, EventLog, Link, LogError};
use fillstream_nats_server::PrivateServer;

use crate::{
    records::{eventually, placed, record, soon, take},
    server::Server,
};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_was_put_back_ends_the_tails_that_had_read_more() {
    let server = Arc::new(Server::durable());
    let log = server.log().await;
    for n in 0..5 {
        log.append(placed(n)).await.unwrap();
    }
    let store = server.store();
    let backup = store.with_extension("backup");
    server.with_process(PrivateServer::kill_and_hold).await;
    copy(&store, &backup);
    server.with_process(|process| process.resume().unwrap()).await;

    for n in 5..8 {
        soon("an append", log.append(placed(n))).await.unwrap();
    }
    let pattern = Some("orders.swap.*.placed");
    let mut ahead = [
        log.follow(After::START, None).await.unwrap(),
        log.follow(After::Seq(Seq::new(6)), pattern).await.unwrap(),
    ];
    let mut within = log.follow(After::START, None).await.unwrap();
    let reached = take(&mut *ahead[0], 8).await[7].reference();
    assert_eq!(take(&mut *ahead[1], 2).await[1].reference(), reached);
    assert_eq!(take(&mut *within, 2).await.len(), 2);

    server.with_process(PrivateServer::kill_and_hold).await;
    std::fs::remove_dir_all(&store).unwrap();
    std::fs::rename(&backup, &store).unwrap();
    server.with_process(|process| process.resume().unwrap()).await;
    for tail in &mut ahead {
        let end = soon("an end", tail.next(9)).await;
        let is_told = matches!(&end, Err(LogError::LostEnd { reached: lost, last })
            if *lost == reached && *last == Seq::new(5));
        assert!(is_told, "{end:?}");
    }
    // The same sequence again, and another record: also who comes back later is told.
    for n in 20..24 {
        soon("an append", log.append(placed(n))).await.unwrap();
    }
    let again = log.follow(After::Record(reached), None).await.err();
    assert!(matches!(again, Some(LogError::LostEnd { .. })), "{again:?}");
}

/// Decided upon what was heard before the server died, and sent once it is back with less: the fence alone would hold.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_upon_what_a_stream_has_lost_is_not_stored_after_an_outage() {
    let server = Arc::new(Server::durable());
    let log = server.log().await;
    log.append(placed(0)).await.unwrap();
    let store = server.store();
    let backup = store.with_extension("backup");
    server.with_process(PrivateServer::kill_and_hold).await;
    copy(&store, &backup);
    server.with_process(|process| process.resume().unwrap()).await;
    soon("an append", log.append(placed(1))).await.unwrap();
    let upon = log.record(Seq::new(2)).await.unwrap().unwrap().reference();
    server.with_process(PrivateServer::kill_and_hold).await;
    eventually("the connection is lost", async || *log.link().borrow() == Link::Down).await;
    std::fs::remove_dir_all(&store).unwrap();
    std::fs::rename(&backup, &store).unwrap();

    let commit = record("markets.BTC-USDT", 0);
    let resumed = server.with_process(|process| process.resume().unwrap());
    let (verdict, ()) = tokio::join!(log.append_parts(commit.clone(), Vec::new(), Some(upon)), resumed);
    assert_eq!(verdict, Err(AppendError::Fenced { last: Seq::ZERO }));
    assert_eq!(log.info().await.unwrap().last_seq, Seq::FIRST, "nothing was stored");
    // What rests on nothing lost is.
    let upon = log.record(Seq::FIRST).await.unwrap().unwrap().reference();
    assert_eq!(log.append_parts(commit, Vec::new(), Some(upon)).await, Ok(Seq::new(2)));
}
