//! Followers that share a tail, and lose and find their place on it.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use fillstream_domain::{Incarnation, Seq};
use fillstream_event_log::{
    After, AppendError, Consistency, EventLog, Follow, Link, LogError, MemoryLog, NewRecord, Page, Record,
    StreamInfo,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::watch;

use crate::{
    records::{fill, placed, record, soon, take},
    server::shared,
};

/// Records of which each is a batch of its own: more batches than are kept for anybody.
const LATE: usize = 700;
const PATTERNS: [Option<&str>; 3] = [None, Some("orders.swap.*.placed"), Some("markets.*")];

fn wanted(stored: &[Record], from: u64, pattern: Option<&str>) -> Vec<Record> {
    let fits = |record: &&Record| match pattern {
        None => true,
        Some(pattern) => record.subject.starts_with(&pattern[..pattern.find('*').unwrap()]),
    };
    stored.iter().filter(|record| record.seq >= Seq::new(from)).filter(fits).cloned().collect()
}

/// Followers begin anywhere, at any time, and read as much as they like, while records are appended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_follower_gets_all_of_its_records_once() {
    for seed in 0..60 {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let log = shared(Arc::new(MemoryLog::new(Incarnation::new(7)))).await;
        let (mut stored, mut followers) = (Vec::new(), Vec::new());
        for n in 0..dice.random_range(1..600) {
            let next = if dice.random_bool(0.5) { placed(n) } else { record(format!("markets.{n}"), 0) };
            stored.extend(fill(&*log, &[next]).await);
            if dice.random_bool(0.02) {
                let (from, pattern) =
                    (dice.random_range(0..=stored.len() as u64 + 1), PATTERNS[dice.random_range(0..3)]);
                followers.push((
                    from,
                    pattern,
                    log.follow(After::Seq(Seq::new(from).prev()), pattern).await.unwrap(),
                    Vec::new(),
                ));
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
    let log = shared(Arc::new(MemoryLog::new(Incarnation::new(7)))).await;
    let mut follower: Box<dyn Follow> = log.follow(After::START, None).await.unwrap();
    let mut quick = log.follow(After::START, None).await.unwrap();
    let mut stored = Vec::new();
    for round in 0..3 {
        // One by one, so that each is a batch of its own.
        for n in 0..LATE {
            stored.extend(fill(&*log, &[placed(round * 1000 + n)]).await);
            assert_eq!(soon("a record", quick.next(9)).await.unwrap().len(), 1);
        }
        assert_eq!(take(&mut *follower, LATE).await, stored[stored.len() - LATE..]);
    }
}

/// A log whose followers take a moment to begin, or cannot.
struct SlowLog {
    inner: MemoryLog,
    /// Number of further followings that fail.
    unreachable: AtomicU32,
}

#[async_trait]
impl EventLog for SlowLog {
    async fn append(&self, record: NewRecord) -> Result<Seq, AppendError> {
        self.inner.append(record).await
    }

    async fn append_parts(
        &self,
        first: NewRecord,
        rest: Vec<Bytes>,
        upon: Option<fillstream_domain::RecordRef>,
    ) -> Result<Seq, AppendError> {
        self.inner.append_parts(first, rest, upon).await
    }

    fn max_payload(&self) -> usize {
        self.inner.max_payload()
    }

    async fn read(&self, subject: &str, from: Seq, consistency: Consistency) -> Result<Page, LogError> {
        self.inner.read(subject, from, consistency).await
    }

    async fn last(&self, subject: &str, consistency: Consistency) -> Result<Option<Record>, LogError> {
        self.inner.last(subject, consistency).await
    }

    async fn last_of_each(&self, pattern: &str) -> Result<Vec<Record>, LogError> {
        self.inner.last_of_each(pattern).await
    }

    async fn record(&self, seq: Seq) -> Result<Option<Record>, LogError> {
        self.inner.record(seq).await
    }

    async fn last_matching(&self, pattern: &str) -> Result<Option<Record>, LogError> {
        self.inner.last_matching(pattern).await
    }

    async fn next_matching(&self, from: Seq, pattern: &str) -> Result<Option<Record>, LogError> {
        self.inner.next_matching(from, pattern).await
    }

    async fn follow(&self, after: After, pattern: Option<&str>) -> Result<Box<dyn Follow>, LogError> {
        tokio::task::yield_now().await;
        let fails = |left: u32| left.checked_sub(1);
        if self.unreachable.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails).is_ok() {
            return Err(LogError::unreachable("not now"));
        }
        self.inner.follow(after, pattern).await
    }

    async fn info(&self) -> Result<StreamInfo, LogError> {
        self.inner.info().await
    }

    fn incarnation(&self) -> Incarnation {
        self.inner.incarnation()
    }

    fn link(&self) -> watch::Receiver<Link> {
        self.inner.link()
    }
}

/// Whoever has lost the place among the batches, and is interrupted, or does not reach the stream, on the way to a tail of
/// its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_too_slow_misses_nothing_though_it_cannot_go_on_alone_at_once() {
    for failures in [0, 2] {
        let slow =
            Arc::new(SlowLog { inner: MemoryLog::new(Incarnation::new(7)), unreachable: AtomicU32::new(0) });
        let log = shared(Arc::clone(&slow) as _).await;
        let mut follower = log.follow(After::START, None).await.unwrap();
        let mut quick = log.follow(After::START, None).await.unwrap();
        let mut stored = Vec::new();
        for n in 0..LATE {
            stored.extend(fill(&*log, &[placed(n)]).await);
            assert_eq!(soon("a record", quick.next(9)).await.unwrap().len(), 1);
        }
        slow.unreachable.store(failures, Ordering::SeqCst);
        let mut seen = Vec::new();
        for _ in 0..3 {
            tokio::select! {
                biased;
                records = follower.next(1000) => seen.extend(records.unwrap()),
                () = std::future::ready(()) => {}
            }
        }
        seen.extend(take(&mut *follower, stored.len() - seen.len()).await);
        assert_eq!(seen, stored, "{failures} failures");
    }
}
