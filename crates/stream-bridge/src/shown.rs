//! Entries that an order's sockets are shown, each with its place on both channels and its frames.
//!
//! ```text
//!  push ──▶ [ forgotten … │ line line line line ] ◀── end
//!                               ▲          ▲
//!                            a slow     a current socket's cursor
//! ```
//! Bounded once for all sockets. What does not fit is forgotten, whole events at a time, and is in the log for ever.

use fillstream_domain::{Position, Seq};
use std::collections::VecDeque;

use axum::extract::ws::Utf8Bytes;
use fillstream_projections::channel::Entry;

use crate::{
    frame,
    token::{Channel, Family, Tokens},
};

/// Entries of one order that are kept. An ordinary order has fewer than 30, so this bounds what a foreign writer
/// could do.
pub(crate) const MAX_ENTRIES: usize = 10_000;
/// Bytes of events that are kept: one may be as large as the broker takes, 1 MiB. A message repeats parts of its
/// event up to three times, so that the largest backfill has 8 MiB, what one client may have under way.
pub(crate) const MAX_BYTES: usize = 2 << 20;

/// Place of both channels between two entries.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    progress: Position,
    change: Position,
    /// Events so far.
    events: u64,
    /// Events so far that changed the status.
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

    /// The place behind an entry that stands here.
    fn behind(self, entry: &Entry) -> Self {
        let progress = Position::new(entry.seq, entry.index);
        let events = self.events + u64::from(entry.seq != self.progress.seq);
        if !entry.changes_status {
            return Self { progress, events, ..self };
        }
        // Our writers' events change the status once at most.
        let again = self.change.seq == entry.seq;
        let index = if again { self.change.index + 1 } else { 0 };
        let change = Position::new(entry.seq, index);
        Self { progress, change, events, changes: self.changes + u64::from(!again) }
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
                self.forgotten = line.after();
            }
        }
    }

    /// End of the channel.
    pub(crate) const fn end(&self, family: Family) -> Position {
        self.end.position(family)
    }

    /// The last entry.
    pub(crate) fn last(&self) -> Option<&Entry> {
        self.lines.back().map(|line| &line.entry)
    }

    /// Something behind `after` is not kept any more; what is kept begins with the sequence returned.
    pub(crate) fn begins_late(&self, family: Family, after: Position) -> Option<Seq> {
        let late = self.forgotten.position(family) > after;
        late.then(|| self.lines.front().map_or(self.end.progress.seq.next(), |line| line.entry.seq))
    }

    /// Number of events, of those kept, behind `after`: all messages of one event count as one.
    pub(crate) fn events_behind(&self, family: Family, after: Position) -> u64 {
        let from = self.lines.get(self.first_behind(family, after)).map_or(self.end, |line| line.before);
        self.end.events(family) - from.events(family)
    }

    /// The entries behind `after`, each with its position.
    pub(crate) fn behind(&self, family: Family, after: Position) -> impl Iterator<Item = (Position, &Entry)> {
        let lines =
            self.lines.range(self.first_behind(family, after)..).filter(move |line| line.is_on(family));
        lines.map(move |line| (line.after().position(family), &line.entry))
    }

    /// The last entry at or before `position`.
    pub(crate) fn upto(&self, family: Family, position: Position) -> Option<&Entry> {
        self.lines.range(..self.first_behind(family, position)).next_back().map(|line| &line.entry)
    }

    /// The frames behind `after`, `max` at most, each with its position. Encoded when first wanted, then shared.
    pub(crate) fn frames_behind(
        &mut self,
        channel: Channel,
        tokens: &Tokens,
        after: Position,
        max: usize,
    ) -> Vec<(Position, Utf8Bytes)> {
        let from = self.first_behind(channel.family, after);
        let lines = self.lines.range_mut(from..).filter(|line| line.is_on(channel.family));
        lines.take(max).map(|line| line.frame(channel, tokens)).collect()
    }

    /// The last entry's message once more, marked as replayed.
    pub(crate) fn replayed(&self, channel: Channel, tokens: &Tokens) -> Option<String> {
        let line = self.lines.back()?;
        let token = channel.token_in(tokens, self.end.progress);
        Some(frame::progress(channel.order, &line.entry, line.before.progress, &token, true))
    }

    /// The index of the first line that moves the channel beyond `after`.
    fn first_behind(&self, family: Family, after: Position) -> usize {
        self.lines.partition_point(|line| line.after().position(family) <= after)
    }
}

impl Line {
    fn after(&self) -> Place {
        self.before.behind(&self.entry)
    }

    const fn is_on(&self, family: Family) -> bool {
        match family {
            Family::Progress => true,
            Family::Status => self.entry.changes_status,
        }
    }

    fn frame(&mut self, channel: Channel, tokens: &Tokens) -> (Position, Utf8Bytes) {
        let position = self.after().position(channel.family);
        let previous = self.before.position(channel.family);
        let encode = || {
            let token = channel.token_in(tokens, position);
            Utf8Bytes::from(match channel.family {
                Family::Progress => frame::progress(channel.order, &self.entry, previous, &token, false),
                Family::Status => frame::status(channel.order, &self.entry, position, previous, &token),
            })
        };
        let frame = match channel.family {
            Family::Progress => &mut self.progress_frame,
            Family::Status => &mut self.status_frame,
        };
        (position, frame.get_or_insert_with(encode).clone())
    }
}

#[cfg(test)]
mod tests {
    use fillstream_domain::{Incarnation, OrderId, Timestamp, swap::Status};
    use fillstream_projections::channel::{Details, Kind};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const BOTH: [Family; 2] = [Family::Progress, Family::Status];

