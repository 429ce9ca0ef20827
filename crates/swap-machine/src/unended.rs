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
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use fillstream_domain::{
    OrderId, RecordRef, Seq, Timestamp,
    subject::SwapSubject,
    swap::{Standing, SwapEvent},
};
use serde::{Deserialize, Serialize};

use crate::{Signed, Transaction, signed::Signatures};

/// Both clocks of the process, read at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Time since the process began; only ever goes on.
    pub running: Duration,
    /// Time on the wall clock.
    pub wall: Timestamp,
}

/// A record of a swap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    order: OrderId,
    record: RecordRef,
    stored_at: Timestamp,
    says: Says,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Says {
    /// It is the record of a placed subject; only the first one has a say, when it can be read.
    Places(bool),
    /// Progress; nothing when it cannot be read, or is of another order.
    Moves(Option<SwapEvent>),
}

impl Heard {
    /// A record under `orders.swap.>`, which the stream took at `stored_at` by the server's clock; nothing when its subject
    /// names no swap.
    #[must_use]
    pub fn read(subject: &str, record: RecordRef, stored_at: Timestamp, payload: &[u8]) -> Option<Self> {
        let subject = SwapSubject::parse(subject)?;
        let order = subject.order();
        let event = SwapEvent::decode(payload).ok().filter(|event| event.order_id() == order);
        let says = match subject {
            SwapSubject::Placed(_) => Says::Places(matches!(event, Some(SwapEvent::Placed(_)))),
            SwapSubject::Progress(_) => Says::Moves(event),
        };
        Some(Self { order, record, stored_at, says })
    }
}

/// News of a record about its swap's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tells {
    /// It goes on: placed, another step, or a record that cannot be read or breaks the life cycle.
    Goes,
    /// It goes on after a pause.
    Pauses(Duration),
    /// It has ended.
    Ends,
}

/// A record of a swap, as far as the waiting needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct News {
    order: OrderId,
    seq: Seq,
    stored_at: Timestamp,
    tells: Tells,
}

