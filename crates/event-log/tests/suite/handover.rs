//! The hand-over from a follower's own tail to the shared one, beside a replica that is behind.
//!
//! ```text
//!  leader    1 … 200          ──▶ shared tail: has sent 200
//!  replica   1 … 150          ──▶ own tail: "nothing is left" at 150
//! ```
//! Schedules are drawn from seeds: appends, the replica's progress, followers that begin anywhere and read a little.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use fillstream_domain::{Incarnation, RecordRef, Seq};
use fillstream_event_log::{
    After, AppendError, Consistency, EventLog, Follow, Link, LogError, MemoryLog, NewRecord, Page, Record,
    SharedLog, StreamInfo,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::watch;

use crate::records::{placed, record, soon};

/// A stream whose first tail is served by the leader, and all others by a replica.
#[derive(Clone)]
struct BesideAReplica {
    leader: MemoryLog,
    /// The last sequence that the replica has.
    replica: watch::Sender<Seq>,
    /// The first tail was begun.
    is_followed: Arc<AtomicBool>,
}

impl BesideAReplica {
    fn new() -> Self {
        let leader = MemoryLog::new(Incarnation::new(7));
        Self { leader, replica: watch::Sender::new(Seq::ZERO), is_followed: Arc::default() }
    }
}

#[async_trait]
impl EventLog for BesideAReplica {
    async fn append(&self, record: NewRecord) -> Result<Seq, AppendError> {
        self.leader.append(record).await
    }

    async fn append_parts(
        &self,
        first: NewRecord,
        rest: Vec<Bytes>,
        upon: Option<RecordRef>,
    ) -> Result<Seq, AppendError> {
        self.leader.append_parts(first, rest, upon).await
    }

    fn max_payload(&self) -> usize {
        self.leader.max_payload()
    }

    async fn read(&self, subject: &str, from: Seq, consistency: Consistency) -> Result<Page, LogError> {
        self.leader.read(subject, from, consistency).await
    }

    async fn last(&self, subject: &str, consistency: Consistency) -> Result<Option<Record>, LogError> {
        self.leader.last(subject, consistency).await
    }

    async fn last_of_each(&self, pattern: &str) -> Result<Vec<Record>, LogError> {
        self.leader.last_of_each(pattern).await
    }

    async fn record(&self, seq: Seq) -> Result<Option<Record>, LogError> {
        self.leader.record(seq).await
    }

    async fn last_matching(&self, pattern: &str) -> Result<Option<Record>, LogError> {
        self.leader.last_matching(pattern).await
    }

    async fn next_matching(&self, from: Seq, pattern: &str) -> Result<Option<Record>, LogError> {
        self.leader.next_matching(from, pattern).await
    }

    async fn follow(&self, after: After, pattern: Option<&str>) -> Result<Box<dyn Follow>, LogError> {
        // Also the proof of the place.
        let of_leader = self.leader.follow(after, pattern).await?;
        if !self.is_followed.swap(true, Ordering::Relaxed) {
            return Ok(of_leader);
        }
        let (replica, pattern) = (self.replica.subscribe(), pattern.unwrap_or(">").to_owned());
        let mut tail =
            ReplicaTail { leader: self.leader.clone(), replica, pattern, reached: after, behind: 0 };
        tail.behind = tail.visible().await.len() as u64;
        Ok(Box::new(tail))
    }

    async fn info(&self) -> Result<StreamInfo, LogError> {
        self.leader.info().await
    }

    fn incarnation(&self) -> Incarnation {
        self.leader.incarnation()
    }

    fn link(&self) -> watch::Receiver<Link> {
        self.leader.link()
    }
}

/// A tail that knows what the replica has, and counts as behind what that is.
struct ReplicaTail {
    leader: MemoryLog,
    replica: watch::Receiver<Seq>,
    pattern: String,
    reached: After,
    behind: u64,
}

impl ReplicaTail {
    async fn visible(&self) -> Vec<Record> {
        let (end, mut from, mut visible) = (*self.replica.borrow(), self.reached.seq().next(), Vec::new());
        while let Some(next) = self.leader.next_matching(from, &self.pattern).await.unwrap()
            && next.seq <= end
        {
            from = next.seq.next();
            visible.push(next);
        }
        visible
    }
}

#[async_trait]
impl Follow for ReplicaTail {
    async fn next(&mut self, max: usize) -> Result<Vec<Record>, LogError> {
        loop {
            self.replica.borrow_and_update();
            let mut visible = self.visible().await;
            let left = visible.split_off(visible.len().min(max));
            if let Some(last) = visible.last() {
                self.reached = last.reference().into();
                self.behind = left.len() as u64;
                return Ok(visible);
            }
            self.replica.changed().await.map_err(LogError::unreachable)?;
        }
    }

    fn reached(&self) -> Option<RecordRef> {
        None
    }

    async fn caught_up(&mut self) -> Result<bool, LogError> {
        Ok(self.leader.next_matching(self.reached.seq().next(), &self.pattern).await?.is_none())
    }

    fn behind(&self) -> u64 {
        self.behind
    }

    fn recreated(&self) -> u64 {
        0
    }
}

/// Lets the shared tail hand out what it has.
async fn let_it_run() {
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn nothing_is_left_on_a_replica_that_is_behind_and_still_nothing_is_missed() {
    for pattern in [None, Some("orders.swap.*.placed")] {
        let log = BesideAReplica::new();
        let shared = SharedLog::start(Arc::new(log.clone())).await.unwrap();
        for n in 0..200 {
            log.append(placed(n)).await.unwrap();
        }
        let_it_run().await;
        log.replica.send_replace(Seq::new(150));
        let mut follower = shared.follow(After::START, pattern).await.unwrap();
        let mut seen = Vec::new();
        while seen.len() < 150 {
            seen.extend(soon("a record", follower.next(50)).await.unwrap());
        }
        log.append(placed(200)).await.unwrap();
        let waits = tokio::time::timeout(std::time::Duration::from_millis(20), follower.next(300)).await;
        assert!(waits.is_err(), "something between is missing: {waits:?}");
        log.replica.send_replace(Seq::new(201));
        while seen.len() < 201 {
            seen.extend(soon("a record", follower.next(300)).await.unwrap());
        }
        let seqs: Vec<_> = seen.iter().map(|record| record.seq.get()).collect();
        assert_eq!(seqs, (1..=201).collect::<Vec<_>>(), "{pattern:?}");
        assert!(follower.caught_up().await.unwrap());
    }
}

const PATTERNS: [Option<&str>; 3] = [None, Some("orders.swap.*.placed"), Some("markets.*")];

struct Reader {
    after: Seq,
    pattern: Option<&'static str>,
    follower: Box<dyn Follow>,
    seen: Vec<Record>,
}

impl Reader {
    async fn expected(&self, log: &MemoryLog) -> Vec<Record> {
        let (mut from, mut expected) = (self.after.next(), Vec::new());
        while let Some(next) = log.next_matching(from, self.pattern.unwrap_or(">")).await.unwrap() {
            from = next.seq.next();
            expected.push(next);
        }
        expected
    }
}

async fn run(seed: u64) {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let log = BesideAReplica::new();
    let shared = SharedLog::start(Arc::new(log.clone())).await.unwrap();
    let (mut stored, mut readers) = (Vec::<Seq>::new(), Vec::<Reader>::new());
    for n in 0..dice.random_range(20..80_usize) {
        match dice.random_range(0..10) {
            0..4 => {
                let next = if dice.random() { placed(n) } else { record(format!("markets.{n}"), 0) };
                stored.push(log.append(next).await.unwrap());
            }
            4 => {
                let at = log.replica.borrow().get()..=stored.len() as u64;
                log.replica.send_replace(Seq::new(dice.random_range(at)));
            }
            5 => let_it_run().await,
            6 => {
                let after = Seq::new(dice.random_range(0..=stored.len() as u64));
                let place = match log.record(after).await.unwrap() {
                    Some(record) if dice.random() => After::Record(record.reference()),
                    Some(_) | None => After::Seq(after),
                };
                let pattern = PATTERNS[dice.random_range(0..PATTERNS.len())];
                let follower = shared.follow(place, pattern).await.unwrap();
                readers.push(Reader { after, pattern, follower, seen: Vec::new() });
            }
            _ => {
                for reader in &mut readers {
                    if dice.random() {
                        tokio::select! {
                            biased;
                            records = reader.follower.next(dice.random_range(1..9)) => {
                                reader.seen.extend(records.unwrap());
                            }
                            () = tokio::task::yield_now() => {}
                        }
                    }
                }
            }
        }
    }
    log.replica.send_replace(Seq::new(stored.len() as u64));
    for mut reader in readers {
        let expected = reader.expected(&log.leader).await;
        while reader.seen.len() < expected.len() {
            reader.seen.extend(soon("a record", reader.follower.next(9)).await.unwrap());
        }
        assert_eq!(reader.seen, expected, "seed {seed}, after {}, {:?}", reader.after, reader.pattern);
    }
}

#[tokio::test]
async fn no_schedule_makes_a_hole() {
    for seed in 0..10_000 {
        run(seed).await;
    }
}
