//! A process that can die at any await: from then on nothing answers it, and nothing that it does has an effect.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use fillstream_event_log::{
    Acknowledgement, LogError, MemorySnapshots, Receipt, SnapshotStore, Work, WorkQueue,
};
use parking_lot::Mutex;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::sleep;

/// All chance of a run.
#[derive(Clone)]
pub(crate) struct Dice(Arc<Mutex<ChaCha8Rng>>);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(ChaCha8Rng::seed_from_u64(seed))))
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.0.lock().random_range(0..bound)
    }

    /// True so many times of a thousand.
    pub(crate) fn strikes(&self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// A wait of up to so many milliseconds; often none.
    pub(crate) async fn dawdle(&self, at_most_ms: u64) {
        let ms = self.below(at_most_ms * 2 + 1).saturating_sub(at_most_ms);
        if ms > 0 {
            sleep(Duration::from_millis(ms)).await;
        }
    }
}

/// A process.
#[derive(Clone)]
pub(crate) struct Life {
    dead: Arc<AtomicBool>,
    pub(crate) dice: Dice,
}

impl Life {
    pub(crate) fn begin(dice: &Dice) -> Self {
        Self { dead: Arc::default(), dice: dice.clone() }
    }

    pub(crate) fn end(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }

    /// Goes on only while the process lives.
    pub(crate) async fn alive(&self) {
        if self.dead.load(Ordering::Relaxed) {
            pending().await
        }
    }
}

/// A process's end of the queue.
pub(crate) struct MortalQueue {
    pub(crate) life: Life,
    pub(crate) queue: Box<dyn WorkQueue>,
}

#[async_trait]
impl WorkQueue for MortalQueue {
    async fn next(&mut self) -> Work {
        self.life.alive().await;
        let work = self.queue.next().await;
        self.life.alive().await;
        let (record, delivered) = (work.record.clone(), work.delivered);
        Work::new(record, delivered, Box::new(MortalReceipt { life: self.life.clone(), work }))
    }
}

struct MortalReceipt {
    life: Life,
    work: Work,
}

#[async_trait]
impl Receipt for MortalReceipt {
    async fn send(&self, acknowledgement: Acknowledgement) {
        self.life.alive().await;
        // Some get lost on the way.
        if self.life.dice.strikes(100) {
            return;
        }
        match acknowledgement {
            Acknowledgement::Done => self.work.ack().await,
            Acknowledgement::InProgress => self.work.in_progress().await,
            Acknowledgement::Later(delay) => self.work.nak(delay).await,
        }
    }
}

/// A process's end of the snapshots: sometimes they cannot be asked, and once in a while everything in them is gone.
#[derive(Clone)]
pub(crate) struct MortalSnapshots {
    pub(crate) life: Life,
    pub(crate) snapshots: MemorySnapshots,
}

impl MortalSnapshots {
    async fn asked(&self) -> Result<(), LogError> {
        self.life.alive().await;
        if self.life.dice.strikes(200) { Err(LogError::unreachable("a simulated fault")) } else { Ok(()) }
    }
}

#[async_trait]
impl SnapshotStore for MortalSnapshots {
    async fn put(&self, name: &str, snapshot: Bytes) -> Result<(), LogError> {
        self.asked().await?;
        self.snapshots.put(name, snapshot).await
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, LogError> {
        self.asked().await?;
        self.snapshots.get(name).await
    }

    async fn names(&self, prefix: &str) -> Result<Vec<String>, LogError> {
        self.asked().await?;
        self.snapshots.names(prefix).await
    }

    async fn delete(&self, name: &str) -> Result<(), LogError> {
        self.asked().await?;
        self.snapshots.delete(name).await
    }
}
