//! A stream that was deleted and made again is another one, whatever its numbers say.

use std::sync::Arc;

use fillstream_domain::Seq;
use fillstream_event_log::{After, EventLog, LogError};
use fillstream_nats_server::PrivateServer;

use crate::{
    records::{placed, seqs, soon, take},
    server::Server,
};

#[tokio::test]
async fn it_ends_tails_and_has_another_incarnation() {
    let server = Server::durable();
    let (log, witness) = (server.log().await, server.witness().await);
    for n in 0..5 {
        log.append(placed(n)).await.unwrap();
    }
    let mut behind = log.follow(After::START, None).await.unwrap();
    let mut at_the_end = log.follow(After::Seq(Seq::new(6).prev()), None).await.unwrap();
    assert_eq!(seqs(&take(&mut *behind, 3).await), [1, 2, 3]);

    witness.delete_stream().await;
    witness.create_stream().await;
    let after = server.log().await;
    assert_ne!(after.incarnation(), log.incarnation());
    assert_eq!(log.info().await.unwrap().incarnation, after.incarnation());
    // The same numbers and more, of other records.
    for n in 10..20 {
        after.append(placed(n)).await.unwrap();
    }
    // What had arrived before is still given.
    while let Ok(records) = soon("an end", behind.next(10)).await {
        assert!(records.iter().all(|record| (4..=5).contains(&record.seq.get())), "{records:?}");
    }
    for tail in [&mut behind, &mut at_the_end] {
        let end = soon("an end", tail.next(10)).await;
        assert!(matches!(end, Err(LogError::Recreated)), "{end:?}");
    }
    assert!(matches!(log.follow(After::START, None).await.err(), Some(LogError::Recreated)));
    assert_eq!(seqs(&take(&mut *after.follow(After::START, None).await.unwrap(), 10).await).len(), 10);
}

#[tokio::test]
async fn a_stream_that_is_gone_is_waited_for() {
    let server = Server::durable();
    let (log, witness) = (server.log().await, server.witness().await);
    log.append(placed(1)).await.unwrap();
    let mut tail = log.follow(After::Seq(Seq::new(2).prev()), None).await.unwrap();
    witness.delete_stream().await;
    let waits = tokio::time::timeout(std::time::Duration::from_secs(3), tail.next(1)).await;
    assert!(waits.is_err(), "{waits:?}");
    witness.create_stream().await;
    let end = soon("an end", tail.next(1)).await;
    assert!(matches!(end, Err(LogError::Recreated)), "{end:?}");
}

#[tokio::test]
async fn a_restart_is_no_recreation() {
    let server = Arc::new(Server::durable());
    let log = server.log().await;
    log.append(placed(1)).await.unwrap();
    server.with_process(PrivateServer::kill_and_hold).await;
    server.with_process(|process| process.resume().unwrap()).await;
    let after = server.log().await;
    assert_eq!(after.incarnation(), log.incarnation());
    assert_eq!(soon("the stream", log.append(placed(2))).await, Ok(Seq::new(2)));
}
