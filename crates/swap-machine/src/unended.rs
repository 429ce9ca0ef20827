//! The swaps that have not ended, as the stream tells it: what executors have to see to, whoever acknowledged what.
//!
//! ```text
//!  orders.swap.> ──heard──▶ Unended ──due──▶ driven by this process ──released──▶ Unended
//!                            │   └── no event, and not in our hands, for `patience`: due
//!                            └────── ended: forgotten
//! ```
//! Time is given, not read: what is waited for runs by a clock that nobody sets. Taking an order up that needs nothing, or
//! that another process works on, is harmless: its history says so, and fences let one writer win.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use fillstream_domain::{OrderId, Seq, Timestamp, subject::SwapSubject, swap::SwapEvent};

/// Both clocks of the process, read at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Time since the process began; only ever goes on.
    pub running: Duration,
    /// Time on the wall clock.
    pub wall: Timestamp,
}

/// News of a record about its swap's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tells {
    /// It goes on: placed, another step, or a record that cannot be read.
    Goes,
    /// It goes on after a pause.
    Pauses(Duration),
    /// It has ended.
    Ends,
}

/// A record of a swap, as far as the list needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// The swap.
    pub order: OrderId,
    /// Place of the record.
    pub seq: Seq,
    /// Time at which the stream took it, by the server's clock.
    pub stored_at: Timestamp,
    /// News that it holds.
    pub tells: Tells,
}

impl Heard {
    /// A record under `orders.swap.>`; nothing when its subject names no swap.
    #[must_use]
    pub fn read(subject: &str, seq: Seq, stored_at: Timestamp, payload: &[u8]) -> Option<Self> {
        let order = SwapSubject::parse(subject)?.order();
        let tells = match SwapEvent::decode(payload) {
            Ok(SwapEvent::Confirmed(_) | SwapEvent::Failed(_)) => Tells::Ends,
            Ok(SwapEvent::RetryScheduled(event)) => Tells::Pauses(Duration::from_millis(event.delay_ms)),
            Ok(
                SwapEvent::Placed(_)
                | SwapEvent::RoutingStarted(_)
                | SwapEvent::Routed(_)
                | SwapEvent::Prepared(_)
                | SwapEvent::ReviewNeeded(_),
            )
            | Err(_) => Tells::Goes,
        };
        Some(Self { order, seq, stored_at, tells })
    }
}

/// State in which a swap left our hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// It has ended, or was left out for good.
    Ended,
    /// It is to be looked at again after this time, unless an event comes first.
    Again(Duration),
    /// It waits for its next attempt: this is left of the pause that the record at `retry` tells of.
    Pausing {
        /// The record.
        retry: Seq,
        /// Pause that is left.
        left: Duration,
    },
    /// Only another executor can do its next step; it is looked at again after this time.
    Elsewhere(Duration),
    /// It waits for an operator's word, which will be an event.
    WithOperator,
}

/// A swap that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnendedSwap {
    /// The swap.
    pub order: OrderId,
    /// Its last record that was heard; [`Seq::ZERO`] when none was yet.
    pub last: Seq,
    /// Time at which the stream took that.
    pub moved_at: Timestamp,
}

/// Number of swaps that have not ended, and the oldest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Swaps that have not ended, those with an operator among them.
    pub count: usize,
    /// Swaps that wait for an operator's word.
    pub with_operator: usize,
    /// Swaps whose next step only another executor can do.
    pub elsewhere: usize,
    /// Time of the last event of the one that has had none for the longest time, those with an operator left aside.
    pub oldest: Option<Timestamp>,
}

/// A swap whose pause is over is taken up after this part of the patience: the queue has forgotten it, and whoever had it in
/// hand goes on at once or has died.
const AFTER_A_PAUSE: u32 = 3;

/// The list.
#[derive(Debug)]
pub struct Unended {
    patience: Duration,
    orders: HashMap<OrderId, Entry>,
    /// Those that this process drives now, known from the stream or not.
    ours: HashSet<OrderId>,
    /// The others, by when they are to be taken up.
    due: BTreeSet<(Duration, OrderId)>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    last: Seq,
    moved_at: Timestamp,
    /// The record that tells of a pause, and when that is over.
    pause: Option<(Seq, Duration)>,
    elsewhere: bool,
    waits: Waits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// For nothing: it is in our hands, or an event will say more.
    Ours,
    Until(Duration),
    ForOperator,
}

