//! Decisions about the executor's next step with a swap order. Pure: an order folded from its events and an instant in, a
//! [`Step`] out; what came of the step in, the next event out.
//!
//! ```text
//!            ┌──────────────── SwapOrder (events folded) ◀── append ◀─┐
//!            ▼                                                        │
//!     next(order, …)  ──▶ Step ──▶ shell: venues, clock ──▶ answer ──┴─▶ after_quotes | after_build | after_look
//! ```
//! Recovery after a crash is the same road: the order is folded again and `next` asked again. Two facts keep a
//! swap from being executed twice: the signed transaction is on record before it is sent, and only a transaction
//! that is proved dead or reverted unlocks the next attempt.
//!
//! [`Unended`] is the executor's list of work: the swaps that have not ended, as the stream tells it.

mod backoff;
mod decide;
mod signed;
mod unended;

pub use backoff::Backoff;
pub use decide::{
    Built, Look, Offer, Pause, Step, Transaction, Verdict, VerdictError, after_build, after_look,
    after_quotes, lost, next, resolve, rest,
};
pub use fillstream_domain::swap::SwapEvent;
pub use signed::Signed;
pub use unended::{Heard, Moment, Released, Summary, Unended, UnendedSwap};
