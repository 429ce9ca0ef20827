//! Followers that share a tail, and lose and find their place on it.

use std::sync::Arc;

use fillstream_event_log::{Follow, MemoryLog, Record};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    records::{fill, placed, record, soon, take},
    server::shared,
};

const PATTERNS: [Option<&str>; 3] = [None, Some("orders.swap.*.placed"), Some("markets.*")];

fn wanted(stored: &[Record], from: u64, pattern: Option<&str>) -> Vec<Record> {
    let fits = |record: &&Record| match pattern {
        None => true,
        Some(pattern) => record.subject.starts_with(&pattern[..pattern.find('*').unwrap()]),
    };
    stored.iter().filter(|record| record.seq >= from).filter(fits).cloned().collect()
}

/// Followers begin anywhere, at any time, and read as much as they like, while records are appended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_follower_gets_all_of_its_records_once() {
    for seed in 0..60 {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let log = shared(Arc::new(MemoryLog::new(7))).await;
        let (mut stored, mut followers) = (Vec::new(), Vec::new());
        for n in 0..dice.random_range(1..600) {
            let next = if dice.random_bool(0.5) { placed(n) } else { record(format!("markets.{n}"), 0) };
            stored.extend(fill(&*log, &[next]).await);
            if dice.random_bool(0.02) {
                let (from, pattern) =
                    (dice.random_range(0..=stored.len() as u64 + 3), PATTERNS[dice.random_range(0..3)]);
                followers.push((from, pattern, log.follow(from, pattern).await.unwrap(), Vec::new()));
            }
            for (_, _, follower, seen) in &mut followers {
                if dice.random_bool(0.05) {
                    let max = dice.random_range(1..50);
                    // Whoever waits may be interrupted at any moment.
                    tokio::select! {
                        biased;
                        records = follower.next(max) => seen.extend(records.unwrap()),
                        () = tokio::task::yield_now() => {}
                    }
                }
            }
        }
        for (from, pattern, mut follower, mut seen) in followers {
            let expected = wanted(&stored, from, pattern);
            seen.extend(take(&mut *follower, expected.len() - seen.len()).await);
            assert_eq!(seen, expected, "seed {seed}, from {from}, {pattern:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_too_slow_goes_on_alone_and_comes_back() {
    let log = shared(Arc::new(MemoryLog::new(7))).await;
    let mut follower: Box<dyn Follow> = log.follow(1, None).await.unwrap();
    let mut quick = log.follow(1, None).await.unwrap();
    let mut stored = Vec::new();
    for round in 0..3 {
        // One by one, so that each is a batch of its own: more batches than are kept for anybody.
        for n in 0..200 {
            stored.extend(fill(&*log, &[placed(round * 1000 + n)]).await);
            assert_eq!(soon("a record", quick.next(9)).await.unwrap().len(), 1);
        }
        assert_eq!(take(&mut *follower, 200).await, stored[stored.len() - 200..]);
    }
}
