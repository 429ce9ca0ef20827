//! What an order's sockets are shown: its entries, each with its place on both channels and its frames.
//!
//! ```text
//!  push ──▶ [ forgotten … │ line line line line ] ◀── end
//!                               ▲          ▲
//!                            a slow     a current socket's cursor
//! ```
//! Bounded once for all sockets. What does not fit is forgotten, whole events at a time, and is in the log for ever.

use std::collections::VecDeque;

use axum::extract::ws::Utf8Bytes;
use fillstream_projections::channel::Entry;

use crate::{
    frame,
    token::{Channel, Family, Position},
};

/// Entries of one order that are kept. An ordinary order has fewer than 30, so this bounds what a foreign writer
/// could do.
pub(crate) const MAX_ENTRIES: usize = 10_000;
/// Bytes of events that are kept: an event may be as large as the broker takes, 1 MiB.
pub(crate) const MAX_BYTES: usize = 8 << 20;

/// Where both channels stand between two entries.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    progress: Position,
    change: Position,
    /// Events so far.
    events: u64,
    /// Changes of status so far, each an event of its own.
    changes: u64,
}

impl Place {
    const fn position(&self, family: Family) -> Position {
        match family {
            Family::Progress => self.progress,
            Family::Status => self.change,
        }
    }

    const fn events(&self, family: Family) -> u64 {
        match family {
            Family::Progress => self.events,
            Family::Status => self.changes,
        }
    }

    fn behind(self, entry: &Entry) -> Self {
        let fresh = u64::from(entry.seq != self.progress.seq);
        let progress = Position { seq: entry.seq, index: entry.index };
        // An event changes the status once at most: on that channel its message is the only one.
        let (change, changes) = match entry.changes_status {
            true => (Position { seq: entry.seq, index: 0 }, self.changes + 1),
            false => (self.change, self.changes),
        };
        Self { progress, change, events: self.events + fresh, changes }
    }
}

/// An entry with the place before it, and its frames once somebody wanted them.
#[derive(Debug)]
struct Line {
    entry: Entry,
    before: Place,
    bytes: usize,
    progress_frame: Option<Utf8Bytes>,
    status_frame: Option<Utf8Bytes>,
}

/// See the module's first line.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    lines: VecDeque<Line>,
    bytes: usize,
    forgotten: Place,
    end: Place,
}

impl Shown {
    /// The next entry; `bytes` is what it counts for.
    pub(crate) fn push(&mut self, entry: Entry, bytes: usize) {
        let before = self.end;
        self.end = before.behind(&entry);
        self.bytes += bytes;
        self.lines.push_back(Line { entry, before, bytes, progress_frame: None, status_frame: None });
        let newest = self.end.progress.seq;
        while (self.lines.len() > MAX_ENTRIES || self.bytes > MAX_BYTES)
            && let Some(oldest) = self.lines.front().map(|line| line.entry.seq)
            && oldest != newest
        {
            // Whole events, so that a cursor for paging is a sequence.
            while let Some(line) = self.lines.pop_front_if(|line| line.entry.seq == oldest) {
                self.bytes -= line.bytes;
                self.forgotten = line.before.behind(&line.entry);
            }
        }
    }

    /// Where the channel ends.
    pub(crate) const fn end(&self, family: Family) -> Position {
        self.end.position(family)
    }

    /// The last entry.
    pub(crate) fn last(&self) -> Option<&Entry> {
        self.lines.back().map(|line| &line.entry)
    }

    /// Something behind `after` is not kept any more; what is kept begins with the sequence returned.
    pub(crate) fn begins_late(&self, family: Family, after: Position) -> Option<u64> {
        let late = self.forgotten.position(family) > whole(family, after);
        late.then(|| self.lines.front().map_or(self.end.progress.seq + 1, |line| line.entry.seq))
    }

    /// How many events, of those kept, lie behind `after`: all messages of one event count as one.
    pub(crate) fn events_behind(&self, family: Family, after: Position) -> u64 {
        let from = self.lines.get(self.first_behind(family, after)).map_or(self.end, |line| line.before);
        self.end.events(family) - from.events(family)
    }

    /// The entries behind `after`.
    pub(crate) fn behind(&self, family: Family, after: Position) -> impl Iterator<Item = &Entry> {
        let lines = self.lines.range(self.first_behind(family, after)..);
        lines.map(|line| &line.entry).filter(move |entry| on(family, entry))
    }

    /// The last entry at or before `position`.
    pub(crate) fn upto(&self, family: Family, position: Position) -> Option<&Entry> {
        self.lines.range(..self.first_behind(family, position)).next_back().map(|line| &line.entry)
    }

    /// The frames behind `after`, `max` at most, each with its position. Encoded when first wanted, then shared.
    pub(crate) fn frames_behind(
        &mut self,
        channel: Channel,
        incarnation: u64,
        after: Position,
        max: usize,
    ) -> Vec<(Position, Utf8Bytes)> {
        let from = self.first_behind(channel.family, after);
        let lines = self.lines.range_mut(from..).filter(|line| on(channel.family, &line.entry));
        lines.take(max).map(|line| line.frame(channel, incarnation)).collect()
    }

    /// The last entry's message once more, marked as replayed.
    pub(crate) fn replayed(&self, channel: Channel, incarnation: u64) -> Option<String> {
        let line = self.lines.back()?;
        let token = channel.token(incarnation, self.end.progress);
        Some(frame::progress(channel.order, &line.entry, line.before.progress, &token, true))
    }

    /// The index of the first line behind `after`.
    fn first_behind(&self, family: Family, after: Position) -> usize {
        let after = whole(family, after);
        self.lines.partition_point(|line| Position { seq: line.entry.seq, index: line.entry.index } <= after)
    }
}

impl Line {
    fn frame(&mut self, channel: Channel, incarnation: u64) -> (Position, Utf8Bytes) {
        let position = self.before.behind(&self.entry).position(channel.family);
        let previous = self.before.position(channel.family);
        let encode = || {
            let token = channel.token(incarnation, position);
            Utf8Bytes::from(match channel.family {
                Family::Progress => frame::progress(channel.order, &self.entry, previous, &token, false),
                Family::Status => frame::status(channel.order, &self.entry, previous, &token),
            })
        };
        let frame = match channel.family {
            Family::Progress => &mut self.progress_frame,
            Family::Status => &mut self.status_frame,
        };
        (position, frame.get_or_insert_with(encode).clone())
    }
}

const fn on(family: Family, entry: &Entry) -> bool {
    match family {
        Family::Progress => true,
        Family::Status => entry.changes_status,
    }
}

/// On the channel of changes the one message that an event has stands for all of the event.
const fn whole(family: Family, after: Position) -> Position {
    match family {
        Family::Progress => after,
        Family::Status => Position::after_all_of(after.seq),
    }
}