    fn entry(seq: Seq, index: u32, changes_status: bool) -> Entry {
        Entry {
            seq,
            index,
            last: true,
            at: Timestamp::from_unix_ms(0),
            status: Status::Routing,
            changes_status,
            kind: Kind::Routing,
            progress: 10,
            message: String::new(),
            details: Details::default(),
        }
    }

    fn channel(family: Family) -> Channel {
        Channel { order: OrderId::new(uuid::Uuid::from_u128(1)), family }
    }

    /// Events of one or two entries at random sequences, few of them a change of status.
    fn random(dice: &mut ChaCha8Rng, events: usize, changes: f64) -> Vec<Entry> {
        let mut seq = 0;
        let mut all = Vec::new();
        for _ in 0..events {
            seq += dice.random_range(1..4);
            let change = dice.random_bool(changes);
            all.push(entry(Seq::new(seq), 0, change));
            if dice.random_bool(0.5) {
                all.push(entry(Seq::new(seq), 1, dice.random_bool(changes)));
            }
        }
        all
    }

    /// A family's messages with their positions.
    fn messages(family: Family, all: &[Entry]) -> Vec<(Position, &Entry)> {
        let mut found: Vec<(Position, &Entry)> = Vec::new();
        for entry in all.iter().filter(|entry| family == Family::Progress || entry.changes_status) {
            let of_event = found.iter().rev().take_while(|(at, _)| at.seq == entry.seq).count();
            found.push((Position::new(entry.seq, u32::try_from(of_event).unwrap()), entry));
        }
        found
    }

    /// Everything asked of `shown` against the same question to the plain list of all entries.
    fn compare(shown: &mut Shown, all: &[Entry], after: Position, seed: u64) {
        let kept = &all[all.len() - shown.lines.len()];
        for family in BOTH {
            let wanted = messages(family, all).into_iter().filter(|(at, _)| *at > after);
            let (lost, behind): (Vec<_>, Vec<_>) = wanted.partition(|(at, _)| at.seq < kept.seq);
            let begins = (!lost.is_empty()).then_some(kept.seq);
            assert_eq!(shown.begins_late(family, after), begins, "seed {seed}: {family:?} after {after:?}");
            assert_eq!(shown.behind(family, after).collect::<Vec<_>>(), behind, "seed {seed}");
            let mut events: Vec<Seq> = behind.iter().map(|(at, _)| at.seq).collect();
            events.dedup();
            // The rest of an event that was begun is not counted.
            events.retain(|seq| *seq != after.seq);
            assert_eq!(shown.events_behind(family, after), events.len() as u64, "seed {seed}");
            let frames = shown.frames_behind(channel(family), &Tokens::new(Incarnation::new(7)), after, 5);
            let first: Vec<Position> = behind.iter().take(5).map(|(at, _)| *at).collect();
            assert_eq!(frames.iter().map(|(at, _)| *at).collect::<Vec<_>>(), first, "seed {seed}");
        }
    }

    #[test]
    fn what_is_kept_is_what_a_plain_list_says() {
        for seed in 0..8 {
            let mut dice = ChaCha8Rng::seed_from_u64(seed);
            let changes = [0.3, 0.0005][usize::from(seed % 2 == 1)];
            let events = if seed < 4 { 30 } else { MAX_ENTRIES };
            let all = random(&mut dice, events, changes);
            let mut shown = Shown::default();
            all.iter().for_each(|entry| shown.push(entry.clone(), 1));
            let newest = all.last().unwrap().seq;
            for _ in 0..40 {
                let seq = dice.random_range(0..newest.get() + 2);
                let index = [0, 1, u32::MAX][dice.random_range(0..3)];
                compare(&mut shown, &all, Position::new(Seq::new(seq), index), seed);
            }
            // All around the border between what is kept and what is not.
            let border = all[all.len() - shown.lines.len()].seq.get();
            for (seq, index) in (border.saturating_sub(3)..border + 3).flat_map(|seq| [(seq, 0), (seq, 1)]) {
                compare(&mut shown, &all, Position::new(Seq::new(seq), index), seed);
            }
        }
    }

    #[test]
    fn whole_events_are_forgotten_by_number_and_by_size() {
        let check = |entries: usize, bytes: usize, kept: usize| {
            let mut shown = Shown::default();
            for at in 0..entries {
                shown.push(entry(Seq::new(at as u64 / 2 + 1), u32::from(at % 2 == 1), false), bytes);
            }
            assert_eq!(shown.lines.len(), kept, "{entries} of {bytes}");
            assert_eq!(shown.lines.front().unwrap().entry.index, 0, "an event is kept whole or not at all");
            assert_eq!(shown.bytes, kept * bytes);
        };
        check(MAX_ENTRIES, 1, MAX_ENTRIES);
        check(MAX_ENTRIES + 1, 1, MAX_ENTRIES - 1);
        check(MAX_ENTRIES + 2, 1, MAX_ENTRIES);
        check(100, MAX_BYTES / 10, 10);
        // The newest event is kept however large it is.
        check(10, MAX_BYTES * 2, 2);
    }

    #[test]
    fn a_frame_is_encoded_once_for_all() {
        let mut shown = Shown::default();
        shown.push(entry(Seq::new(1), 0, true), 1);
        for family in BOTH {
            let mut frame = || {
                shown
                    .frames_behind(channel(family), &Tokens::new(Incarnation::new(7)), Position::START, 9)
                    .remove(0)
                    .1
            };
            let (one, other) = (frame(), frame());
            assert!(std::ptr::eq(one.as_str(), other.as_str()), "{family:?}: two sockets share the bytes");
        }
    }
}
