//! Settings of the executor.

use std::time::Duration;

use fillstream_swap_machine::Backoff;

use crate::effects::VENUE_PATIENCE;

/// Settings of the executor.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Longest wait for a quote; without any in time the attempt has failed.
    pub quote_timeout: Duration,
    /// Pause between two sends of the same bytes.
    pub rebroadcast: Duration,
    /// First pause between two looks at a venue that gives no hint.
    pub look_interval_min: Duration,
    /// Longest pause between two looks at a venue that gives no hint.
    pub look_interval_max: Duration,
    /// Backoff before the next attempt.
    pub backoff: Backoff,
    /// The queue's `ack_wait`: without a word for this long an order goes to another executor.
    pub ack_wait: Duration,
    /// A swap without an event for so long is taken up from the stream, whoever has acknowledged its message. Some
    /// `ack_wait`s, so that the queue comes first.
    pub stalled_after: Duration,
    /// Between two writings of the checkpoint that spares a restart the reading of all swaps.
    pub checkpoint_every: Duration,
    /// Orders in hand at the same time.
    pub hands: Hands,
}

/// Orders in hand at the same time, a task of some kilobytes each. What is beyond waits on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hands {
    /// Orders that the queue brought.
    pub of_queue: usize,
    /// Orders that were taken up from the stream, or that gave their place in the queue up.
    pub of_stream: usize,
    /// Orders of one venue whose transaction is undecided.
    pub of_venue: usize,
}

impl Default for Hands {
    /// More than one consumer hands out by default; beside them as many as are driven without haste.
    fn default() -> Self {
        Self { of_queue: 8_192, of_stream: 4_096, of_venue: 4_096 }
    }
}

impl Settings {
    /// `ack_wait`s without an event until a swap is taken up from the stream, when nothing else is said.
    pub const STALLED_AFTER_ACK_WAITS: u32 = 3;
    /// `ack_wait`s until an order that takes its time gives up its place in the queue: it is remembered by the stream, and
    /// new orders do not wait behind it.
    pub(crate) const HELD_FOR_ACK_WAITS: u32 = 2;

    /// Longest time that a step, or one word with a venue, may take while all is well or the venue does not answer.
    pub(crate) fn longest_step(&self) -> Duration {
        (VENUE_PATIENCE + self.rebroadcast).max(self.quote_timeout).max(self.ack_wait)
    }
}

impl Default for Settings {
    fn default() -> Self {
        let ack_wait = Duration::from_secs(5);
        Self {
            quote_timeout: Duration::from_secs(5),
            rebroadcast: Duration::from_secs(2),
            look_interval_min: Duration::from_millis(2),
            look_interval_max: Duration::from_millis(400),
            backoff: Backoff::default(),
            ack_wait,
            stalled_after: ack_wait * Self::STALLED_AFTER_ACK_WAITS,
            checkpoint_every: Duration::from_secs(60),
            hands: Hands::default(),
        }
    }
}
