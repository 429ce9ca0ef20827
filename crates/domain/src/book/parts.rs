//! The reader's side of a commit in parts: held back until the part with `last`.
//!
//! ```text
//!  part 1 ─▶ held ─┐
//!  part 2 ─▶ held ─┼─ part 3, last ─▶ complete: all three at once
//!                  └─ part 1 ──▶ torn: what is held never ends (power was lost within a batch), and is discarded
//!  part 3, nothing held ─▶ began inside: read again from its sequence − 2
//! ```

use super::Commit;
use crate::Seq;

/// Parts of one market's commits, pushed in the order of the log. Between the first and the last part of a commit
/// nothing is known of it: no checkpoint, position or token may pass [`Parts::held_from`].
///
/// `C` is a part as its reader has it: a [`Commit`], or a pointer to one that is shared.
#[derive(Debug, Clone)]
pub struct Parts<C = Commit> {
    held: Vec<(Seq, C)>,
    /// Place to which the reader was last sent back, so that a beginning that does not exist is asked for only once.
    sent_back_to: Option<Seq>,
    torn: u64,
}

/// Effect of a pushed part on the market's commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartsStep<C = Commit> {
    /// A whole commit: its parts with their sequences, in order. Most commits have one.
    Complete(Vec<(Seq, C)>),
    /// Nothing to be told yet.
    Held,
    /// The reader began within a commit; nothing is held. What it pushes next must be read from here, with the same
    /// `Parts`.
    BeganInside {
        /// Sequence of the commit's first part.
        read_again_from: Seq,
    },
}

/// Parts that belong to no commit, because its end (or, in a damaged log, its beginning) is not in the log. They were
/// discarded: their inputs are covered by a later commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Torn {
    /// Sequence of the first of them.
    pub first: Seq,
    /// Sequence of the last of them.
    pub last: Seq,
}

impl<C> Default for Parts<C> {
    fn default() -> Self {
        Self { held: Vec::new(), sent_back_to: None, torn: 0 }
    }
}

impl AsRef<Self> for Commit {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl<C: AsRef<Commit>> Parts<C> {
    /// Nothing held.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the part at `seq`. A part that is pushed again (the reader went back) replaces what is held from there on.
    ///
    /// Also tells what it discarded; whoever may speak to an operator says so.
    #[must_use = "a complete commit is handed out once"]
    pub fn push(&mut self, seq: Seq, part: C) -> (PartsStep<C>, Option<Torn>) {
        self.held.retain(|(held, _)| *held < seq);
        let number = part.as_ref().part;
        if self.continues(seq, part.as_ref()) {
            return (self.take_in(seq, part), None);
        }
        let mut torn = self.discard();
        if number == 1 {
            return (self.take_in(seq, part), torn);
        }
        let read_again_from = seq.next().minus(u64::from(number));
        if self.sent_back_to == Some(read_again_from) {
            let first = torn.map_or(seq, |torn| torn.first);
            self.torn += u64::from(torn.is_none());
            torn = Some(Torn { first, last: seq });
            return (PartsStep::Held, torn);
        }
        self.sent_back_to = Some(read_again_from);
        (PartsStep::BeganInside { read_again_from }, torn)
    }

    /// The sequence before the first held part: no checkpoint may pass it. Nothing when nothing is held.
    #[must_use]
    pub fn held_from(&self) -> Option<Seq> {
        self.held.first().map(|(seq, _)| seq.prev())
    }

    /// Number of times that parts were discarded so far.
    #[must_use]
    pub const fn torn(&self) -> u64 {
        self.torn
    }

    /// The batch of a commit is contiguous in the log, and every part names the whole commit's inputs.
    fn continues(&self, seq: Seq, part: &Commit) -> bool {
        self.held.last().is_some_and(|(held, before)| {
            let before = before.as_ref();
            held.next() == seq
                && before.part + 1 == part.part
                && (before.first_input, before.last_input) == (part.first_input, part.last_input)
        })
    }

    fn take_in(&mut self, seq: Seq, part: C) -> PartsStep<C> {
        self.sent_back_to = None;
        let last = part.as_ref().last;
        self.held.push((seq, part));
        if last { PartsStep::Complete(std::mem::take(&mut self.held)) } else { PartsStep::Held }
    }

