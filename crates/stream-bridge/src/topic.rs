//! One order as all its sockets share it: the history, folded once, and the gate for life.
//!
//! ```text
//!  tail ──▶ on_live ──┬─ loading: buffered ──┐
//!                     └─ loaded, above gate ─┤──▶ shown (frames, each encoded once) ──▶ sockets, by cursor
//!  history read ──▶ on_history: fold, gate = S, then the buffer above S ─┘
//! ```
//! The gate moves up only: the tail can lag behind the history that was read, and a message at or below the gate
//! is dropped whenever it comes. A history that does not reach what the tail has shown already is stale, and is
//! read again. Nothing here awaits; callers hold a lock for as long as a call takes.

use std::collections::VecDeque;

use axum::extract::ws::Utf8Bytes;
use fillstream_domain::{
    OrderId,
    subject::SwapSubject,
    swap::{Placed, Status, SwapEvent},
};
use fillstream_event_log::Record;
use fillstream_projections::channel::{Entry, entries};

use crate::{
    frame,
    token::{Channel, Family, Position},
};

/// Entries of one order that are kept in memory; older ones are read from the log. An ordinary order has fewer
/// than 30, so this bounds what a foreign writer could do.
pub(crate) const MAX_ENTRIES: usize = 10_000;

/// An entry with its place in both chains, and its frames once somebody wanted them.
#[derive(Debug)]
struct Shown {
    entry: Entry,
    previous: Position,
    /// The position before it among the changes of status.
    previous_change: Position,
    progress_frame: Option<Utf8Bytes>,
    status_frame: Option<Utf8Bytes>,
}

/// The history that was read ends before something that is known to be in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stale;

/// See the module's first line.
#[derive(Debug)]
pub(crate) struct Topic {
    order: OrderId,
    incarnation: u64,
    placed: Option<Placed>,
    shown: VecDeque<Shown>,
    /// Entries that were shown and are not kept any more.
    forgotten: u64,
    status: Option<Status>,
    last: Position,
    last_change: Position,
    /// The highest sequence taken into the fold: at or below it everything is dropped.
    gate: u64,
    loaded: bool,
    /// Live records that came while the history was being read.
    buffer: Vec<Record>,
    /// Records that are no events of this order.
    unreadable: u64,
    /// Switches the gate off: the negative control of the join's proof.
    #[cfg(test)]
    pub(crate) without_gate: bool,
}

impl Topic {
    /// An order of which nothing is known yet.
    #[must_use]
    pub(crate) fn new(order: OrderId, incarnation: u64) -> Self {
        Self {
            order,
            incarnation,
            placed: None,
            shown: VecDeque::new(),
            forgotten: 0,
            status: None,
            last: Position::START,
            last_change: Position::START,
            gate: 0,
            loaded: false,
            buffer: Vec::new(),
            unreadable: 0,
            #[cfg(test)]
            without_gate: false,
        }
    }

    /// The history is there.
    #[must_use]
    pub(crate) const fn is_loaded(&self) -> bool {
        self.loaded
    }

    /// The placed event, once the history is there.
    #[must_use]
    pub(crate) const fn placed(&self) -> Option<&Placed> {
        self.placed.as_ref()
    }

    /// What the order's status is now.
    #[must_use]
    pub(crate) const fn status(&self) -> Option<Status> {
        self.status
    }

    /// The highest sequence of this order that is known to be in the stream.
    #[must_use]
    pub(crate) fn known(&self) -> u64 {
        self.buffer.last().map_or(self.gate, |record| record.seq.max(self.gate))
    }

    /// The tail has a record of this order. True when something new is to be shown.
    pub(crate) fn on_live(&mut self, record: Record) -> bool {
        if !self.loaded {
            self.buffer.push(record);
            return false;
        }
        #[cfg(test)]
        if self.without_gate {
            self.fold(&record);
            return true;
        }
        if record.seq <= self.gate {
            return false;
        }
        self.fold(&record);
        true
    }

    /// The history that was read, in order. `floor` is the highest sequence that the leader knows of, if it was asked.
    ///
    /// # Errors
    /// [`Stale`] when the history misses something known; nothing has changed then.
    pub(crate) fn on_history(&mut self, history: &[Record], floor: u64) -> Result<(), Stale> {
        let reached = history.last().map_or(0, |record| record.seq);
        if reached < floor || reached < self.known() {
            return Err(Stale);
        }
        for record in history {
            self.fold(record);
        }
        self.loaded = true;
        for record in std::mem::take(&mut self.buffer) {
            self.on_live(record);
        }
        Ok(())
    }

    /// Takes the next page of a history in that is read for one socket alone.
    pub(crate) fn extend(&mut self, page: &[Record]) {
        for record in page {
            self.fold(record);
        }
    }

    /// Takes a record into the fold and moves the gate.
    fn fold(&mut self, record: &Record) {
        self.gate = self.gate.max(record.seq);
        let event = match SwapEvent::decode(&record.payload) {
            Ok(event) if event.order_id() == self.order => event,
            // A foreign writer's message. The executor or the projector parks it, nobody is shown it.
            Ok(_) | Err(_) => {
                self.unreadable += 1;
                return;
            }
        };
        if let (SwapEvent::Placed(placed), Some(SwapSubject::Placed(_))) =
            (&event, SwapSubject::parse(&record.subject))
        {
            self.placed = Some(placed.clone());
        }
        for entry in entries(record.seq, &event, self.status) {
            self.show(entry);
        }
    }

