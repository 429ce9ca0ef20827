//! Promises of every log, tried on each of them.

use fillstream_domain::Seq;
use fillstream_event_log::{After, AppendError, Consistency, EventLog, NewRecord, Record};

use crate::{
    records::{all_stored_as, append_all, fill, pages, placed, record, seqs, soon, stored_as, take},
    server::on_each_log,
};

/// All of the log, by a tail.
async fn everything(log: &dyn EventLog) -> Vec<Record> {
    let last = usize::try_from(log.info().await.unwrap().last_seq.get()).unwrap();
    take(&mut *log.follow(After::START, None).await.unwrap(), last).await
}

#[tokio::test]
async fn an_append_returns_the_place_where_the_record_is_read() {
    on_each_log(async |log| {
        let stored = fill(&*log, &[placed(1), placed(2), record("markets.SOL-USDC", 0)]).await;
        assert_eq!(seqs(&stored), [1, 2, 3]);
        for consistency in [Consistency::Any, Consistency::Leader] {
            for record in &stored {
                let history = pages(&*log, &record.subject, consistency).await;
                assert_eq!((history.len(), &history[0].records[..]), (1, &[record.clone()][..]));
                assert_eq!(log.last(&record.subject, consistency).await.unwrap().as_ref(), Some(record));
            }
            assert_eq!(log.last("orders.swap.3.placed", consistency).await.unwrap(), None);
            assert_eq!(pages(&*log, "orders.swap.3.placed", consistency).await[0].records, []);
        }
        let info = log.info().await.unwrap();
        assert_eq!((info.last_seq, info.incarnation), (Seq::new(3), log.incarnation()));
    })
    .await;
}

#[tokio::test]
async fn a_fence_holds_or_the_answer_names_the_winner() {
    on_each_log(async |log| {
        let subject = "orders.swap.1.progress";
        fill(&*log, &[record(subject, 0), placed(2), record(subject, 1)]).await;
        let check = async |subject: &str, after, expected: Result<u64, u64>| {
            let verdict = soon("a verdict", log.append(record(subject, after))).await;
            let expected =
                expected.map(Seq::new).map_err(|last| AppendError::Fenced { last: Seq::new(last) });
            assert_eq!(verdict, expected, "{subject} after {after}");
        };
        check(subject, 0, Err(1)).await;
        check(subject, 1, Err(3)).await;
        // Between the subject's records, and beyond its end.
        check(subject, 2, Err(3)).await;
        check(subject, 9, Err(3)).await;
        check("orders.swap.1.placed", 9, Err(0)).await;
        check(subject, 3, Ok(4)).await;
        check(subject, 3, Err(4)).await;
        check("orders.swap.1.placed", 0, Ok(5)).await;
        assert_eq!(log.info().await.unwrap().last_seq, Seq::new(5));
    })
    .await;
}

#[tokio::test]
async fn of_two_appends_at_once_one_wins() {
    on_each_log(async |log| {
        for n in 0..20 {
            let told = append_all(&*log, vec![placed(n), placed(n)]).await;
            let ([(one, Ok(won)), (_, Err(AppendError::Fenced { last }))]
            | [(_, Err(AppendError::Fenced { last })), (one, Ok(won))]) = &told[..]
            else {
                panic!("not one winner: {told:?}")
            };
            assert_eq!(won, last);
            let history = pages(&*log, &one.subject, Consistency::Leader).await;
            assert_eq!(history[0].records, [stored_as(&*log, one, won.get()).await]);
        }
    })
    .await;
}

