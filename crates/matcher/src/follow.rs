//! A commit of the log, done again: what a replay, a matcher that starts and one that stands by have in common.

use fillstream_domain::Seq;
use std::borrow::Cow;

use fillstream_domain::book::{Commit, InputResult, Outcome, Rules};
use serde::Serialize;

use crate::{Machine, Recorded, step::hash_text};

/// The first thing in which a commit is not what comes out when it is done again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("input {seq}: {what}")]
pub struct Difference {
    /// Sequence of the input.
    pub seq: Seq,
    /// Difference, with the commit's value and ours.
    pub what: String,
}

/// Takes the machine over the inputs that a whole commit (all its parts, in order) covers, and compares each outcome
/// and the hash, all by the rules of the commit. `inputs` are those that the log has behind the machine's cursor, up to the commit's last one.
///
/// An input that the commit parked is not applied, also when it can be read by now.
///
/// # Errors
/// The first difference. The machine may stand anywhere within the commit then, and is worth nothing more.
pub fn follow<C: AsRef<Commit>>(
    machine: &mut Machine,
    parts: &[C],
    inputs: &[Recorded],
) -> Result<(), Difference> {
    let commit = match parts {
        [whole] => Cow::Borrowed(whole.as_ref()),
        parts => match Commit::assemble(parts.iter().map(|part| part.as_ref().clone())) {
            Some(whole) => Cow::Owned(whole),
            None => return Ok(()),
        },
    };
    same("the market", commit.first_input, &commit.symbol, machine.symbol())?;
    check_coverage(machine.cursor(), &commit, inputs)?;
    for (outcome, input) in commit.outcomes.iter().zip(inputs) {
        follow_one(machine, commit.rules, outcome, input)?;
    }
    same("the hash", commit.last_input, &commit.hash, &Some(hash_text(machine.hash())))
}

/// No input is skipped and none is applied twice.
fn check_coverage(cursor: Seq, commit: &Commit, inputs: &[Recorded]) -> Result<(), Difference> {
    if commit.first_input <= cursor {
        let what = format!("is covered a second time: an earlier commit ends at {cursor}");
        return Err(Difference { seq: commit.first_input, what });
    }
    let mut recorded = inputs.iter().map(|input| input.seq).peekable();
    for outcome in &commit.outcomes {
        let seq = outcome.seq;
        if let Some(skipped) = recorded.next_if(|input| *input < seq) {
            return Err(Difference { seq: skipped, what: "is covered and has no outcome".to_owned() });
        }
        if recorded.next_if_eq(&seq).is_none() {
            return Err(Difference { seq, what: "has an outcome and is no input of the log".to_owned() });
        }
    }
    if let Some(skipped) = recorded.next() {
        return Err(Difference { seq: skipped, what: "is covered and has no outcome".to_owned() });
    }
    let ends = commit.outcomes.first().zip(commit.outcomes.last()).map(|(first, last)| (first.seq, last.seq));
    same("the span of inputs", commit.first_input, &Some((commit.first_input, commit.last_input)), &ends)
}

fn follow_one(
    machine: &mut Machine,
    rules: Rules,
    theirs: &Outcome,
    input: &Recorded,
) -> Result<(), Difference> {
    let seq = theirs.seq;
    let parked = match &theirs.result {
        InputResult::Parked { reason } => {
            Some(Recorded { seq, stored_at: input.stored_at, input: Err(reason.clone()) })
        }
        InputResult::Accepted
        | InputResult::Rejected(_)
        | InputResult::Amended
        | InputResult::Unchanged
        | InputResult::Cancelled
        | InputResult::Refused(_)
        | InputResult::Defined
        | InputResult::Ticked => None,
    };
    let applied = machine.apply_by(rules, parked.as_ref().unwrap_or(input));
    let ours = applied.map_err(|error| Difference { seq, what: error.to_string() })?.outcome;
    if *theirs == ours {
        return Ok(());
    }
    same("the result", seq, &theirs.result, &ours.result)?;
    same("market time", seq, &theirs.at, &ours.at)?;
    let most = theirs.changes.len().max(ours.changes.len());
    for place in 0..most {
        same(&format!("change {place}"), seq, &theirs.changes.get(place), &ours.changes.get(place))?;
    }
    same("levels", seq, &theirs.levels, &ours.levels)?;
    same("the outcome", seq, theirs, &ours)
}

fn same<T: PartialEq + Serialize>(what: &str, seq: Seq, theirs: &T, ours: &T) -> Result<(), Difference> {
    if theirs == ours {
        return Ok(());
    }
    let text = |value| serde_json::to_string(value).expect("string keys and plain values always become JSON");
    let what = format!("{what} is {} in the commit and {} when it is done again", text(theirs), text(ours));
    Err(Difference { seq, what })
}
