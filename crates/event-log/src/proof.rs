//! Proof of a place in the stream by its leader's answers.
//!
//! ```text
//!  record at the place   the very one ─▶ holds        another one ─▶ LostEnd
//!                        none, the stream ends before ─▶ LostEnd | BeyondEnd
//!                        none, the stream goes on behind it without a gap ─▶ holds (it was removed, nothing else was)
//!                        none, and those behind it neither ─▶ Trimmed
//! ```

use fillstream_domain::Seq;

use crate::{After, LogError, Record};

/// The leader's answers about a place.
pub(crate) struct Answers<'a> {
    /// The record at the place.
    pub(crate) at: Option<&'a Record>,
    /// The first record behind the place.
    pub(crate) next: Option<Seq>,
    /// The stream's last sequence.
    pub(crate) last: Seq,
}

/// Checks that a tail may begin behind the place.
pub(crate) fn holds(after: After, answers: &Answers<'_>) -> Result<(), LogError> {
    let (seq, last) = (after.seq(), answers.last);
    let lost = match after {
        After::Seq(after) => LogError::BeyondEnd { after, last },
        After::Record(reached) => LogError::LostEnd { reached, last },
    };
    match (after, answers.at) {
        _ if seq.is_zero() => Ok(()),
        (After::Seq(_), Some(_)) => Ok(()),
        (After::Record(reached), Some(found)) if found.reference() == reached => Ok(()),
        (After::Record(_), Some(_)) => Err(lost),
        (_, None) if last < seq => Err(lost),
        (_, None) => match answers.next.unwrap_or_else(|| last.next()) {
            first if first == seq.next() => Ok(()),
            first => Err(LogError::Trimmed { after: seq, first }),
        },
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_place_holds_as_far_as_the_leader_says() {
        let record = |id| {
            let (subject, payload) = ("orders.swap.1.placed".to_owned(), Bytes::new());
            Record::new(Seq::new(5), subject, 0, Some(Uuid::from_u128(id)), payload)
        };
        let (ours, foreign) = (record(1), record(2));
        let (seq, known) = (After::Seq(Seq::new(5)), After::Record(ours.reference()));
        let check = |after, at, next: Option<u64>, last, expected: &str| {
            let answers = Answers { at, next: next.map(Seq::new), last: Seq::new(last) };
            let verdict = match holds(after, &answers) {
                Ok(()) => "holds",
                Err(LogError::LostEnd { .. }) => "lost",
                Err(LogError::BeyondEnd { .. }) => "beyond",
                Err(LogError::Trimmed { first, .. }) if first == Seq::new(9) => "trimmed to 9",
                Err(error) => panic!("{error}"),
            };
            assert_eq!(verdict, expected, "{after:?}, next {next:?}, last {last}");
        };
        for last in [0, 9] {
            check(After::START, None, None, last, "holds");
        }
        check(seq, Some(&ours), None, 5, "holds");
        check(seq, Some(&foreign), Some(6), 9, "holds");
        check(seq, None, None, 4, "beyond");
        check(known, Some(&ours), Some(6), 9, "holds");
        check(known, Some(&foreign), Some(6), 9, "lost");
        check(known, None, None, 0, "lost");
        check(known, None, None, 4, "lost");
        for after in [seq, known] {
            check(after, None, Some(6), 9, "holds");
            check(after, None, None, 5, "holds");
            check(after, None, Some(9), 9, "trimmed to 9");
            check(after, None, None, 8, "trimmed to 9");
        }
    }
}
