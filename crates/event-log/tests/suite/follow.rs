//! Promises of every log's tail, tried on each of them.

use std::sync::Arc;

use fillstream_domain::{RecordRef, Seq};
use fillstream_event_log::{After, EventLog, Follow, LogError, Record};

use crate::{
    records::{all_stored_as, append_all, fill, placed, record, seqs, soon, take},
    server::on_each_log,
};

#[tokio::test]
async fn a_tail_gives_all_from_where_it_begins() {
    on_each_log(async |log| {
        let mut stored = fill(&*log, &(0..5).map(placed).collect::<Vec<_>>()).await;
        let mut of_old = Vec::new();
        // From the start under both its names, the middle, and the end.
        for from in [0, 1, 3, 5, 6] {
            of_old.push((from, log.follow(After::Seq(Seq::new(from).prev()), None).await.unwrap()));
        }
        stored.extend(fill(&*log, &(5..10).map(placed).collect::<Vec<_>>()).await);
        for (from, mut tail) in of_old {
            let expected = &stored[usize::try_from(from).unwrap().saturating_sub(1)..];
            assert_eq!(take(&mut *tail, expected.len()).await, expected, "from {from}");
            assert_eq!(tail.recreated(), 0);
            assert_eq!(tail.behind(), 0, "from {from}");
            assert_eq!(tail.reached(), stored.last().map(Record::reference));
            assert!(tail.caught_up().await.unwrap());
        }
    })
    .await;
}

