//! Board where outcomes meet those who wait for them, and those who ask soon after.

use std::collections::{HashMap, VecDeque};

use fillstream_domain::{OrderId, Position, Seq};
use fillstream_projections::market::BookOrderPatch;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::Answer;

/// Answers that are kept for who asks after they came: the time between an append's acknowledgement and the question,
/// at 100,000 amends a second some 40 ms, at about 500 bytes each.
const KEPT_ANSWERS: usize = 4096;
/// Changes of orders that are kept, for the time until the read store has them: at 20,000 a second almost a second, at
/// about 400 bytes each.
const KEPT_CHANGES: usize = 16_384;

/// Requests that wait, and outcomes that came lately.
#[derive(Default)]
pub(super) struct Board(Mutex<Posted>);

#[derive(Default)]
struct Posted {
    waiting: HashMap<Seq, Vec<oneshot::Sender<Answer>>>,
    answers: HashMap<Seq, Answer>,
    /// Inputs of `answers`, oldest first.
    answered: VecDeque<Seq>,
    orders: HashMap<OrderId, BookOrderPatch>,
    /// Each change of `orders`, also those that another has followed, oldest first.
    changes: VecDeque<(OrderId, Position)>,
}

fn position(patch: &BookOrderPatch) -> Position {
    Position::new(patch.last_seq, patch.last_index)
}

pub(super) enum Asked {
    Known(Answer),
    Waiting(oneshot::Receiver<Answer>),
}

impl Board {
    pub(super) fn ask(&self, input: Seq) -> Asked {
        let mut posted = self.0.lock();
        if let Some(answer) = posted.answers.get(&input) {
            return Asked::Known(answer.clone());
        }
        let (tell, waiting) = oneshot::channel();
        posted.waiting.entry(input).or_default().push(tell);
        Asked::Waiting(waiting)
    }

    /// Takes away the places of those who have stopped waiting.
    pub(super) fn forget(&self, input: Seq) {
        let mut posted = self.0.lock();
        if let Some(waiting) = posted.waiting.get_mut(&input) {
            waiting.retain(|tell| !tell.is_closed());
            if waiting.is_empty() {
                posted.waiting.remove(&input);
            }
        }
    }

    /// The answer to the input at this sequence.
    pub(super) fn tell(&self, input: Seq, answer: Answer) {
        let mut posted = self.0.lock();
        for waiting in posted.waiting.remove(&input).into_iter().flatten() {
            // Whoever has gone needs no answer.
            let _ = waiting.send(answer.clone());
        }
        if posted.answers.insert(input, answer).is_none() {
            posted.answered.push_back(input);
        }
        if posted.answered.len() > KEPT_ANSWERS
            && let Some(oldest) = posted.answered.pop_front()
        {
            posted.answers.remove(&oldest);
        }
    }

    /// The stream has lost its end: nothing of what was said holds any more. Whoever waits goes on waiting.
    pub(super) fn forget_all(&self) {
        let mut posted = self.0.lock();
        let waiting = std::mem::take(&mut posted.waiting);
        *posted = Posted { waiting, ..Posted::default() };
    }

    /// An order has changed. A commit that is read again changes nothing anew.
    pub(super) fn note(&self, patch: BookOrderPatch) {
        let mut posted = self.0.lock();
        let (order, now) = (patch.order_id, position(&patch));
        if posted.orders.get(&order).is_some_and(|known| position(known) >= now) {
            return;
        }
        posted.orders.insert(order, patch);
        posted.changes.push_back((order, now));
        if posted.changes.len() > KEPT_CHANGES
            && let Some((order, then)) = posted.changes.pop_front()
            && posted.orders.get(&order).is_some_and(|last| position(last) == then)
        {
            posted.orders.remove(&order);
        }
    }

    pub(super) fn latest(&self, order: OrderId) -> Option<BookOrderPatch> {
        self.0.lock().orders.get(&order).cloned()
    }
}

#[cfg(test)]
mod tests {
    use fillstream_domain::{Amount, Timestamp, book::BookStatus, book::InputResult, parse_exact};
    use uuid::Uuid;

    use super::*;

    fn order(n: u64) -> OrderId {
        OrderId::new(Uuid::from_u128(n.into()))
    }

    fn patch(order_id: OrderId, last_seq: u64) -> BookOrderPatch {
        let zero = Amount::new(parse_exact("0").unwrap()).unwrap();
        BookOrderPatch {
            order_id,
            status: BookStatus::Open,
            price: None,
            quantity: zero,
            filled_quantity: zero,
            filled_quote: zero,
            fee: zero,
            updated_at: Timestamp::from_unix_ms(0),
            last_seq: Seq::new(last_seq),
            last_index: 0,
        }
    }

    #[test]
    fn who_hangs_up_leaves_nothing_behind() {
        let board = Board::default();
        let (first, second) = (board.ask(Seq::new(7)), board.ask(Seq::new(7)));
        drop(first);
        board.forget(Seq::new(7));
        assert_eq!(board.0.lock().waiting[&Seq::new(7)].len(), 1);
        drop(second);
        board.forget(Seq::new(7));
        assert!(board.0.lock().waiting.is_empty());
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_newest() {
        let board = Board::default();
        let answer = Answer { result: InputResult::Unchanged, order: None };
        let (answers, changes) = (KEPT_ANSWERS as u64, KEPT_CHANGES as u64);
        (1..=answers + 1).for_each(|input| board.tell(Seq::new(input), answer.clone()));
        assert!(matches!(board.ask(Seq::new(1)), Asked::Waiting(_)));
        assert!(matches!(board.ask(Seq::new(2)), Asked::Known(_)));
        // Order 1 changes again and again; order 0 once, before it.
        board.note(patch(order(0), 1));
        (2..=changes).for_each(|seq| board.note(patch(order(1), seq)));
        assert!(board.latest(order(0)).is_some());
        board.note(patch(order(1), 2));
        board.note(patch(order(1), changes + 1));
        assert_eq!(board.latest(order(0)), None);
        (2..changes).for_each(|n| board.note(patch(order(n), changes + n)));
        assert_eq!(board.latest(order(1)).map(|patch| patch.last_seq), Some(Seq::new(changes + 1)));
        assert!(board.0.lock().changes.len() <= KEPT_CHANGES);
    }
}
