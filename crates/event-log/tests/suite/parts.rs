//! One decision in one record or several.

use bytes::Bytes;
use fillstream_domain::{Incarnation, Seq};
use fillstream_event_log::{
    AppendError, Consistency, EventLog, HEADER_ROOM, MAX_PARTS, MemoryLog, NewRecord, Refusal,
};
use futures_util::future::join_all;

use crate::{
    proxy::{Proxy, Way},
    records::{append_all, fill, pages, placed, record, soon},
    server::{Server, on_each_log},
};

const MARKET: &str = "markets.SOL-USDC";

/// Parts behind the first one.
pub(crate) fn rest(count: usize) -> Vec<Bytes> {
    (0..count).map(|n| Bytes::from(format!(r#"{{"part":{}}}"#, n + 2))).collect()
}

/// The ids that an append in so many parts gives.
pub(crate) fn ids(first: &NewRecord, parts: usize) -> Vec<Option<uuid::Uuid>> {
    (0..parts).map(|part| Some(first.part_id(part))).collect()
}

#[tokio::test]
async fn parts_lie_side_by_side_among_other_appends() {
    on_each_log(async |log| {
        let mut after = 0;
        for (n, parts) in [1, 2, 3, 100, 1, MAX_PARTS].into_iter().enumerate() {
            let first = record(MARKET, after);
            let others = append_all(&*log, (n * 50..(n + 1) * 50).map(placed).collect());
            let (last, told) = tokio::join!(log.append_parts(first.clone(), rest(parts - 1), None), others);
            let last = last.unwrap();
            assert!(told.iter().all(|(_, verdict)| verdict.is_ok()));

            let page = log.read(MARKET, Seq::new(after + 1), Consistency::Leader).await.unwrap();
            assert_eq!(page.records.len(), parts);
            let from = last.next().minus(parts as u64).get();
            assert!(
                page.records.iter().map(|record| record.seq.get()).eq(from..=last.get()),
                "a gap before {last}"
            );
            assert!(page.records.iter().map(|record| record.event_id).eq(ids(&first, parts)));
            let payloads: Vec<_> = std::iter::once(first.payload).chain(rest(parts - 1)).collect();
            assert!(page.records.iter().map(|record| &record.payload).eq(&payloads));
            after = last.get();
        }
        let mut ids: Vec<_> = pages(&*log, MARKET, Consistency::Any)
            .await
            .into_iter()
            .flat_map(|page| page.records)
            .map(|record| record.event_id)
            .collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!((ids.len(), count), (1_107, 1_107));
    })
    .await;
}

/// On a server what is sent again is held against the record, and what is first sent over a connection made anew.
#[tokio::test]
async fn what_rests_on_a_lost_record_is_not_stored() {
    let log = MemoryLog::new(Incarnation::new(7));
    let stored = fill(&log, &[placed(1), placed(2)]).await;
    let upon = Some(stored[1].reference());
    assert_eq!(log.append_parts(record(MARKET, 0), rest(0), upon).await, Ok(Seq::new(3)));
    log.put_back(Seq::FIRST);
    let verdict = log.append_parts(record(MARKET, 0), rest(0), upon).await;
    assert_eq!(verdict, Err(AppendError::Fenced { last: Seq::ZERO }));

    let server = Server::durable();
    let proxy = Proxy::before(&server).await;
    let log = server.log_at(&proxy.url()).await;
    let here = fill(&log, &[placed(1)]).await[0].reference();
    let elsewhere = stored[0].reference();
    for (upon, verdict) in
        [(elsewhere, Err(AppendError::Fenced { last: Seq::ZERO })), (here, Ok(Seq::new(2)))]
    {
        proxy.cut_after(Way::Request, 0);
        let append = log.append_parts(record(MARKET, 0), rest(0), Some(upon));
        assert_eq!(soon("a verdict", append).await, verdict);
    }
}

#[tokio::test]
async fn a_lost_fence_stores_no_part() {
    on_each_log(async |log| {
        fill(&*log, &[record(MARKET, 0), placed(1), record(MARKET, 1)]).await;
        for parts in [1, 3] {
            for (after, last) in [(0, 1), (1, 3), (2, 3), (9, 3)] {
                let verdict =
                    soon("a verdict", log.append_parts(record(MARKET, after), rest(parts - 1), None)).await;
                assert_eq!(
                    verdict,
                    Err(AppendError::Fenced { last: Seq::new(last) }),
                    "{parts} parts after {after}"
                );
            }
        }
        assert_eq!(log.info().await.unwrap().last_seq, Seq::new(3));
        assert_eq!(log.append_parts(record(MARKET, 3), rest(2), None).await, Ok(Seq::new(6)));
        assert_eq!(log.append(record(MARKET, 6)).await, Ok(Seq::new(7)));
    })
    .await;
}

#[tokio::test]
async fn of_two_writers_one_wins_with_all_its_parts() {
    on_each_log(async |log| {
        let mut after = 0;
        for round in 0..30 {
            let writers = [(record(MARKET, after), 3), (record(MARKET, after), 1 + round % 4)];
            let appends =
                writers.iter().map(|(first, parts)| log.append_parts(first.clone(), rest(parts - 1), None));
            let verdicts = soon("both verdicts", join_all(appends)).await;
            let winner = match verdicts[..] {
                [Ok(_), Err(AppendError::Fenced { .. })] => 0,
                [Err(AppendError::Fenced { .. }), Ok(_)] => 1,
                _ => panic!("not one winner: {verdicts:?}"),
            };
            let (first, parts) = &writers[winner];
            let stored = log.read(MARKET, Seq::new(after + 1), Consistency::Leader).await.unwrap().records;
            assert!(stored.iter().map(|record| record.event_id).eq(ids(first, *parts)), "{verdicts:?}");
            assert_eq!(verdicts[1 - winner], Err(AppendError::Fenced { last: stored[0].seq }));
            after = stored[stored.len() - 1].seq.get();
            assert_eq!(verdicts[winner], Ok(Seq::new(after)));
        }
    })
    .await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused_as_a_whole() {
    on_each_log(async |log| {
        let largest = log.max_payload() - HEADER_ROOM;
        assert_eq!(log.max_payload(), 1 << 20);
        let too_large = Bytes::from(vec![b'x'; largest + 1]);
        let first = |payload: &Bytes| NewRecord { payload: payload.clone(), ..record(MARKET, 0) };
        let nothing = Bytes::new();
        let check = async |what: &str, first: NewRecord, rest: Vec<Bytes>| match soon(
            "a verdict",
            log.append_parts(first, rest, None),
        )
        .await
        {
            Err(AppendError::Refused(Refusal::Invalid(reason))) => assert!(reason.contains(what), "{reason}"),
            verdict => panic!("{what}: {verdict:?}"),
        };
        check("1001 parts", first(&nothing), rest(MAX_PARTS)).await;
        check("is larger than", first(&too_large), Vec::new()).await;
        check("is larger than", first(&too_large), rest(1)).await;
        check("is larger than", first(&nothing), vec![nothing.clone(), too_large.clone()]).await;
        check("not a literal", record("markets.*", 0), rest(1)).await;
        assert_eq!(log.info().await.unwrap().last_seq, Seq::ZERO);

        let payload = Bytes::from(vec![b'x'; largest]);
        let traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
        let first = NewRecord { payload: payload.clone(), traceparent, ..record(MARKET, 0) };
        assert_eq!(log.append_parts(first, vec![payload; 2], None).await, Ok(Seq::new(3)));
    })
    .await;
}

#[tokio::test]
async fn parts_do_not_wait_in_line() {
    let server = Server::durable();
    let log = server.log().await;
    let mut others = Box::pin(append_all(&log, (0..4_000).map(placed).collect()));
    // All of them are in line before the parts are.
    assert!(futures_util::poll!(&mut others).is_pending());
    let (last, told) = tokio::join!(log.append_parts(record(MARKET, 0), rest(2), None), others);
    let last = last.unwrap();
    assert!(told.iter().all(|(_, verdict)| verdict.is_ok()));
    // Behind the first group at most.
    assert!(last <= Seq::new(1_003), "the last part is at {last}");
}

#[tokio::test]
async fn one_part_is_a_plain_record_and_several_are_one_batch() {
    let server = Server::durable();
    let (log, witness) = (server.log().await, server.witness().await);
    let first = record(MARKET, 0);
    assert_eq!(log.append_parts(first.clone(), rest(0), None).await, Ok(Seq::new(1)));
    assert_eq!(log.append_parts(record(MARKET, 1), rest(2), None).await, Ok(Seq::new(4)));
    let stored = witness.stored().await;
    let batches: Vec<_> = stored.iter().map(|record| record.batch.as_deref()).collect();
    assert!(batches[0].is_none() && batches[1].is_some());
    assert!(batches[2] == batches[1] && batches[3] == batches[1], "{batches:?}");
    let stream = witness.stream().await;
    for seq in 1..=4 {
        let headers = stream.direct_get(seq).await.unwrap().headers;
        let header = |name: &str| headers.get(name).map(ToString::to_string);
        assert_eq!(header("ce-type").as_ref(), Some(&first.event_type));
        assert_eq!(header("ce-time").as_ref(), Some(&first.time));
        assert_eq!(header("Nats-Expected-Last-Subject-Sequence").is_some(), seq <= 2, "{seq}");
    }
}

#[tokio::test]
async fn parts_that_only_half_exist_are_not_taken_for_an_append() {
    let server = Server::durable();
    let log = server.log().await;
    let first = record(MARKET, 0);
    // As a power failure leaves a batch.
    log.append(first.clone()).await.unwrap();
    assert_eq!(
        log.append_parts(first.clone(), rest(2), None).await,
        Err(AppendError::Fenced { last: Seq::FIRST })
    );
    assert_eq!(log.append_parts(record(MARKET, 1), rest(2), None).await, Ok(Seq::new(4)));
    // And what was stored whole is found again, however often it is asked for.
    let whole = record(MARKET, 4);
    assert_eq!(log.append_parts(whole.clone(), rest(2), None).await, Ok(Seq::new(7)));
    assert_eq!(log.append_parts(whole, rest(2), None).await, Ok(Seq::new(7)));
    assert_eq!(log.info().await.unwrap().last_seq, Seq::new(7));
}
