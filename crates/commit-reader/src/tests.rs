use fillstream_domain::{
    Timestamp,
    book::{InputResult, Levels},
};
use fillstream_event_log::{After, MemoryLog, NewRecord};
use uuid::Uuid;

use super::*;

const BTC: &str = "BTC/USDT";

/// Part `number` of `of` of the commit that covers input `input`.
fn part(market: &str, input: u64, number: u32, of: u32) -> Vec<u8> {
    let outcome = Outcome {
        seq: Seq::new(input),
        at: Timestamp::from_unix_ms(0),
        result: InputResult::Ticked,
        continued: number > 1,
        goes_on: number < of,
        changes: Vec::new(),
        levels: Levels::default(),
    };
    let commit = Commit {
        rules: fillstream_domain::book::Rules::V1,
        symbol: market.parse().unwrap(),
        first_input: Seq::new(input),
        last_input: Seq::new(input),
        part: number,
        last: number == of,
        hash: (number == of).then(|| "00000000000000ff".to_owned()),
        outcomes: vec![outcome],
    };
    commit.encode()
}

/// A log that holds these payloads under the market's subject, from sequence 1 on; nothing is another subject's record.
fn log(payloads: &[Option<Vec<u8>>]) -> MemoryLog {
    let log = MemoryLog::new(fillstream_domain::Incarnation::new(1));
    for payload in payloads {
        let subject = match payload {
            Some(_) => market_commits(&BTC.parse().unwrap()),
            None => "orders.swap.x".to_owned(),
        };
        log.append_now(NewRecord {
            subject,
            after: Seq::ZERO,
            event_id: Uuid::now_v7(),
            event_type: String::new(),
            time: String::new(),
            traceparent: None,
            retries: None,
            payload: payload.clone().unwrap_or_default().into(),
        });
    }
    log
}

async fn records(log: &MemoryLog) -> Vec<Record> {
    log.follow(After::START, None).await.unwrap().next(usize::MAX).await.unwrap()
}

/// What a reader that begins with the record at `begin` (from 0) hands out: each commit's parts' sequences, and how far it
/// is after each record; then torn and foreign.
async fn read(log: &MemoryLog, begin: usize) -> (Vec<Vec<u64>>, Vec<u64>, (u64, u64)) {
    let mut reader = CommitReader::new("test", OnForeign::PassOver);
    let (mut whole, mut positions) = (Vec::new(), Vec::new());
    for record in &records(log).await[begin..] {
        let commits = reader.take(log, record).await.unwrap();
        whole.extend(commits.iter().map(|commit| commit.parts().iter().map(|(seq, _)| seq.get()).collect()));
        positions.push(reader.position(record.seq).get());
    }
    (whole, positions, (reader.torn(), reader.foreign()))
}

#[tokio::test]
async fn commits_come_whole_and_positions_stay_before_what_is_held() {
    let log = log(&[
        Some(part(BTC, 1, 1, 1)),
        Some(part(BTC, 2, 1, 3)),
        Some(part(BTC, 2, 2, 3)),
        Some(part(BTC, 2, 3, 3)),
        None,
    ]);
    let all = vec![vec![1], vec![2, 3, 4]];
    assert_eq!(read(&log, 0).await, (all, vec![1, 1, 1, 4, 5], (0, 0)));
    // Wherever it begins inside, all of the commit is told, once.
    for (begin, positions) in [(1, vec![1, 1, 4, 5]), (2, vec![1, 4, 5]), (3, vec![4, 5])] {
        assert_eq!(read(&log, begin).await, (vec![vec![2, 3, 4]], positions, (0, 0)), "from {begin}");
    }
}

#[tokio::test]
async fn what_has_no_end_or_no_beginning_is_left_out_and_counted() {
    let without_end = log(&[Some(part(BTC, 1, 1, 2)), None, Some(part(BTC, 2, 1, 1))]);
    assert_eq!(read(&without_end, 0).await, (vec![vec![3]], vec![0, 2, 3], (1, 0)));
    let without_beginning = log(&[None, Some(part(BTC, 1, 2, 2)), Some(part(BTC, 2, 1, 1))]);
    assert_eq!(read(&without_beginning, 0).await.0, [vec![3]]);
    assert_eq!(read(&without_beginning, 0).await.2, (1, 0));
}

#[tokio::test]
async fn a_foreign_record_is_passed_over_and_a_later_version_is_as_the_reader_wants() {
    let later = String::from_utf8(part(BTC, 1, 1, 1)).unwrap().replace("\"version\":1", "\"version\":999");
    let log = log(&[
        Some(b"{".to_vec()),
        Some(part("ETH/USDT", 1, 1, 1)),
        Some(later.into_bytes()),
        Some(part(BTC, 2, 1, 1)),
    ]);
    assert_eq!(read(&log, 0).await, (vec![vec![4]], vec![1, 2, 3, 4], (0, 3)));
    let mut strict = CommitReader::new("test", OnForeign::StopAtLater);
    let records = records(&log).await;
    assert!(records[..2].iter().all(|record| matches!(strict.push(record), Ok(Step::PassedOver { .. }))));
    assert_eq!(strict.push(&records[2]).unwrap_err().seq, Seq::new(3));
}