#[tokio::test]
async fn what_no_log_can_keep_is_refused() {
    on_each_log(async |log| {
        for header in ["two\r\nlines", "two\nlines", "a\0"] {
            let spoiled = [
                NewRecord { traceparent: Some(header.to_owned()), ..placed(1) },
                NewRecord { event_type: header.to_owned(), ..placed(1) },
                NewRecord { time: header.to_owned(), ..placed(1) },
            ];
            for record in spoiled {
                let verdict = soon("a verdict", log.append(record)).await;
                assert!(matches!(verdict, Err(AppendError::Refused(_))), "{header:?}: {verdict:?}");
            }
        }
        let check = async |subject: &str| {
            let verdict = soon("a verdict", log.append(record(subject, 0))).await;
            assert!(matches!(verdict, Err(AppendError::Refused(_))), "{subject:?}: {verdict:?}");
        };
        for subject in ["", "orders.", ".orders", "orders..1", "orders.*", "orders.>", "orders.a b", "a\r\nb"]
        {
            check(subject).await;
        }
        check(&format!("orders.{}", "x".repeat(1018))).await;
        assert_eq!(log.info().await.unwrap().last_seq, Seq::ZERO);
    })
    .await;
}

#[tokio::test]
async fn a_long_history_comes_in_pages() {
    on_each_log(async |log| {
        let (subject, count) = ("orders.swap.1.progress", 2_345);
        let mut stored = Vec::new();
        for n in 0..count {
            // Another subject's records lie between.
            if n % 100 == 0 {
                fill(&*log, &[placed(n)]).await;
            }
            let after = stored.last().map_or(Seq::ZERO, |record: &Record| record.seq);
            stored.extend(fill(&*log, &[record(subject, after.get())]).await);
        }
        for consistency in [Consistency::Any, Consistency::Leader] {
            let pages = pages(&*log, subject, consistency).await;
            assert_eq!(pages.iter().map(|page| page.records.len()).collect::<Vec<_>>(), [1000, 1000, 345]);
            assert_eq!(pages.into_iter().flat_map(|page| page.records).collect::<Vec<_>>(), stored);
        }
        let from = stored[2_340].seq;
        let end = log.read(subject, from, Consistency::Any).await.unwrap();
        assert_eq!((&end.records[..], end.more), (&stored[2_340..], false));
    })
    .await;
}

#[tokio::test]
async fn the_last_of_each_subject_of_a_pattern() {
    on_each_log(async |log| {
        let stored = fill(
            &*log,
            &[placed(2), placed(1), record("orders.swap.2.progress", 0), record("parked.executor.1", 0)],
        )
        .await;
        let again = fill(&*log, &[record(stored[0].subject.as_str(), 1)]).await;
        let check = async |pattern: &str, expected: &[&Record]| {
            let found = log.last_of_each(pattern).await.unwrap();
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{pattern}");
        };
        check("orders.swap.*.placed", &[&stored[1], &again[0]]).await;
        check("orders.swap.2.*", &[&stored[2], &again[0]]).await;
        check("orders.>", &[&stored[1], &stored[2], &again[0]]).await;
        check("parked.executor.1", &[&stored[3]]).await;
        check("markets.*", &[]).await;
        // `>` is at least one token.
        check("orders.swap.2.placed.>", &[]).await;
    })
    .await;
}

#[tokio::test]
async fn many_appends_at_once_are_each_stored_once() {
    on_each_log(async |log| {
        let told = append_all(&*log, (0..2_000).map(placed).collect()).await;
        let expected = all_stored_as(&*log, &told).await;
        assert_eq!(everything(&*log).await, expected);
        assert_eq!(seqs(&expected), (1..=2_000).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn a_duplicate_among_many_costs_its_neighbours_nothing() {
    on_each_log(async |log| {
        let first = fill(&*log, &[placed(150)]).await;
        let told = append_all(&*log, (0..200).map(placed).collect()).await;
        let mut expected = first;
        for (n, (record, verdict)) in told.into_iter().enumerate() {
            if n == 150 {
                assert_eq!(verdict, Err(AppendError::Fenced { last: Seq::FIRST }));
            } else {
                expected.push(stored_as(&*log, &record, verdict.unwrap().get()).await);
            }
        }
        expected.sort_by_key(|record| record.seq);
        assert_eq!(everything(&*log).await, expected);
        assert_eq!(seqs(&expected), (1..=200).collect::<Vec<_>>());
    })
    .await;
}