    /// Drops what is held, because something else came: its end never will. Nothing when nothing is held.
    pub fn discard(&mut self) -> Option<Torn> {
        let (first, last) = (self.held.first()?.0, self.held.last()?.0);
        self.held.clear();
        self.torn += 1;
        Some(Torn { first, last })
    }
}

impl Commit {
    /// One commit out of the parts of a complete one: as it was before it was cut. Nothing when there are no parts.
    #[must_use]
    pub fn assemble(parts: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut parts = parts.into_iter();
        let mut whole = parts.next()?;
        for part in parts {
            (whole.last, whole.hash) = (part.last, part.hash);
            for outcome in part.outcomes {
                match whole.outcomes.last_mut() {
                    Some(begun) if outcome.continued => {
                        begun.goes_on = outcome.goes_on;
                        begun.changes.extend(outcome.changes);
                        begun.levels.bids.extend(outcome.levels.bids);
                        begun.levels.asks.extend(outcome.levels.asks);
                    }
                    Some(_) | None => whole.outcomes.push(outcome),
                }
            }
        }
        Some(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Seq, Timestamp,
        book::{InputResult, Levels, Outcome},
    };

    fn part(inputs: (u64, u64), part: u32, last: bool) -> Commit {
        Commit {
            rules: crate::book::Rules::TODAY,
            symbol: "BTC/USDT".parse().unwrap(),
            first_input: Seq::new(inputs.0),
            last_input: Seq::new(inputs.1),
            part,
            last,
            hash: last.then(|| "00000000000000ff".to_owned()),
            outcomes: vec![Outcome {
                seq: Seq::new(inputs.1),
                at: Timestamp::from_unix_ms(0),
                result: InputResult::Ticked,
                continued: part > 1,
                goes_on: !last,
                changes: Vec::new(),
                levels: Levels::default(),
            }],
        }
    }

    /// Three parts at 20, 21, 22.
    fn three() -> [(Seq, Commit); 3] {
        [1, 2, 3].map(|k| (Seq::new(19 + u64::from(k)), part((7, 9), k, k == 3)))
    }

    #[test]
    fn a_commit_is_handed_out_with_its_last_part() {
        let mut parts = Parts::new();
        let [first, second, third] = three();
        assert_eq!(parts.push(first.0, first.1.clone()), (PartsStep::Held, None));
        assert_eq!(parts.held_from(), Some(Seq::new(19)));
        assert_eq!(parts.push(second.0, second.1.clone()), (PartsStep::Held, None));
        let (step, torn) = parts.push(third.0, third.1.clone());
        assert_eq!((step, torn), (PartsStep::Complete(vec![first, second, third]), None));
        assert_eq!((parts.held_from(), parts.torn()), (None, 0));

        let whole = Commit::assemble(three().map(|(_, part)| part)).unwrap();
        assert_eq!((whole.part, whole.last, whole.outcomes.len()), (1, true, 1));
        assert_eq!(whole.hash.as_deref(), Some("00000000000000ff"));
        assert!(!whole.outcomes[0].goes_on && !whole.outcomes[0].continued);
    }

    #[test]
    fn a_reader_that_begins_within_a_commit_reads_it_again() {
        for begin in 0..3 {
            let mut parts = Parts::new();
            let (seq, begun) = three()[begin].clone();
            let step = parts.push(seq, begun).0;
            if begin > 0 {
                assert_eq!(step, PartsStep::BeganInside { read_again_from: Seq::new(20) });
                assert_eq!(parts.held_from(), None);
                assert_eq!(parts.push(Seq::new(20), three()[0].1.clone()), (PartsStep::Held, None));
            }
            assert_eq!(parts.push(Seq::new(21), three()[1].1.clone()), (PartsStep::Held, None));
            assert_eq!(
                parts.push(Seq::new(22), three()[2].1.clone()).0,
                PartsStep::Complete(three().to_vec())
            );
        }
    }

    #[test]
    fn a_torn_batch_is_discarded_and_said() {
        let mut parts = Parts::new();
        let [first, second, _] = three();
        assert_eq!(parts.push(first.0, first.1).0, PartsStep::Held);
        assert_eq!(parts.push(second.0, second.1).0, PartsStep::Held);
        let anew = part((7, 12), 1, true);
        let (step, torn) = parts.push(Seq::new(30), anew.clone());
        assert_eq!(step, PartsStep::Complete(vec![(Seq::new(30), anew)]));
        assert_eq!((torn, parts.torn()), (Some(Torn { first: Seq::new(20), last: Seq::new(21) }), 1));
    }

    #[test]
    fn reading_again_is_no_tear() {
        let mut parts = Parts::new();
        for _ in 0..3 {
            assert_eq!(parts.push(Seq::new(20), three()[0].1.clone()), (PartsStep::Held, None));
            assert_eq!(parts.push(Seq::new(21), three()[1].1.clone()), (PartsStep::Held, None));
        }
        assert_eq!(parts.push(Seq::new(22), three()[2].1.clone()).0, PartsStep::Complete(three().to_vec()));
        assert_eq!(parts.torn(), 0);
    }

    #[test]
    fn a_beginning_that_is_nowhere_is_asked_for_once() {
        let mut parts = Parts::new();
        let again = PartsStep::BeganInside { read_again_from: Seq::new(20) };
        assert_eq!(parts.push(Seq::new(22), three()[2].1.clone()), (again, None));
        let torn = Torn { first: Seq::new(22), last: Seq::new(22) };
        assert_eq!(parts.push(Seq::new(22), three()[2].1.clone()), (PartsStep::Held, Some(torn)));
        assert_eq!((parts.torn(), parts.held_from()), (1, None));
        let next = part((10, 10), 1, true);
        assert_eq!(
            parts.push(Seq::new(23), next.clone()),
            (PartsStep::Complete(vec![(Seq::new(23), next)]), None)
        );
    }
}
