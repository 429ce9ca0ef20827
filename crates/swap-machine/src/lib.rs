//! What the executor does next with a swap order. Pure: an order folded from its events and an instant in, a
//! [`Step`] out; what came of the step in, the next event out.
//!
//! ```text
//!            ┌──────────────── SwapOrder (events folded) ◀── append ◀─┐
//!            ▼                                                        │
//!     next(order, now) ──▶ Step ──▶ shell: venues, clock ──▶ answer ──┴─▶ after_quotes | after_build | after_look
//! ```
//! Recovery after a crash is the same road: the order is folded again and `next` asked again. Two facts keep a
//! swap from being executed twice: the signed transaction is on record before it is sent, and only a transaction
//! that is proved dead or reverted unlocks the next attempt.

mod backoff;
mod decide;

pub use backoff::Backoff;
pub use decide::{Built, Look, Offer, Step, after_build, after_look, after_quotes, next, resolve};
pub use fillstream_domain::swap::SwapEvent;
