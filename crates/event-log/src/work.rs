//! A working queue: each record is handed to one worker, again after a while when nobody has acknowledged it.
//!
//! ```text
//!  stream ──▶ queue ──next──▶ Work ──ack──▶ never again          (unless the queue is made anew)
//!               ▲               ├─in_progress─▶ the wait begins anew
//!               └───────────────┴─nak(delay), or silence for the queue's wait
//! ```
//! The fast path of work, not its memory: whoever has the rights can acknowledge, delete, pause and make a queue anew.
//! What is left to do must be in the records.

use std::{fmt, time::Duration};

use async_trait::async_trait;

use crate::Record;

/// Records to be worked on, shared with all processes that have the same queue.
#[async_trait]
pub trait WorkQueue: Send + 'static {
    /// The next record. Outages are waited out. Safe to give up while it waits: no record is lost.
    async fn next(&mut self) -> Work;
}

/// Verdict of a worker on a record in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledgement {
    /// Done: it is not handed out again. An acknowledgement that gets lost hands it out once more.
    Done,
    /// Still at work: the time until it is handed out again begins anew.
    InProgress,
    /// Not now: it is handed out again after this time. It counts as in hand meanwhile.
    Later(Duration),
}

/// Destination of one record's acknowledgements. They are sent, not proved to have arrived.
#[async_trait]
pub trait Receipt: Send + Sync + 'static {
    /// Tells the queue.
    async fn send(&self, acknowledgement: Acknowledgement);
}

/// One record and the duty to acknowledge it.
pub struct Work {
    /// The record.
    pub record: Record,
    /// Number of deliveries, this one included.
    pub delivered: u64,
    receipt: Box<dyn Receipt>,
}

impl Work {
    /// A record handed out for the `delivered`th time.
    #[must_use]
    pub fn new(record: Record, delivered: u64, receipt: Box<dyn Receipt>) -> Self {
        Self { record, delivered, receipt }
    }

    /// See [`Acknowledgement::Done`].
    pub async fn ack(&self) {
        self.receipt.send(Acknowledgement::Done).await;
    }

    /// See [`Acknowledgement::InProgress`].
    pub async fn in_progress(&self) {
        self.receipt.send(Acknowledgement::InProgress).await;
    }

    /// See [`Acknowledgement::Later`].
    pub async fn nak(&self, delay: Duration) {
        self.receipt.send(Acknowledgement::Later(delay)).await;
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("record", &self.record).field("delivered", &self.delivered).finish()
    }
}
