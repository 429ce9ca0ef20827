//! Group commit: what goes together, and what does not spoil it.

use std::collections::HashMap;

use fillstream_domain::Seq;
use fillstream_event_log::{AppendError, EventLog};
use futures_util::future::join_all;

use crate::{
    records::{Told, append_all, assert_agree, placed, record, sized, soon},
    server::{Server, Stored},
};

/// Bytes that the configured server takes in one message, headers included.
const MAX_PAYLOAD: usize = 1 << 20;

/// Sizes of the atomic batches, and how many records came on their own.
fn groups(stored: &[Stored]) -> (Vec<usize>, usize) {
    let mut batches: HashMap<&str, usize> = HashMap::new();
    for batch in stored.iter().filter_map(|record| record.batch.as_deref()) {
        *batches.entry(batch).or_default() += 1;
    }
    let alone = stored.iter().filter(|record| record.batch.is_none()).count();
    (batches.into_values().collect(), alone)
}

#[tokio::test]
async fn many_share_a_sync_and_few_go_alone() {
    let server = Server::durable();
    let log = server.log().await;
    let mut told = append_all(&log, (0..5).map(placed).collect()).await;
    told.extend(append_all(&log, (5..2_005).map(placed).collect()).await);

    let stored = server.witness().await.stored().await;
    assert_agree(&told, &stored);
    assert!(told.iter().all(|(_, verdict)| verdict.is_ok()));
    let (batches, alone) = groups(&stored);
    assert!(batches.len() <= 10 && batches.iter().all(|size| *size <= 1_000), "{batches:?}");
    assert_eq!((batches.iter().sum::<usize>(), alone), (2_000, 5));
}

#[tokio::test]
async fn one_subject_is_in_a_group_once_and_keeps_its_order() {
    let server = Server::durable();
    let log = server.log().await;
    // Each knows what the former will be told, so all can be under way at once.
    let chain = |n: u64| record("orders.swap.1.progress", n);
    let told = append_all(&log, (0..60).map(chain).collect()).await;
    let verdicts: Vec<_> = told.iter().map(|(_, verdict)| verdict.clone()).collect();
    assert_eq!(verdicts, (1..=60).map(|seq| Ok(Seq::new(seq))).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_the_server_cannot_take_does_not_harm_its_neighbours() {
    let mut long_header = sized("orders.swap.header.placed", MAX_PAYLOAD - 4_096);
    long_header.traceparent = Some("0".repeat(5_000));
    let spoilers = [
        sized("orders.swap.large.placed", MAX_PAYLOAD),
        sized("orders.swap.larger.placed", 5 * MAX_PAYLOAD),
        long_header,
        record("orders.swap.*.placed", 0),
    ];
    for server in [Server::durable(), Server::os_buffered()] {
        let log = server.log().await;
        let mut told = Vec::new();
        for (round, spoiler) in spoilers.iter().enumerate() {
            // First, last and in the middle of 450.
            for place in [0, 225, 449] {
                let base = told.len();
                let mut group: Vec<_> = (base..base + 449).map(placed).collect();
                group.insert(place, spoiler.clone());
                let verdicts = append_all(&log, group).await;
                for (n, (record, verdict)) in verdicts.iter().enumerate() {
                    let refused = matches!(verdict, Err(AppendError::Refused(_)));
                    let expected = if n == place { refused } else { verdict.is_ok() };
                    assert!(expected, "spoiler {round} at {place}: {} got {verdict:?}", record.subject);
                }
                told.extend(verdicts);
            }
        }
        assert_agree(&told, &server.witness().await.stored().await);
    }
}

#[tokio::test]
async fn the_largest_record_that_fits_is_stored() {
    let server = Server::durable();
    let log = server.log().await;
    let told = append_all(
        &log,
        (0..20).map(|n| sized(format!("orders.swap.{n}.placed"), MAX_PAYLOAD - 4_096)).collect(),
    );
    assert!(told.await.iter().all(|(_, verdict)| verdict.is_ok()));
}

#[tokio::test]
async fn a_subject_of_no_stream_does_not_hold_up_the_others() {
    let server = Server::durable();
    let log = server.log().await;
    let lost = log.append(record("elsewhere.1", 0));
    let others = async {
        for round in 0..5 {
            let told = append_all(&log, (round * 50..(round + 1) * 50).map(placed).collect()).await;
            assert!(told.iter().all(|(_, verdict)| verdict.is_ok()), "{told:?}");
        }
    };
    tokio::select! {
        biased;
        verdict = lost => panic!("{verdict:?} before the others were stored"),
        () = others => {}
    }
}

#[tokio::test]
async fn duplicates_in_every_group_do_not_stop_the_rest() {
    let server = Server::durable();
    let log = server.log().await;
    let mut told = append_all(&log, (0..1_000).map(placed).collect()).await;
    // One in ten was stored before, and new ones keep arriving.
    let waves = (1..6).map(async |wave: usize| {
        let group: Vec<_> =
            (0..400).map(|n| if n % 10 == 0 { placed(n + wave) } else { placed(wave * 1_000 + n) }).collect();
        for _ in 0..wave {
            tokio::task::yield_now().await;
        }
        append_all(&log, group).await
    });
    for verdicts in join_all(waves).await {
        for (n, (_, verdict)) in verdicts.iter().enumerate() {
            let fenced = matches!(verdict, Err(AppendError::Fenced { .. }));
            assert!(if n % 10 == 0 { fenced } else { verdict.is_ok() }, "{n}: {verdict:?}");
        }
        told.extend(verdicts);
    }
    assert_agree(&told, &server.witness().await.stored().await);
}

#[tokio::test]
async fn a_caller_that_goes_away_stops_nobody() {
    for server in [Server::durable(), Server::os_buffered()] {
        let log = server.log().await;
        let mut told: Vec<Told> = Vec::new();
        let mut left = Vec::new();
        for round in 0..40 {
            let group: Vec<_> = (round * 30..(round + 1) * 30).map(placed).collect();
            let mut appends: Vec<_> =
                group.iter().map(|record| Box::pin(log.append(record.clone()))).collect();
            // All have asked; some go before anything was sent, some while it is under way.
            for append in &mut appends {
                let _ = futures_util::poll!(append);
            }
            for _ in 0..round % 8 {
                tokio::task::yield_now().await;
            }
            for (n, append) in appends.into_iter().enumerate() {
                let record = group[n].clone();
                if n % 3 == 0 {
                    drop(append);
                    left.push((record, Err(AppendError::Unknown)));
                } else {
                    told.push((record, soon("a verdict", append).await));
                }
            }
        }
        assert!(told.iter().all(|(_, verdict)| verdict.is_ok()));
        // Theirs are stored or not, but once at most.
        told.extend(left);
        assert_agree(&told, &server.witness().await.stored().await);
    }
}
