//! Longer outages than a caller's patience, and a server that is silent.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fillstream_domain::Seq;
use fillstream_event_log::{After, AppendError, EventLog, JetStreamLog, NewRecord};
use fillstream_nats_server::PrivateServer;
use futures_util::future::join_all;

use crate::{
    parts::rest,
    proxy::Proxy,
    records::{Told, assert_agree, placed, record, soon},
    server::Server,
};

/// Time after which a caller is told that nothing is known, and by how much it may be late on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
const LATE: Duration = Duration::from_secs(2);

/// More records than wait in all lines of the writer together, and in the client's.
const MANY: usize = 20_000;

/// Appends at once what nothing can become of, and sees that everybody is told so in time.
async fn append_in_vain(log: &JetStreamLog, records: impl Iterator<Item = NewRecord>) -> Vec<Told> {
    let begin = Instant::now();
    let appends = records.map(async |record| {
        let verdict = log.append(record.clone()).await;
        assert_eq!(verdict, Err(AppendError::Unknown));
        (record, verdict)
    });
    let told = soon("all verdicts", join_all(appends)).await;
    let waited = begin.elapsed();
    assert!(waited >= PATIENCE && waited < PATIENCE + LATE, "told after {waited:?}");
    told
}

/// Everybody tries again, at the same fence. Returns how many of the first tries were stored after all.
async fn try_again(log: &JetStreamLog, told: &mut Vec<Told>) -> usize {
    let again = told.iter().map(|(record, _)| NewRecord { event_id: uuid::Uuid::now_v7(), ..record.clone() });
    let appends = again.map(async |record| (record.clone(), log.append(record).await));
    let verdicts = soon("all verdicts", join_all(appends)).await;
    for (record, verdict) in &verdicts {
        assert!(
            matches!(verdict, Ok(_) | Err(AppendError::Fenced { .. })),
            "{verdict:?} after the outage for {record:?}"
        );
    }
    let late = verdicts.iter().filter(|(_, verdict)| verdict.is_err()).count();
    told.extend(verdicts);
    late
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_that_outlasts_the_patience() {
    let server = Arc::new(Server::durable());
    let log = server.log().await;
    let mut tail = log.follow(After::START, None).await.unwrap();
    let mut told = vec![];
    for record in [placed(MANY), placed(MANY + 1)] {
        let verdict = log.append(record.clone()).await;
        assert!(verdict.is_ok());
        told.push((record, verdict));
    }
    server.with_process(PrivateServer::kill_and_hold).await;
    let mut in_vain = append_in_vain(&log, (0..MANY).map(placed)).await;

    // An append of the outage's last moments is stored after it.
    let last = placed(MANY + 2);
    let resumed = server.with_process(|process| process.resume().unwrap());
    let (verdict, ()) = tokio::join!(log.append(last.clone()), resumed);
    assert!(verdict.is_ok(), "{verdict:?}");
    told.push((last, verdict));

    // Only what was on its way when the server died.
    let late = try_again(&log, &mut in_vain).await;
    assert!(late <= 1_000, "{late} were sent for nobody");
    told.extend(in_vain);
    let stored = server.witness().await.stored().await;
    assert_agree(&told, &stored);
    let followed = crate::records::take(&mut *tail, stored.len()).await;
    assert_eq!(crate::records::seqs(&followed), (1..=stored.len() as u64).collect::<Vec<_>>());
}

async fn outlast_silence(server: Server, group: usize) {
    let proxy = Proxy::before(&server).await;
    let log = server.log_at(&proxy.url()).await;
    assert!(log.append(placed(group)).await.is_ok());
    proxy.flow(false);
    let mut told = append_in_vain(&log, (0..group).map(placed)).await;
    proxy.flow(true);
    let begin = Instant::now();
    try_again(&log, &mut told).await;
    assert!(begin.elapsed() < Duration::from_secs(5), "the writer goes on after {:?}", begin.elapsed());
    assert_agree(&told, &server.witness().await.stored().await);
}

/// Who gets no answer for its parts is told so in time as well, and finds them when it tries again with the same ids.
async fn parts_outlast_silence(server: Server) {
    let proxy = Proxy::before(&server).await;
    let log = server.log_at(&proxy.url()).await;
    proxy.flow(false);
    let first = record("markets.SOL-USDC", 0);
    let begin = Instant::now();
    let verdict = soon("a verdict", log.append_parts(first.clone(), rest(2), None)).await;
    let waited = begin.elapsed();
    assert_eq!(verdict, Err(AppendError::Unknown));
    assert!(waited >= PATIENCE && waited < PATIENCE + LATE, "told after {waited:?}");
    proxy.flow(true);
    for _ in 0..2 {
        assert_eq!(soon("a verdict", log.append_parts(first.clone(), rest(2), None)).await, Ok(Seq::new(3)));
    }
    assert_eq!(server.witness().await.stored().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_silent() {
    tokio::join!(
        outlast_silence(Server::durable(), 5),
        outlast_silence(Server::os_buffered(), 300),
        parts_outlast_silence(Server::durable())
    );
}

#[tokio::test]
async fn a_stream_that_does_not_answer() {
    let server = Server::os_buffered();
    let (log, witness) = (server.log().await, server.witness().await);
    // Somebody listens, so nobody is told that nobody does.
    let silence = witness.listen("orders.>").await;
    witness.delete_stream().await;
    let appends = join_all((0..300).map(|n| log.append(placed(n))));
    let begin = Instant::now();
    let back_again = async {
        // Long enough for the answers to be given up.
        tokio::time::sleep(Duration::from_secs(4)).await;
        witness.create_stream().await;
    };
    let (verdicts, ()) = tokio::join!(appends, back_again);
    assert!(verdicts.iter().all(Result::is_ok), "{verdicts:?} after {:?}", begin.elapsed());
    drop(silence);
}