#[tokio::test]
async fn a_tail_begins_only_where_the_stream_has_come_to() {
    on_each_log(async |log| {
        let stored = fill(&*log, &(0..5).map(placed).collect::<Vec<_>>()).await;
        let [third, last] = [&stored[2], &stored[4]];
        let mut tail = log.follow(After::Record(third.reference()), None).await.unwrap();
        assert_eq!(tail.reached(), Some(third.reference()));
        assert!(!tail.caught_up().await.unwrap());
        assert_eq!(take(&mut *tail, 2).await, stored[3..]);
        assert!(tail.caught_up().await.unwrap());

        let beyond = log.follow(After::Seq(Seq::new(6)), None).await.err();
        let is_told = matches!(&beyond, Some(LogError::BeyondEnd { after, last: end })
            if *after == Seq::new(6) && *end == last.seq);
        assert!(is_told, "{beyond:?}");
        // The right place and another record, and a record behind the end.
        for lost in [
            RecordRef { seq: third.seq, id: last.reference().id },
            RecordRef { seq: last.seq.next(), id: last.reference().id },
        ] {
            let error = log.follow(After::Record(lost), None).await.err();
            let is_told = matches!(&error, Some(LogError::LostEnd { reached, last: end })
                if *reached == lost && *end == last.seq);
            assert!(is_told, "{error:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_leader_names_records_by_place_and_by_pattern() {
    on_each_log(async |log| {
        let places = ["markets.A", "orders.swap.1.placed", "orders.swap.2.placed", "markets.B"];
        let stored = fill(&*log, &places.map(|subject| record(subject, 0))).await;
        for seq in 0..=5 {
            let found = log.record(Seq::new(seq)).await.unwrap();
            assert_eq!(found.as_ref(), stored.iter().find(|record| record.seq.get() == seq), "{seq}");
        }
        for (pattern, last, next) in [
            (">", Some(3), [Some(0), Some(1), Some(2), Some(3), None]),
            ("markets.*", Some(3), [Some(0), Some(3), Some(3), Some(3), None]),
            ("orders.swap.*.placed", Some(2), [Some(1), Some(1), Some(2), None, None]),
            ("markets.B", Some(3), [Some(3), Some(3), Some(3), Some(3), None]),
            ("parked.>", None, [None; 5]),
        ] {
            let at = |place: Option<usize>| place.map(|place| stored[place].clone());
            assert_eq!(log.last_matching(pattern).await.unwrap(), at(last), "{pattern}");
            for (from, next) in (1..).zip(next) {
                let found = log.next_matching(Seq::new(from), pattern).await.unwrap();
                assert_eq!(found, at(next), "{pattern} from {from}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_tail_gives_no_more_than_is_asked_for_and_says_what_is_left() {
    on_each_log(async |log| {
        let stored = fill(&*log, &(0..7).map(placed).collect::<Vec<_>>()).await;
        let mut tail = log.follow(After::Seq(Seq::new(2).prev()), None).await.unwrap();
        for (index, record) in stored.iter().enumerate().skip(1) {
            assert_eq!(soon("a record", tail.next(1)).await.unwrap(), std::slice::from_ref(record));
            assert_eq!(tail.behind(), 6 - index as u64);
        }
    })
    .await;
}

#[tokio::test]
async fn a_tail_of_a_pattern_gives_what_matches() {
    on_each_log(async |log| {
        let mut tail = log.follow(After::START, Some("orders.swap.*.placed")).await.unwrap();
        let mut stored = Vec::new();
        for n in 0..30 {
            let others = [record(format!("orders.swap.{n}.progress"), 0), record(format!("markets.{n}"), 0)];
            stored.extend(fill(&*log, &[placed(n)]).await);
            fill(&*log, &others).await;
        }
        assert_eq!(take(&mut *tail, 30).await, stored);
        let mut from = log.follow(After::Seq(stored[10].seq), Some("orders.swap.*.placed")).await.unwrap();
        assert_eq!(take(&mut *from, 19).await, stored[11..]);
    })
    .await;
}

#[tokio::test]
async fn a_tail_of_one_market_begins_anywhere_and_counts_its_own() {
    on_each_log(async |log| {
        let pattern = "orders.book.BTC-USDT.*";
        let (mut all, mut own) = (Vec::new(), Vec::new());
        for n in 0..12 {
            let subject = match n % 4 {
                0 => format!("orders.book.BTC-USDT.{n}"),
                1 => format!("orders.book.ETH-USDT.{n}"),
                2 => "orders.book.BTC-USDT.clock".to_owned(),
                _ => format!("markets.BTC-USDT.{n}"),
            };
            let after = own
                .iter()
                .rfind(|found: &&Record| found.subject == subject)
                .map_or(Seq::ZERO, |found| found.seq);
            let stored = fill(&*log, &[record(subject, after.get())]).await.remove(0);
            if n % 2 == 0 {
                own.push(stored.clone());
            }
            all.push(stored);
        }
        let mut tails = Vec::new();
        // At a record of its own, between two, behind the last one of its own, and at the end.
        for from in 0..=all.len() as u64 + 1 {
            let expected: Vec<_> =
                own.iter().filter(|record| record.seq >= Seq::new(from)).cloned().collect();
            let mut tail = log.follow(After::Seq(Seq::new(from).prev()), Some(pattern)).await.unwrap();
            assert_eq!(tail.behind(), expected.len() as u64, "at the beginning, from {from}");
            for (n, record) in (1..).zip(&expected) {
                assert_eq!(soon("a record", tail.next(1)).await.unwrap(), std::slice::from_ref(record));
                assert_eq!(tail.behind(), (expected.len() - n) as u64, "after {n}, from {from}");
            }
            tails.push((from, tail));
        }
        // What comes later is given as well, what is another market's not.
        let late =
            ["orders.book.ETH-USDT.late", "orders.book.BTC-USDT.late"].map(|subject| record(subject, 0));
        let late = fill(&*log, &late).await;
        for (from, mut tail) in tails {
            assert_eq!(take(&mut *tail, 1).await, late[1..], "from {from}");
            assert_eq!(tail.behind(), 0, "from {from}");
        }
    })
    .await;
}

#[tokio::test]
async fn two_tails_give_the_same_while_it_is_written() {
    on_each_log(async |log| {
        let follow = async |log: Arc<dyn EventLog>| {
            take(&mut *log.follow(After::START, None).await.unwrap(), 500).await
        };
        let writes = append_all(&*log, (0..500).map(placed).collect());
        let (told, one, other) = tokio::join!(writes, follow(Arc::clone(&log)), follow(Arc::clone(&log)));
        let stored = all_stored_as(&*log, &told).await;
        assert_eq!(seqs(&stored), (1..=500).collect::<Vec<_>>());
        assert_eq!((&one, &other), (&stored, &stored));
    })
    .await;
}

#[tokio::test]
async fn a_tail_that_is_interrupted_while_it_waits_loses_nothing() {
    on_each_log(async |log| {
        let mut tail: Box<dyn Follow> = log.follow(After::START, None).await.unwrap();
        let mut given = Vec::new();
        let mut writes = Box::pin(append_all(&*log, (0..300).map(placed).collect()));
        let mut written = false;
        // Whoever waits for a tail waits for other things as well.
        while given.len() < 300 {
            tokio::select! {
                _ = &mut writes, if !written => written = true,
                () = tokio::task::yield_now() => {}
                records = tail.next(7) => given.extend(records.unwrap()),
            }
        }
        assert_eq!(seqs(&given), (1..=300).collect::<Vec<_>>());
    })
    .await;
}
