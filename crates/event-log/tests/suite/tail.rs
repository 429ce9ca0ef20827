//! Troubles of a tail's consumer.

use fillstream_event_log::{After, EventLog, Follow};

use crate::{
    proxy::{Proxy, Way},
    records::{eventually, placed, record, seqs, soon, take},
    server::Server,
};

#[tokio::test]
async fn a_deleted_consumer_is_made_again_behind_the_last_record() {
    let server = Server::durable();
    let (log, witness) = (server.log().await, server.witness().await);
    let mut all = log.follow(After::START, None).await.unwrap();
    let mut some = log.follow(After::START, Some("orders.swap.*.placed")).await.unwrap();
    for round in 1..=4 {
        let base = (round - 1) * 10;
        // Before it is deleted, and while it is gone.
        for n in base..base + 5 {
            log.append(placed(n)).await.unwrap();
        }
        if round % 2 == 0 {
            assert_eq!(take(&mut *all, 5).await.len() + take(&mut *some, 5).await.len(), 10);
        }
        witness.delete_consumers().await;
        for n in base + 5..base + 10 {
            log.append(placed(n)).await.unwrap();
        }
        let expected = if round % 2 == 0 { base + 6..=base + 10 } else { base + 1..=base + 10 };
        let expected: Vec<_> = expected.map(|seq| seq as u64).collect();
        for tail in [&mut all, &mut some] {
            assert_eq!(seqs(&take(&mut **tail, expected.len()).await), expected);
            assert_eq!(tail.recreated(), round as u64);
        }
    }
}

#[tokio::test]
async fn a_consumer_deleted_in_silence_is_missed() {
    let server = Server::durable();
    let (log, witness) = (server.log().await, server.witness().await);
    let mut tail = log.follow(After::START, None).await.unwrap();
    witness.delete_consumers().await;
    // Nothing arrives, and still somebody notices.
    let made_again = async || {
        tokio::select! {
            records = tail.next(1) => panic!("{records:?} out of nothing"),
            () = tokio::time::sleep(std::time::Duration::from_millis(50)) => {}
        }
        !witness.consumers().await.is_empty()
    };
    eventually("the consumer is there again", made_again).await;
    log.append(placed(1)).await.unwrap();
    assert_eq!(seqs(&take(&mut *tail, 1).await), [1]);
    assert_eq!(tail.recreated(), 1);
}

#[tokio::test]
async fn who_never_waits_long_hears_of_what_comes_after_a_deleted_consumer() {
    let server = Server::durable();
    let (log, witness) = (server.log().await, server.witness().await);
    let mut tail = log.follow(After::START, None).await.unwrap();
    witness.delete_consumers().await;
    log.append(placed(1)).await.unwrap();
    // Less than it takes to make a consumer.
    let moment = std::time::Duration::from_micros(100);
    let heard = async {
        loop {
            let heard = tokio::select! {
                biased;
                records = tail.next(1) => records.unwrap(),
                () = tokio::time::sleep(moment) => continue,
            };
            return heard;
        }
    };
    assert_eq!(seqs(&soon("a record", heard).await), [1]);
}

#[tokio::test]
async fn a_message_that_went_elsewhere_is_missed() {
    let server = Server::durable();
    let (log, witness) = (server.log().await, server.witness().await);
    let mut tail = log.follow(After::START, None).await.unwrap();
    let mut thief = witness.listen("thief").await;
    let mut next = 0;
    for _ in 0..5 {
        for consumer in witness.consumers().await {
            witness.steal_from(&consumer, "thief").await;
        }
        for _ in 0..10 {
            log.append(placed(next)).await.unwrap();
            next += 1;
        }
        let given = take(&mut *tail, 10).await;
        assert_eq!(seqs(&given), (next as u64 - 9..=next as u64).collect::<Vec<_>>());
    }
    assert!(soon("loot", futures_util::StreamExt::next(&mut thief)).await.is_some());
    assert!(tail.recreated() > 0);
}

#[tokio::test]
async fn what_a_cut_takes_away_is_given_without_waiting_for_more() {
    let server = Server::durable();
    let proxy = Proxy::before(&server).await;
    let (writer, reader) = (server.log().await, server.log_at(&proxy.url()).await);
    let mut tail = reader.follow(After::START, None).await.unwrap();
    let before = proxy.passed(Way::Answer);
    writer.append(placed(0)).await.unwrap();
    assert_eq!(seqs(&take(&mut *tail, 1).await), [1]);
    let length = proxy.passed(Way::Answer) - before;
    assert!(length > 100, "{length}");
    for (n, bytes) in (0..=length).step_by(13).enumerate() {
        proxy.cut_after(Way::Answer, bytes);
        writer.append(record(format!("orders.swap.{n}.progress"), 0)).await.unwrap();
        assert_eq!(seqs(&take(&mut *tail, 1).await), [n as u64 + 2], "cut after {bytes}");
        eventually("the cut is made", async || proxy.cuts() == n + 1).await;
    }
}

#[tokio::test]
async fn a_tail_of_much_is_gapless_over_cuts() {
    let server = Server::os_buffered();
    let proxy = Proxy::before(&server).await;
    let (writer, reader) = (server.log().await, server.log_at(&proxy.url()).await);
    let appends = futures_util::future::join_all((0..3_000).map(|n| writer.append(placed(n))));
    assert!(appends.await.iter().all(Result::is_ok));
    let mut tail: Box<dyn Follow> = reader.follow(After::START, None).await.unwrap();
    proxy.cut_at_random(7);
    let followed = take(&mut *tail, 3_000).await;
    assert_eq!(seqs(&followed), (1..=3_000).collect::<Vec<_>>());
    assert!(proxy.cuts() > 5 && tail.recreated() > 0, "{} cuts", proxy.cuts());
    // Nothing comes twice.
    writer.append(placed(3_000)).await.unwrap();
    assert_eq!(seqs(&soon("the next", tail.next(10)).await.unwrap()), [3_001]);
}
