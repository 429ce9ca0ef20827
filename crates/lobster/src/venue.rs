//! The port: a matcher that the plan is carried out at.

use fillstream_domain::OrderId;
use fillstream_domain::book::{Lots, Side, Ticks};

use crate::Action;

/// What a matcher answers to one action.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// Why nothing was done, in the matcher's words.
    pub refused: Option<String>,
    /// What the order that came took, in order.
    pub executions: Vec<Execution>,
    /// What rests now at each price that was touched, 0 when nothing does.
    pub levels: Vec<(Side, Ticks, Lots)>,
}

/// A resting order was hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execution {
    /// The resting order.
    pub maker: OrderId,
    /// At its price.
    pub price: Ticks,
    /// So much of it.
    pub quantity: Lots,
}

/// A matcher: a book in memory, or the whole system.
pub trait Venue {
    /// Why there is no answer.
    type Error;

    /// Carries out one action, after all before it.
    ///
    /// # Errors
    /// When the matcher cannot be asked; a refusal is an answer.
    fn act(&mut self, action: &Action) -> Result<Answer, Self::Error>;
}
