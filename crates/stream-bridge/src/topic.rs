//! One order as all its sockets share it: the history, folded once, and the gate for life.
//!
//! ```text
//!  tail ──▶ on_live ──┬─ loading: buffered ──┐
//!                     └─ loaded, above gate ─┤──▶ shown ──▶ sockets, by cursor
//!  history read ──▶ on_history: fold, gate = S, then the buffer above S ─┘
//! ```
//! The gate moves up only: the tail can lag behind the history that was read, and a message at or below the gate
//! is dropped whenever it comes. A history that does not reach what the tail has shown already is stale, and is
//! read again. Nothing here awaits; callers hold a lock for as long as a call takes.

use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use fillstream_domain::{
    OrderId, Position, Seq, UserId,
    subject::SwapSubject,
    swap::{Status, SwapEvent},
};
use fillstream_event_log::Record;
use fillstream_projections::channel::entries;

use crate::{
    frame,
    shown::Shown,
    token::{Channel, Family, Tokens},
};

/// The history that was read ends before something that is known to be in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stale;

/// See the module's first line.
#[derive(Debug)]
pub(crate) struct Topic {
    order: OrderId,
    tokens: Arc<Tokens>,
    shown: Shown,
    /// None until the placed event is in the fold.
    status: Option<Status>,
    /// User who placed the order; none also when nobody was named.
    owner: Option<UserId>,
    /// The highest sequence taken into the fold: at or below it everything is dropped.
    gate: Seq,
    loaded: bool,
    /// Live records that came while the history was being read.
    buffer: Vec<Record>,
    /// Switches the gate off: a negative control of the join's proof.
    #[cfg(test)]
    pub(crate) without_gate: bool,
    /// Takes any history for complete: the other negative control.
    #[cfg(test)]
    pub(crate) without_floor: bool,
}

impl Topic {
    /// An order of which nothing is known yet.
    #[must_use]
    pub(crate) fn new(order: OrderId, tokens: Arc<Tokens>) -> Self {
        Self {
            order,
            tokens,
            shown: Shown::default(),
            status: None,
            owner: None,
            gate: Seq::ZERO,
            loaded: false,
            buffer: Vec::new(),
            #[cfg(test)]
            without_gate: false,
            #[cfg(test)]
            without_floor: false,
        }
    }

    /// The history is there.
    #[must_use]
    pub(crate) const fn is_loaded(&self) -> bool {
        self.loaded
    }

    /// Status of the order now; none when it is not known to exist.
    #[must_use]
    pub(crate) const fn status(&self) -> Option<Status> {
        self.status
    }

    /// User who placed the order; none also when nobody was named.
    #[must_use]
    pub(crate) const fn owner(&self) -> Option<UserId> {
        self.owner
    }

    /// The highest sequence of this order that is known to be in the stream.
    fn known(&self) -> Seq {
        self.buffer.last().map_or(self.gate, |record| record.seq.max(self.gate))
    }

    /// The tail has a record of this order. True when something new is to be shown.
    pub(crate) fn on_live(&mut self, record: Record) -> bool {
        if !self.loaded {
            self.buffer.push(record);
            return false;
        }
        let late = record.seq <= self.gate;
        #[cfg(test)]
        let late = late && !self.without_gate;
        if late {
            return false;
        }
        self.fold(&record);
        true
    }

    /// The history that was read. `floor` is the highest sequence that the leader knows of, if it was asked.
    ///
    /// # Errors
    /// [`Stale`] when the history misses something known; nothing has changed then.
    pub(crate) fn on_history(&mut self, history: &[Record], floor: Seq) -> Result<(), Stale> {
        let reached = history.iter().map(|record| record.seq).max().unwrap_or(Seq::ZERO);
        let stale = reached < floor.max(self.known());
        #[cfg(test)]
        let stale = stale && !self.without_floor;
        if stale {
            return Err(Stale);
        }
        self.extend(history);
        self.loaded = true;
        for record in std::mem::take(&mut self.buffer) {
            self.on_live(record);
        }
        Ok(())
    }

    /// Takes consecutive records of the history in.
    pub(crate) fn extend(&mut self, history: &[Record]) {
        for record in history {
            self.tokens.learn(record.seq, record.reference().id.tag());
            self.fold(record);
        }
    }

    /// Takes a record into the fold and moves the gate.
    fn fold(&mut self, record: &Record) {
        self.gate = self.gate.max(record.seq);
        let reading = record.reading(SwapEvent::decode);
        let event = match &*reading {
            Ok(event) if event.order_id() == self.order => event,
            // A foreign writer's message. The executor or the projector parks it, nobody is shown it.
            Ok(_) | Err(_) => return,
        };
        let first = matches!(SwapSubject::parse(&record.subject), Some(SwapSubject::Placed(_)));
        if first != matches!(event, SwapEvent::Placed(_)) || first != self.status.is_none() {
            // Foreign as well: an order is placed once, and everything else comes after that.
            return;
        }
        if let SwapEvent::Placed(placed) = event {
            self.owner = placed.user_id;
        }
        for entry in entries(record.seq, event, self.status) {
            self.status = Some(entry.status);
            self.shown.push(entry, record.payload.len());
        }
    }

    /// End of the channel now.
    #[must_use]
    pub(crate) const fn end(&self, family: Family) -> Position {
        self.shown.end(family)
    }

    /// Something behind `after` is not kept any more: it has to be read from the log.
    #[must_use]
    pub(crate) fn has_forgotten(&self, family: Family, after: Position) -> bool {
        self.shown.begins_late(family, after).is_some()
    }

    /// Number of events that a socket at `after` is behind.
    #[must_use]
    pub(crate) fn events_behind(&self, family: Family, after: Position) -> u64 {
        self.shown.events_behind(family, after)
    }

    /// The frames behind `after`, `max` at most, each with its position.
    pub(crate) fn frames_behind(
        &mut self,
        family: Family,
        after: Position,
        max: usize,
    ) -> Vec<(Position, Utf8Bytes)> {
        let channel = Channel { order: self.order, family };
        self.shown.frames_behind(channel, &self.tokens, after, max)
    }

    /// The backfill of what lies behind `after`; its position is the channel's end.
    #[must_use]
    pub(crate) fn backfill(&self, family: Family, after: Position) -> String {
        let position = self.shown.end(family);
        let channel = Channel { order: self.order, family };
        frame::backfill(&frame::Backfill {
            channel,
            status: self.status,
            last: self.shown.last(),
            entries: self.shown.behind(family, after).collect(),
            position,
            token: channel.token_in(&self.tokens, position),
            begins_late: self.shown.begins_late(family, after),
        })
    }

    /// The typed message of the last entry once more, marked as replayed, when the order is past pending.
    #[must_use]
    pub(crate) fn replayed(&self) -> Option<String> {
        if self.status == Some(Status::Pending) {
            return None;
        }
        let channel = Channel { order: self.order, family: Family::Progress };
        self.shown.replayed(channel, &self.tokens)
    }

    /// Progress of the last entry at or before `position`, for control messages.
    #[must_use]
    pub(crate) fn progress_at(&self, family: Family, position: Position) -> u8 {
        self.shown.upto(family, position).map_or(0, |entry| entry.progress)
    }
}