impl Unended {
    /// An empty list. A swap without an event for `patience` is taken up, whoever has it in hand.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self { patience, orders: HashMap::new(), ours: HashSet::new(), due: BTreeSet::new() }
    }

    /// Takes the stream's next record of a swap in. The same one again changes nothing but the time that is waited.
    pub fn hear(&mut self, heard: Heard, now: Moment) {
        let Heard { order, seq, stored_at, tells } = heard;
        if let (Tells::Goes | Tells::Pauses(_), Some(entry)) = (tells, self.orders.get(&order).copied())
            && entry.pause.is_some_and(|(retry, _)| seq <= retry)
        {
            // Whoever had it in hand has said more already: the pause stays as it is.
            return self.put(order, Entry { last: entry.last.max(seq), moved_at: stored_at, ..entry });
        }
        // Much of it may be over for a record of long ago; a clock that is wrong can only shorten it to nothing.
        let age = now.wall.since(stored_at);
        let left_of = |span: Duration| now.running.saturating_add(span.saturating_sub(age));
        let (span, pause) = match tells {
            Tells::Ends => return self.forget(order),
            Tells::Goes => (self.patience, None),
            Tells::Pauses(span) => {
                let pause = (seq, self.pause_over_at(order, seq).unwrap_or_else(|| left_of(span)));
                (span.saturating_add(self.patience / AFTER_A_PAUSE), Some(pause))
            }
        };
        let due = left_of(span);
        let waits = if self.ours.contains(&order) { Waits::Ours } else { Waits::Until(due) };
        self.put(order, Entry { last: seq, moved_at: stored_at, pause, elsewhere: false, waits });
    }

    /// Takes a swap into our hands; false when it is there already.
    pub fn take(&mut self, order: OrderId) -> bool {
        if !self.ours.insert(order) {
            return false;
        }
        if let Some(entry) = self.orders.get(&order).copied() {
            self.put(order, Entry { waits: Waits::Ours, elsewhere: false, ..entry });
        }
        true
    }

    /// Takes a swap into our hands that is due; none when there is none yet.
    pub fn take_due(&mut self, now: Moment) -> Option<OrderId> {
        let (due, order) = *self.due.first()?;
        (due <= now.running && self.take(order)).then_some(order)
    }

    /// Instant at which [`take_due`](Self::take_due) is worth another call, by the running clock; never while nothing waits.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        self.due.first().map(|(due, _)| *due)
    }

    /// The swap that should have been taken up first and was not: its last record, and for how long it has been due.
    #[must_use]
    pub fn overdue(&self, now: Moment) -> Option<(Seq, Duration)> {
        let (due, order) = self.due.first().filter(|(due, _)| *due < now.running)?;
        Some((self.orders.get(order)?.last, now.running.saturating_sub(*due)))
    }

    /// Gives a swap out of our hands.
    pub fn release(&mut self, order: OrderId, released: Released, now: Moment) {
        self.ours.remove(&order);
        let unheard = Entry {
            last: Seq::ZERO,
            moved_at: now.wall,
            pause: None,
            elsewhere: false,
            waits: Waits::ForOperator,
        };
        let entry = self.orders.get(&order).copied().unwrap_or(unheard);
        let until = |span: Duration| Waits::Until(now.running.saturating_add(span));
        match released {
            Released::Ended => self.forget(order),
            Released::Again(span) => self.put(order, Entry { waits: until(span), ..entry }),
            Released::Pausing { retry, left } => {
                let pause = Some((retry, now.running.saturating_add(left)));
                self.put(order, Entry { waits: until(left), pause, ..entry });
            }
            Released::Elsewhere(span) => {
                self.put(order, Entry { waits: until(span), elsewhere: true, ..entry });
            }
            Released::WithOperator => self.put(order, Entry { waits: Waits::ForOperator, ..entry }),
        }
    }

    /// End of the pause that the record at `retry` tells of, by the running clock, if it was heard of here: the clocks
    /// are compared once, and what is done to them afterwards changes nothing.
    #[must_use]
    pub fn pause_over_at(&self, order: OrderId, retry: Seq) -> Option<Duration> {
        self.orders.get(&order)?.pause.filter(|(seq, _)| *seq == retry).map(|(_, over)| over)
    }

    /// Forgets everything but what is in our hands: the stream is another one, and is told anew.
    pub fn clear(&mut self) {
        self.orders.clear();
        self.due.clear();
    }

    /// Those that were heard of in the stream.
    pub fn heard(&self) -> impl Iterator<Item = UnendedSwap> {
        let heard = self.orders.iter().filter(|(_, entry)| entry.last > Seq::ZERO);
        heard.map(|(order, entry)| UnendedSwap { order: *order, last: entry.last, moved_at: entry.moved_at })
    }

    /// Number of swaps that have not ended, and the oldest.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let with_operator = self.orders.values().filter(|entry| entry.waits == Waits::ForOperator).count();
        let others = self.orders.values().filter(|entry| entry.waits != Waits::ForOperator);
        let oldest = others.map(|entry| entry.moved_at).min();
        let elsewhere = self.orders.values().filter(|entry| entry.elsewhere).count();
        Summary { count: self.orders.len(), with_operator, elsewhere, oldest }
    }

    fn put(&mut self, order: OrderId, entry: Entry) {
        if let Some(Entry { waits: Waits::Until(due), .. }) = self.orders.insert(order, entry) {
            self.due.remove(&(due, order));
        }
        if let Waits::Until(due) = entry.waits {
            self.due.insert((due, order));
        }
    }

    fn forget(&mut self, order: OrderId) {
        if let Some(Entry { waits: Waits::Until(due), .. }) = self.orders.remove(&order) {
            self.due.remove(&(due, order));
        }
    }
}

#[cfg(test)]
#[path = "unended_tests.rs"]
mod tests;
