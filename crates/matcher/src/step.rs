//! Outcomes on their way into the log.
//!
//! ```text
//!  Machine ──▶ Applied ──push──▶ │ 17 │ 18 │ 19 │ 20 │ ──cut──▶ one commit: 17, 18, 19      (nothing is dropped yet)
//!                                  ◀── drop_covered(19) ──── it is stored, or another matcher's is: 20 is left
//! ```

use fillstream_domain::Seq;
use std::{collections::VecDeque, fmt};

use fillstream_domain::book::{Commit, Outcome, Rules, Symbol};

use crate::{Applied, split::split};

/// A message of the market in bytes, at most: half of a server's usual `max_payload` of 1 MiB, which also counts
/// headers.
pub const COMMIT_BYTES: usize = 512 * 1024;
/// Parts of a commit, at most: what a server takes as one atomic batch.
pub const MAX_PARTS: usize = 1_000;
/// All of an encoded part but its outcomes: names and punctuation 140, symbol 25, three numbers 50, hash 16.
const ENVELOPE_BYTES: usize = 256;

/// One message of `markets.<market>`.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    /// First input that the whole commit covers.
    pub first_input: Seq,
    /// Last input that the whole commit covers.
    pub last_input: Seq,
    /// The encoded [`Commit`].
    pub payload: Vec<u8>,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let payload = String::from_utf8_lossy(&self.payload);
        write!(f, "Part {{ {} to {}: {payload} }}", self.first_input, self.last_input)
    }
}

/// Outcomes that are applied but not in the log yet.
#[derive(Debug, Default)]
pub struct Pending {
    steps: VecDeque<Step>,
    bytes: usize,
}

#[derive(Debug)]
struct Step {
    outcome: Outcome,
    /// The outcome as it stands in a commit, made once.
    encoded: Vec<u8>,
    hash: u64,
}

impl Pending {
    /// Nothing pending.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the outcome of the next input.
    pub fn push(&mut self, applied: Applied) {
        let Applied { outcome, hash } = applied;
        let encoded = encode(&outcome);
        self.bytes += encoded.len();
        self.steps.push_back(Step { outcome, encoded, hash });
    }

    /// Number of outcomes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// All that was applied is in the log.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Bytes that they take in a commit.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The next commit: as many of the oldest outcomes as fit into one message of `max_bytes`, usually
    /// [`COMMIT_BYTES`]. An outcome that is too large for one message is a commit of its own, in parts; one that would
    /// need more than [`MAX_PARTS`] is cut into so many larger ones. Empty when nothing is pending.
    ///
    /// Nothing is dropped: without [`Self::drop_covered`] the same commit, or a longer one, is cut again.
    #[must_use]
    pub fn cut(&self, symbol: &Symbol, max_bytes: usize) -> Vec<Part> {
        let Some(first) = self.steps.front() else { return Vec::new() };
        let room = max_bytes.saturating_sub(ENVELOPE_BYTES);
        if first.encoded.len() > room {
            return cut_alone(symbol, first, room);
        }
        let mut used = 0;
        let fits = |step: &&Step| {
            used += step.encoded.len() + ",".len();
            used <= room + ",".len()
        };
        let taken: Vec<&Step> = self.steps.iter().take_while(fits).collect();
        let last = taken.last().map_or(first, |step| step);
        let envelope = Envelope { symbol, first, last, part: 1, is_last: true };
        vec![envelope.around(taken.iter().map(|step| &step.encoded[..]))]
    }

    /// A commit up to `last_input` is in the log, ours or another matcher's: drops what it covers. Returns the hash
    /// that we had after exactly that input, as a commit has it, to be compared with the commit's; nothing when no
    /// outcome of that input was pending.
    pub fn drop_covered(&mut self, last_input: Seq) -> Option<String> {
        let mut hash = None;
        while let Some(step) = self.steps.pop_front_if(|step| step.outcome.seq <= last_input) {
            self.bytes -= step.encoded.len();
            hash = Some(step).filter(|step| step.outcome.seq == last_input).map(|step| hash_text(step.hash));
        }
        hash
    }
}

/// A state hash as commits have it.
#[must_use]
pub fn hash_text(hash: u64) -> String {
    format!("{hash:016x}")
}

fn encode(outcome: &Outcome) -> Vec<u8> {
    serde_json::to_vec(outcome).expect("string keys and plain values always become JSON")
}

fn cut_alone(symbol: &Symbol, step: &Step, mut room: usize) -> Vec<Part> {
    let pieces = loop {
        let pieces = split(&step.outcome, room);
        if pieces.len() <= MAX_PARTS {
            break pieces;
        }
        room = room.saturating_mul(2);
    };
    let last = pieces.len();
    let part = |(piece, part): (&Outcome, u32)| {
        let is_last = usize::try_from(part) == Ok(last);
        Envelope { symbol, first: step, last: step, part, is_last }.around([&encode(piece)[..]])
    };
    pieces.iter().zip(1..).map(part).collect()
}

/// All of a part but its outcomes.
struct Envelope<'a> {
    symbol: &'a Symbol,
    first: &'a Step,
    last: &'a Step,
    part: u32,
    is_last: bool,
}

impl Envelope<'_> {
    /// A commit is encoded with its list of outcomes last; they are put between the list's brackets.
    fn around<'a>(&self, outcomes: impl IntoIterator<Item = &'a [u8]>) -> Part {
        let (first_input, last_input) = (self.first.outcome.seq, self.last.outcome.seq);
        let empty = Commit {
            rules: Rules::TODAY,
            symbol: self.symbol.clone(),
            first_input,
            last_input,
            part: self.part,
            last: self.is_last,
            hash: self.is_last.then(|| hash_text(self.last.hash)),
            outcomes: Vec::new(),
        };
        let mut payload = empty.encode();
        let end = payload.split_off(payload.len() - "]}".len());
        for (place, outcome) in outcomes.into_iter().enumerate() {
            if place > 0 {
                payload.push(b',');
            }
            payload.extend_from_slice(outcome);
        }
        payload.extend_from_slice(&end);
        Part { first_input, last_input, payload }
    }
}
