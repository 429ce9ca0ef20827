//! Swap orders: the request, the events, the life cycle.

mod codec;
mod event;
mod order;
mod request;
mod standing;

pub use crate::stored::{DecodeError, EventType};
pub use event::{
    Confirmed, Decider, Failed, MAX_ATTEMPTS, NoQuote, Placed, Prepared, Quote, RetryScheduled, ReviewNeeded,
    Routed, RoutingStarted, Stage, SwapEvent,
};
pub use order::{IllegalEvent, InDoubt, Phase, Status, SwapOrder};
pub use request::{Field, FieldError, MAX_AMOUNT, Request, Terms};
pub use standing::Standing;