/// State in which a swap left our hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// It has ended by the record at this place, which may not have been heard yet, or was left out for good
    /// ([`Seq::ZERO`]).
    Ended(Seq),
    /// The stream does not hold it.
    Gone,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnendedSwap {
    /// The swap.
    pub order: OrderId,
    /// Its last record that was heard.
    pub last: Seq,
    /// Time at which the stream took that.
    pub moved_at: Timestamp,
    standing: Option<Standing>,
    signed: Option<Signed>,
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
    ours: HashMap<OrderId, Hand>,
    /// Those that this process has driven to their end, at these places, before it was heard of.
    ended: HashMap<OrderId, Seq>,
    /// The others, by when they are to be taken up.
    due: BTreeSet<(Duration, OrderId)>,
    signatures: Signatures,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    last: Seq,
    moved_at: Timestamp,
    /// Where it stands by all that was heard; nothing once that broke the life cycle, or could not be read.
    standing: Option<Standing>,
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

/// A swap in our hands.
#[derive(Debug, Clone, Copy)]
struct Hand {
    /// The last record that was heard when it was taken.
    last: Seq,
    /// When it last did a step.
    alive: Duration,
    /// The stream is another one than when it was taken: what is known of it there counts for nothing.
    outdated: bool,
}

impl Unended {
    /// An empty list. A swap without an event for `patience` is taken up, whoever has it in hand.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self {
            patience,
            orders: HashMap::new(),
            ours: HashMap::new(),
            ended: HashMap::new(),
            due: BTreeSet::new(),
            signatures: Signatures::default(),
        }
    }

    /// Takes the stream's next record of a swap in. The same one again changes nothing but the time that is waited. An end
    /// counts only where it may follow: an order's history is what decides whether it has ended.
    pub fn hear(&mut self, heard: Heard, now: Moment) {
        let Heard { order, record, stored_at, says } = heard;
        if let Says::Moves(Some(SwapEvent::Prepared(event))) = &says {
            let transaction = Transaction { venue: event.venue, tx_id: event.tx_id.clone() };
            self.remember(order, Signed { record, transaction });
        }
        if let Some(end) = self.ended.get(&order).copied() {
            if record.seq >= end {
                self.ended.remove(&order);
            }
            if record.seq <= end {
                return;
            }
        }
        let known = self.orders.get(&order).filter(|entry| !entry.last.is_zero()).copied();
        let before = known.map(|entry| entry.standing);
        let (standing, tells) = match (&says, before) {
            (Says::Places(readable), None) => (readable.then_some(Standing::PLACED), Tells::Goes),
            (Says::Places(_), Some(standing)) => (standing, Tells::Goes),
            // It has ended already, or was never placed: nothing is to be done about it, whatever follows.
            (Says::Moves(Some(SwapEvent::Confirmed(_) | SwapEvent::Failed(_))), None) => return,
            (Says::Moves(event), before) => {
                let after = event.as_ref().and_then(|event| before.flatten()?.after(event));
                let tells = match event {
                    Some(SwapEvent::RetryScheduled(event)) => {
                        Tells::Pauses(Duration::from_millis(event.delay_ms))
                    }
                    _ if after.is_some_and(Standing::has_ended) => Tells::Ends,
                    Some(_) | None => Tells::Goes,
                };
                (after, tells)
            }
        };
        self.take_in(News { order, seq: record.seq, stored_at, tells }, now);
        let is_new = known.is_none_or(|entry| record.seq > entry.last);
        if let Some(entry) = self.orders.get_mut(&order).filter(|_| is_new) {
            entry.standing = standing;
        }
    }

    /// Takes a swap in as it once was on such a list.
    pub fn adopt(&mut self, swap: UnendedSwap, now: Moment) {
        let UnendedSwap { order, last, moved_at, standing, signed } = swap;
        if let Some(signed) = signed {
            self.remember(order, signed);
        }
        self.take_in(News { order, seq: last, stored_at: moved_at, tells: Tells::Goes }, now);
        if let Some(entry) = self.orders.get_mut(&order) {
            entry.standing = standing;
        }
    }

    /// Remembers a transaction of a swap, whatever becomes of the stream's record of it.
    pub fn remember(&mut self, order: OrderId, signed: Signed) {
        self.signatures.remember(order, signed);
    }

    /// The last transaction of a swap that is remembered.
    #[must_use]
    pub fn signed(&self, order: OrderId) -> Option<&Signed> {
        self.signatures.of(order)
    }

    fn take_in(&mut self, news: News, now: Moment) {
        let News { order, seq, stored_at, tells } = news;
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
            Tells::Ends if !self.ours.contains_key(&order) => return self.forget(order),
            Tells::Goes | Tells::Ends => (self.patience, None),
            Tells::Pauses(span) => {
                let pause = (seq, self.pause_over_at(order, seq).unwrap_or_else(|| left_of(span)));
                (span.saturating_add(self.patience / AFTER_A_PAUSE), Some(pause))
            }
        };
        let due = left_of(span);
        let waits = if self.ours.contains_key(&order) { Waits::Ours } else { Waits::Until(due) };
        let standing = self.orders.get(&order).and_then(|entry| entry.standing);
        self.put(order, Entry { last: seq, moved_at: stored_at, standing, pause, elsewhere: false, waits });
    }

    /// Takes a swap into our hands; false when it is there already.
    pub fn take(&mut self, order: OrderId, now: Moment) -> bool {
        if self.ours.contains_key(&order) {
            return false;
        }
        let entry = self.orders.get(&order).copied();
        let last = entry.map_or(Seq::ZERO, |entry| entry.last);
        self.ours.insert(order, Hand { last, alive: now.running, outdated: false });
        if let Some(entry) = entry {
            self.put(order, Entry { waits: Waits::Ours, elsewhere: false, ..entry });
        }
        true
    }

    /// Takes a swap into our hands that is due; none when there is none yet.
    pub fn take_due(&mut self, now: Moment) -> Option<OrderId> {
        let (due, order) = *self.due.first()?;
        (due <= now.running && self.take(order, now)).then_some(order)
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

    /// A swap in our hands has done a step.
    pub fn alive(&mut self, order: OrderId, now: Moment) {
        if let Some(hand) = self.ours.get_mut(&order) {
            hand.alive = now.running;
        }
    }

    /// The swap in our hands that has done no step for the longest time: its last record ([`Seq::ZERO`] when none was heard),
    /// and how long that is.
    #[must_use]
    pub fn stillest(&self, now: Moment) -> Option<(Seq, Duration)> {
        let (order, hand) = self.ours.iter().min_by_key(|(_, hand)| hand.alive)?;
        let last = self.orders.get(order).map_or(Seq::ZERO, |entry| entry.last);
        Some((last, now.running.saturating_sub(hand.alive)))
    }

    /// Gives a swap out of our hands.
    pub fn release(&mut self, order: OrderId, released: Released, now: Moment) {
        let unheld = Hand { last: Seq::ZERO, alive: now.running, outdated: false };
        let hand = self.ours.remove(&order).unwrap_or(unheld);
        let heard = self.orders.get(&order).copied();
        let until = |span: Duration| Waits::Until(now.running.saturating_add(span));
        if hand.outdated {
            if let Some(entry) = heard {
                self.put(order, Entry { waits: until(Duration::ZERO), ..entry });
            }
            return;
        }
        let last = heard.map_or(Seq::ZERO, |entry| entry.last);
        let unheard = Entry {
            last,
            moved_at: now.wall,
            standing: None,
            pause: None,
            elsewhere: false,
            waits: Waits::ForOperator,
        };
        let entry = heard.unwrap_or(unheard);
        match released {
            Released::Ended(end) => {
                self.forget(order);
                if end > last {
                    self.ended.insert(order, end);
                }
            }
            Released::Gone if last == hand.last => self.forget(order),
            // It was placed anew meanwhile.
            Released::Gone => self.put(order, Entry { waits: until(self.patience), ..entry }),
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

    /// The stream is another one, and is told anew: nothing that was heard holds any more, and what is in our hands is read
    /// again once it leaves them. Signed transactions are remembered.
    pub fn clear(&mut self) {
        self.orders.clear();
        self.ended.clear();
        self.due.clear();
        self.ours.values_mut().for_each(|hand| hand.outdated = true);
    }

    /// True when a swap is on the list, or was driven to its end here before that was heard of.
    #[must_use]
    pub fn knows(&self, order: OrderId) -> bool {
        self.orders.contains_key(&order) || self.ended.contains_key(&order)
    }

    /// Those that were heard of in the stream.
    pub fn heard(&self) -> impl Iterator<Item = UnendedSwap> {
        let heard = self.orders.iter().filter(|(_, entry)| !entry.last.is_zero());
        heard.map(|(order, Entry { last, moved_at, standing, .. })| UnendedSwap {
            order: *order,
            last: *last,
            moved_at: *moved_at,
            standing: *standing,
            signed: self.signatures.of(*order).cloned(),
        })
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
        self.signatures.ended(order);
        if let Some(Entry { waits: Waits::Until(due), .. }) = self.orders.remove(&order) {
            self.due.remove(&(due, order));
        }
    }
}

#[cfg(test)]
#[path = "unended_tests.rs"]
mod tests;
