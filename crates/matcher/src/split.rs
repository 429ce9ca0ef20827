//! One outcome that is too large for a message, as several.
//!
//! ```text
//!  changes 1 2 3 4 5, bids a b, asks c  ──▶  1 2 3 goes on │ continued 4 5 a goes on │ continued b c
//! ```

use std::io;

use fillstream_domain::book::{Levels, Outcome};
use serde::Serialize;

/// Bytes that a piece adds around its changes and levels: `"continued":true,"goes_on":true,"changes":[],"levels":{…}`.
const PIECE_BYTES: usize = 96;

/// Pieces of the outcome of at most `room` bytes each when they are encoded. A change or level that is larger alone is
/// a piece of its own; none is ever split.
pub(crate) fn split(outcome: &Outcome, room: usize) -> Vec<Outcome> {
    let empty = head_of(outcome);
    let head = encoded_len(&empty) + PIECE_BYTES;
    let mut pieces = Pieces { room: room.saturating_sub(head), used: 0, pieces: vec![empty.clone()], empty };
    for change in &outcome.changes {
        pieces.for_next(change).changes.push(change.clone());
    }
    for level in &outcome.levels.bids {
        pieces.for_next(level).levels.bids.push(*level);
    }
    for level in &outcome.levels.asks {
        pieces.for_next(level).levels.asks.push(*level);
    }
    let mut pieces = pieces.pieces;
    let last = pieces.len().saturating_sub(1);
    for (place, piece) in pieces.iter_mut().enumerate() {
        (piece.continued, piece.goes_on) = (place > 0, place < last);
    }
    pieces
}

struct Pieces {
    room: usize,
    /// Bytes of the piece that is being filled.
    used: usize,
    empty: Outcome,
    pieces: Vec<Outcome>,
}

impl Pieces {
    /// The piece that the next change or level goes into.
    fn for_next<T: Serialize>(&mut self, next: &T) -> &mut Outcome {
        let bytes = encoded_len(next) + ",".len();
        if self.used > 0 && self.used + bytes > self.room {
            self.pieces.push(self.empty.clone());
            self.used = 0;
        }
        self.used += bytes;
        self.pieces.last_mut().expect("it begins with one")
    }
}

fn head_of(outcome: &Outcome) -> Outcome {
    Outcome {
        seq: outcome.seq,
        at: outcome.at,
        result: outcome.result.clone(),
        continued: false,
        goes_on: false,
        changes: Vec::new(),
        levels: Levels::default(),
    }
}

/// The length of its JSON, which is not kept.
fn encoded_len<T: Serialize>(value: &T) -> usize {
    struct Counted(usize);
    impl io::Write for Counted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counted = Counted(0);
    serde_json::to_writer(&mut counted, value).expect("string keys and plain values always become JSON");
    counted.0
}
