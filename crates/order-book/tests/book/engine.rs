//! One way to drive the book and its twin.

use fillstream_domain::{OrderId, UserId};
use fillstream_order_book::{Amend, Amended, Book, Event, NewOrder, Refused, Taking};
use uuid::Uuid;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Operation {
    Place(NewOrder),
    Amend(Amend),
    Cancel(OrderId, UserId),
    /// Orders that are due by now are ended, as many as the step may meet.
    Expire,
    /// This one is, if it is due.
    ExpireOrder(OrderId),
}

/// An operation, when it comes, and how far it may go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) operation: Operation,
    pub(crate) taking: Taking,
}

/// Answer to the caller besides events; an amend says what it led to.
pub(crate) type Answer = Result<Option<Amended>, Refused>;

pub(crate) trait Engine {
    fn apply(&mut self, step: &Step, events: &mut Vec<Event>) -> Answer;
}

impl Engine for Book {
    fn apply(&mut self, step: &Step, events: &mut Vec<Event>) -> Answer {
        match step.operation {
            Operation::Place(order) => self.place(&order, step.taking, events).map(|()| None),
            Operation::Amend(amend) => self.amend(&amend, step.taking, events).map(Some),
            Operation::Cancel(order_id, user_id) => self.cancel(order_id, user_id, events).map(|()| None),
            Operation::Expire => {
                self.expire(step.taking.now, step.taking.max_makers, events);
                Ok(None)
            }
            Operation::ExpireOrder(order_id) => {
                self.expire_order(order_id, step.taking.now, events);
                Ok(None)
            }
        }
    }
}

pub(crate) fn order_id(number: u64) -> OrderId {
    OrderId::new(Uuid::from_u128(u128::from(number)))
}

pub(crate) fn user_id(number: u64) -> UserId {
    UserId::new(Uuid::from_u128(u128::from(number)))
}

/// The number that the id was made of.
pub(crate) fn number(id: OrderId) -> u64 {
    id.uuid().as_u64_pair().1
}
