//! A working queue over a log in memory, for tests of everything above it; also what others may do to a queue.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use fillstream_domain::Seq;
use parking_lot::Mutex;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{Acknowledgement, After, EventLog, MemoryLog, Receipt, Record, Work, WorkQueue};

/// A working queue over a log in memory. Clones share it, as processes share a consumer.
#[derive(Clone)]
pub struct MemoryQueue(Arc<Shared>);

struct Shared {
    log: MemoryLog,
    pattern: String,
    ack_wait: Duration,
    most_in_hand: usize,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

struct State {
    /// The first sequence that was never handed out.
    from: Seq,
    in_hand: BTreeMap<Seq, InHand>,
    paused: bool,
}

struct InHand {
    record: Record,
    delivered: u64,
    again_at: Instant,
}

impl MemoryQueue {
    /// A queue of all records under a pattern. Silence for `ack_wait` hands a record out again; no more than
    /// `most_in_hand` are handed out and not acknowledged.
    #[must_use]
    pub fn new(log: MemoryLog, pattern: &str, ack_wait: Duration, most_in_hand: usize) -> Self {
        let state = State { from: Seq::FIRST, in_hand: BTreeMap::new(), paused: false };
        let (state, changed) = (Mutex::new(state), watch::Sender::new(()));
        Self(Arc::new(Shared { log, pattern: pattern.to_owned(), ack_wait, most_in_hand, state, changed }))
    }

    /// Another client takes everything that is there now, and acknowledges it: `nats consumer next` does so.
    pub async fn take_away(&self) {
        let last = self.0.log.last_matching(">").await.ok().flatten().map_or(Seq::ZERO, |last| last.seq);
        self.change(|state| {
            state.from = state.from.max(last.next());
            state.in_hand.clear();
        });
    }

    /// The queue is deleted and made anew: it hands everything out once more, to whom it may.
    pub fn make_anew(&self) {
        self.change(|state| {
            state.from = Seq::FIRST;
            state.in_hand.clear();
        });
    }

    /// Hands nothing out while it is paused.
    pub fn pause(&self, paused: bool) {
        self.change(|state| state.paused = paused);
    }

    /// Records that are handed out and not acknowledged.
    #[must_use]
    pub fn in_hand(&self) -> usize {
        self.0.state.lock().in_hand.len()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.state.lock());
        self.0.changed.send_replace(());
    }

    fn work(&self, record: Record, delivered: u64) -> Work {
        let receipt = MemoryReceipt { queue: self.clone(), seq: record.seq };
        Work::new(record, delivered, Box::new(receipt))
    }

    /// Takes what is to be handed out now, if there is any; else tells when something in hand will be.
    async fn now(&self) -> Result<Work, Option<Instant>> {
        let (from, soonest) = {
            let mut state = self.0.state.lock();
            if state.paused {
                return Err(None);
            }
            let again_at = Instant::now() + self.0.ack_wait;
            let due = state.in_hand.values_mut().find(|in_hand| in_hand.again_at <= Instant::now());
            if let Some(due) = due {
                due.delivered += 1;
                due.again_at = again_at;
                return Ok(self.work(due.record.clone(), due.delivered));
            }
            let soonest = state.in_hand.values().map(|in_hand| in_hand.again_at).min();
            if state.in_hand.len() >= self.0.most_in_hand {
                return Err(soonest);
            }
            (state.from, soonest)
        };
        let Ok(Some(record)) = self.0.log.next_matching(from, &self.0.pattern).await else {
            return Err(soonest);
        };
        let mut state = self.0.state.lock();
        if state.from != from {
            // Another worker has taken it meanwhile.
            return Err(Some(Instant::now()));
        }
        state.from = record.seq.next();
        let again_at = Instant::now() + self.0.ack_wait;
        state.in_hand.insert(record.seq, InHand { record: record.clone(), delivered: 1, again_at });
        Ok(self.work(record, 1))
    }

    /// Waits until there may be a record to hand out that never was.
    async fn stored(&self) {
        let from = self.0.state.lock().from;
        let tail = self.0.log.follow(After::Seq(from.prev()), Some(&self.0.pattern)).await;
        match tail {
            Ok(mut tail) => drop(tail.next(1).await),
            Err(_) => std::future::pending().await,
        }
    }
}

#[async_trait]
impl WorkQueue for MemoryQueue {
    async fn next(&mut self) -> Work {
        let mut changed = self.0.changed.subscribe();
        loop {
            changed.mark_unchanged();
            let soonest = match self.now().await {
                Ok(work) => return work,
                Err(soonest) => soonest,
            };
            let has_room = {
                let state = self.0.state.lock();
                !state.paused && state.in_hand.len() < self.0.most_in_hand
            };
            let soonest = async {
                match soonest {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = soonest => {}
                () = self.stored(), if has_room => {}
                _ = changed.changed() => {}
            }
        }
    }
}

struct MemoryReceipt {
    queue: MemoryQueue,
    seq: Seq,
}

#[async_trait]
impl Receipt for MemoryReceipt {
    async fn send(&self, acknowledgement: Acknowledgement) {
        let ack_wait = self.queue.0.ack_wait;
        self.queue.change(|state| match acknowledgement {
            Acknowledgement::Done => drop(state.in_hand.remove(&self.seq)),
            Acknowledgement::InProgress => {
                if let Some(in_hand) = state.in_hand.get_mut(&self.seq) {
                    in_hand.again_at = Instant::now() + ack_wait;
                }
            }
            Acknowledgement::Later(delay) => {
                if let Some(in_hand) = state.in_hand.get_mut(&self.seq) {
                    in_hand.again_at = Instant::now() + delay;
                }
            }
        });
    }
}