    fn show(&mut self, entry: Entry) {
        let at = Position { seq: entry.seq, index: entry.index };
        self.status = Some(entry.status);
        let (previous, previous_change) = (self.last, self.last_change);
        self.last = at;
        if entry.changes_status {
            // An event changes the status once at most: on that channel its message is the only one.
            self.last_change = Position { seq: at.seq, index: 0 };
        }
        let (progress_frame, status_frame) = (None, None);
        self.shown.push_back(Shown { entry, previous, previous_change, progress_frame, status_frame });
        if self.shown.len() > MAX_ENTRIES {
            self.shown.pop_front();
            self.forgotten += 1;
        }
    }

    /// The channel of a family.
    #[must_use]
    pub(crate) const fn channel(&self, family: Family) -> Channel {
        Channel { order: self.order, family }
    }

    /// Where the channel ends now.
    #[must_use]
    pub(crate) const fn end(&self, family: Family) -> Position {
        match family {
            Family::Progress => self.last,
            Family::Status => self.last_change,
        }
    }

    /// Entries before the oldest one kept were forgotten, and `after` lies before them.
    #[must_use]
    pub(crate) fn has_forgotten(&self, after: Position) -> bool {
        let oldest = self.shown.front().map_or(self.gate, |shown| shown.entry.seq);
        self.forgotten > 0 && after.seq + 1 < oldest
    }

    /// How many events a socket at `after` is behind, all messages of one event counting as one.
    #[must_use]
    pub(crate) fn events_behind(&self, family: Family, after: Position) -> usize {
        let mut events = 0;
        let mut last = 0;
        for shown in self.behind(family, after) {
            events += usize::from(shown.entry.seq != last);
            last = shown.entry.seq;
        }
        events
    }

    /// The frames behind `after`, `max` at most, each with its position. Encoded when first wanted, then shared.
    pub(crate) fn frames_after(
        &mut self,
        family: Family,
        after: Position,
        max: usize,
    ) -> Vec<(Position, Utf8Bytes)> {
        let (order, incarnation) = (self.order, self.incarnation);
        let channel = self.channel(family);
        let from = self.first_after(family, after);
        self.shown
            .range_mut(from..)
            .filter(|shown| shown.on(family))
            .take(max)
            .map(|shown| (shown.position(family), shown.frame(order, channel, incarnation)))
            .collect()
    }

    /// The backfill of what lies behind `after`, and its position.
    #[must_use]
    pub(crate) fn backfill(&self, family: Family, after: Position) -> (Position, String) {
        let listed: Vec<&Shown> = self.behind(family, after).collect();
        let before =
            || self.shown.range(..self.first_after(family, after)).rev().find(|shown| shown.on(family));
        let last = listed.last().copied().or_else(before);
        let position = last.map_or(Position::START, |shown| shown.position(family));
        let told = frame::Backfill {
            order: self.order,
            family,
            status: self.status,
            last: last.map(|shown| &shown.entry),
            entries: listed.into_iter().map(|shown| &shown.entry).collect(),
            position,
            token: self.channel(family).token(self.incarnation, position),
            truncated_before: self
                .shown
                .front()
                .map(|shown| shown.entry.seq)
                .filter(|_| self.has_forgotten(after)),
        };
        (position, frame::backfill(&told))
    }

    /// The typed message of the entry at `position` once more, marked as replayed, when the order is past pending.
    #[must_use]
    pub(crate) fn replayed(&self, position: Position) -> Option<String> {
        let shown = self.shown.iter().rev().find(|shown| shown.position(Family::Progress) == position)?;
        if shown.entry.status == Status::Pending {
            return None;
        }
        let token = self.channel(Family::Progress).token(self.incarnation, position);
        Some(frame::progress(self.order, &shown.entry, shown.previous, &token, true))
    }

    /// Progress of the last entry at or before `position`, for control messages.
    #[must_use]
    pub(crate) fn progress_at(&self, family: Family, position: Position) -> u8 {
        let upto = self.first_after(family, position);
        self.shown.range(..upto).next_back().map_or(0, |shown| shown.entry.progress)
    }

    fn behind(&self, family: Family, after: Position) -> impl Iterator<Item = &Shown> {
        self.shown.range(self.first_after(family, after)..).filter(move |shown| shown.on(family))
    }

    /// The place of the first entry behind `after`.
    fn first_after(&self, family: Family, after: Position) -> usize {
        let after = match family {
            Family::Progress => after,
            // The one message that an event has there counts as all of the event.
            Family::Status => Position::after_all_of(after.seq),
        };
        self.shown
            .partition_point(|shown| Position { seq: shown.entry.seq, index: shown.entry.index } <= after)
    }
}

impl Shown {
    const fn on(&self, family: Family) -> bool {
        match family {
            Family::Progress => true,
            Family::Status => self.entry.changes_status,
        }
    }

    const fn position(&self, family: Family) -> Position {
        match family {
            Family::Progress => Position { seq: self.entry.seq, index: self.entry.index },
            Family::Status => Position { seq: self.entry.seq, index: 0 },
        }
    }

    fn frame(&mut self, order: OrderId, channel: Channel, incarnation: u64) -> Utf8Bytes {
        let token = || channel.token(incarnation, self.position(channel.family));
        match channel.family {
            Family::Progress => match &self.progress_frame {
                Some(frame) => frame.clone(),
                None => {
                    let text = frame::progress(order, &self.entry, self.previous, &token(), false);
                    self.progress_frame.insert(text.into()).clone()
                }
            },
            Family::Status => match &self.status_frame {
                Some(frame) => frame.clone(),
                None => {
                    let text = frame::status(order, &self.entry, self.previous_change, &token());
                    self.status_frame.insert(text.into()).clone()
                }
            },
        }
    }
}
