//! Orders placed since the start, kept for a while: whoever asks soon gets them without a read.

use std::collections::{HashMap, VecDeque};

use fillstream_domain::{OrderId, subject::SwapSubject};
use fillstream_event_log::Record;

/// Whole histories, the oldest order first to go.
#[derive(Default)]
pub(crate) struct Recent {
    histories: HashMap<OrderId, Vec<Record>>,
    /// Orders of `histories`, oldest first.
    arrivals: VecDeque<OrderId>,
    bytes: usize,
}

impl Recent {
    /// Keeps a record of an order whose placed event was seen; of any other the history would have a hole.
    pub(crate) fn remember(
        &mut self,
        subject: SwapSubject,
        record: Record,
        max_orders: usize,
        max_bytes: usize,
    ) {
        let (order, bytes) = (subject.order(), record.payload.len());
        // A copy: the payload that came is a slice of the connection's read buffer, and would keep all of that.
        let payload = record.payload.to_vec().into();
        let record = Record::new(record.seq, record.subject, record.stored_at, record.event_id, payload);
        match (self.histories.get_mut(&order), subject) {
            (Some(history), _) => history.push(record),
            (None, SwapSubject::Placed(_)) => {
                self.histories.insert(order, vec![record]);
                self.arrivals.push_back(order);
            }
            (None, SwapSubject::Progress(_)) => return,
        }
        self.bytes += bytes;
        while (self.arrivals.len() > max_orders || self.bytes > max_bytes)
            && let Some(oldest) = self.arrivals.pop_front()
        {
            self.forget(oldest);
        }
    }

    /// The order's first event, when its history is kept.
    pub(crate) fn placed(&self, order: OrderId) -> Option<&Record> {
        self.histories.get(&order)?.first()
    }

    /// Hands an order's history over.
    pub(crate) fn take(&mut self, order: OrderId) -> Option<Vec<Record>> {
        let history = self.forget(order)?;
        self.arrivals.retain(|kept| *kept != order);
        Some(history)
    }

    fn forget(&mut self, order: OrderId) -> Option<Vec<Record>> {
        let history = self.histories.remove(&order)?;
        let bytes: usize = history.iter().map(|record| record.payload.len()).sum();
        self.bytes -= bytes;
        Some(history)
    }
}

#[cfg(test)]
mod tests {
    use fillstream_domain::Seq;
    use fillstream_domain::subject::{swap_placed, swap_progress};

    use super::*;

    fn order(number: u128) -> OrderId {
        OrderId::new(uuid::Uuid::from_u128(number))
    }

    fn remember(recent: &mut Recent, order: OrderId, placed: bool, bytes: usize, limits: (usize, usize)) {
        let subject = if placed { swap_placed(order) } else { swap_progress(order) };
        let payload = vec![b' '; bytes].into();
        let record = Record::new(Seq::FIRST, subject, 0, None, payload);
        let subject = SwapSubject::parse(&record.subject).unwrap();
        recent.remember(subject, record, limits.0, limits.1);
    }

    #[test]
    fn only_whole_histories_are_kept() {
        let mut recent = Recent::default();
        remember(&mut recent, order(1), false, 10, (8, 100));
        assert!(recent.placed(order(1)).is_none());
        remember(&mut recent, order(1), true, 10, (8, 100));
        remember(&mut recent, order(1), false, 10, (8, 100));
        assert_eq!(recent.take(order(1)).map(|history| history.len()), Some(2));
        assert_eq!((recent.placed(order(1)).is_some(), recent.bytes, recent.arrivals.len()), (false, 0, 0));
        remember(&mut recent, order(1), false, 10, (8, 100));
        assert!(recent.placed(order(1)).is_none(), "what was handed over is not taken up in the middle");
    }

    #[test]
    fn the_oldest_go_first() {
        let check = |limits: (usize, usize), kept: &[u128]| {
            let mut recent = Recent::default();
            for number in 1..=4 {
                remember(&mut recent, order(number), true, 30, limits);
            }
            let found: Vec<u128> = (1..=4).filter(|number| recent.placed(order(*number)).is_some()).collect();
            assert_eq!((found.as_slice(), recent.bytes), (kept, 30 * kept.len()), "{limits:?}");
        };
        check((4, 1000), &[1, 2, 3, 4]);
        check((2, 1000), &[3, 4]);
        check((4, 100), &[2, 3, 4]);
        check((4, 20), &[]);
        check((0, 1000), &[]);
    }
}
