//! Number of orders that each user has in the book. What the book says, counted: nothing of it is hashed or kept by itself.
//!
//! ```text
//!  rests +1 ──▶ user ──▶ orders ◀── −1 traded as a whole, cancelled, or taken out to be matched anew
//! ```

use std::collections::HashMap;

use fillstream_domain::UserId;
use fillstream_order_book::Book;

use crate::machine::queues;

/// Users that have orders in the book, each with their number. Never iterated over: its order is another on each run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OpenOrders(HashMap<UserId, u32>);

impl OpenOrders {
    /// Of a book as it stands.
    pub(crate) fn of(book: &Book) -> Self {
        let mut open = Self::default();
        queues(book).for_each(|order| open.rested(order.user_id));
        open
    }

    /// Number of orders of a user.
    pub(crate) fn of_user(&self, user: UserId) -> u32 {
        self.0.get(&user).copied().unwrap_or_default()
    }

    pub(crate) fn rested(&mut self, user: UserId) {
        *self.0.entry(user).or_default() += 1;
    }

    pub(crate) fn ended(&mut self, user: UserId) {
        let left = self.of_user(user).checked_sub(1).expect("an order that ends has rested");
        if left == 0 {
            self.0.remove(&user);
        } else {
            self.0.insert(user, left);
        }
    }
}
