//! Transactions that were signed, by the record that tells of each.
//!
//! A stream that loses its end, or is put back, no longer tells of a transaction that may have been sent. Whoever remembers
//! it must not sign another one.

use std::collections::{HashMap, VecDeque};

use fillstream_domain::{OrderId, RecordRef};
use serde::{Deserialize, Serialize};

use crate::Transaction;

/// Ended swaps whose last transaction is remembered, some hundred bytes each: what a server that loses power without
/// having written to disk takes with it is seconds of the newest ones.
const ENDED: usize = 50_000;

/// A signed transaction, and the record that told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// The record.
    pub record: RecordRef,
    /// The transaction.
    pub transaction: Transaction,
}

/// The last transaction of each swap that has not ended, and of those that ended last.
#[derive(Debug, Default)]
pub(crate) struct Signatures {
    known: HashMap<OrderId, Signed>,
    ended: VecDeque<OrderId>,
}

impl Signatures {
    pub(crate) fn remember(&mut self, order: OrderId, signed: Signed) {
        self.known.insert(order, signed);
    }

    pub(crate) fn of(&self, order: OrderId) -> Option<&Signed> {
        self.known.get(&order)
    }

    /// The swap has ended: it is forgotten when enough others have ended after it.
    pub(crate) fn ended(&mut self, order: OrderId) {
        if self.known.contains_key(&order) {
            self.ended.push_back(order);
        }
        while self.ended.len() > ENDED {
            if let Some(oldest) = self.ended.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use fillstream_domain::{RecordId, Seq, VenueId};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn ended_swaps_are_remembered_up_to_a_bound_and_the_others_always() {
        let (mut signatures, extra) = (Signatures::default(), 3);
        let id = |number: usize| Uuid::from_u128(u128::try_from(number).unwrap());
        for number in 0..ENDED + extra {
            let record = RecordRef { seq: Seq::FIRST, id: RecordId::Event(id(number)) };
            let transaction = Transaction { venue: VenueId::Raydium, tx_id: "t".to_owned() };
            signatures.remember(OrderId::new(id(number)), Signed { record, transaction });
        }
        for number in 1..ENDED + extra {
            signatures.ended(OrderId::new(id(number)));
        }
        let known = |number| signatures.of(OrderId::new(id(number))).is_some();
        let expected = [(0, true), (1, false), (extra - 1, false), (extra, true), (ENDED + extra - 1, true)];
        for (number, is_known) in expected {
            assert_eq!(known(number), is_known, "{number}");
        }
    }
}
