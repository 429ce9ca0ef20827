//! A message file with more levels than the book file: it tells what happened behind the last level.

use fillstream_domain::book::{Lots, Side, Ticks};

use crate::message::{Kind, Message};
use crate::{Cause, Difference};

/// Messages that only the wider file holds, each with how many rows of the narrow one lie before it.
#[derive(Debug, Clone)]
pub struct Wider(Vec<(usize, Message)>);

/// The wider file lacks a row of the narrow one, so that the two do not belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("row {row} of the narrow file is not in the wider one, or not in the same place")]
pub struct NotWider {
    /// The row, from 1.
    pub row: usize,
}

impl Wider {
    /// Finds what the narrow file leaves out, up to its end.
    ///
    /// # Errors
    /// [`NotWider`].
    pub fn new(narrow: &[Message], wider: &[Message]) -> Result<Self, NotWider> {
        let (mut passed, mut unseen) = (0, Vec::new());
        for message in wider {
            match narrow.get(passed) {
                None => break,
                Some(next) if next == message => passed += 1,
                Some(_) => unseen.push((passed, *message)),
            }
        }
        if passed < narrow.len() { Err(NotWider { row: passed + 1 }) } else { Ok(Self(unseen)) }
    }

    /// True when what happened behind the last level is exactly the difference.
    #[must_use]
    pub fn proves(&self, difference: &Difference) -> bool {
        let Cause::Unseen { since } = difference.cause else { return false };
        let (came, went) = self.between(since, difference.row, difference.side, difference.price);
        difference.here.plus(came).and_then(|sum| sum.minus(went)) == Some(difference.published)
    }

    /// Quantities that came to a level and went from it, unseen, after the row before `since` and before `row`.
    fn between(&self, since: usize, row: usize, side: Side, price: Ticks) -> (Lots, Lots) {
        let meanwhile = self.0.iter().filter(|(passed, _)| (since - 1..row).contains(passed));
        meanwhile.fold((Lots::ZERO, Lots::ZERO), |(came, went), (_, message)| {
            let here = message.kind.named().filter(|named| (named.side, named.price) == (side, price));
            let quantity = here.map_or(Lots::ZERO, |named| named.quantity);
            let sum = |lots: Lots| lots.plus(quantity).unwrap_or(lots);
            match message.kind {
                Kind::Submitted(_) => (sum(came), went),
                Kind::Reduced(_) | Kind::Deleted(_) | Kind::Executed(_) => (came, sum(went)),
                Kind::Hidden | Kind::Cross | Kind::Halt => (came, went),
            }
        })
    }
}
