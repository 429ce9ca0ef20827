//! One market's book: price-time priority over ticks and lots.
//!
//! ```text
//!  place ──┐        ┌─ index: order id ──▶ slot ─┐
//!  amend ──┼─▶ Book ┤                            ▼
//!  cancel ─┤        ├─ ladder: price ──▶ level ─▶ slots of the slab, a list per level, oldest first
//!  expire ─┘        └─ expiries, state hash
//!             │
//!             └──▶ events, in the order in which they happened, into the caller's Vec
//! ```
//! The same calls in the same order give the same events, the same hash and the same snapshot, on any machine: nothing
//! here awaits, reads a clock, rolls dice or iterates over a hash table. A call that is refused changes nothing.
//!
//! The few steps that every order takes are inlined always: an order that is handed on in memory, written in pieces and
//! read as a whole, has to wait for its pieces, and that cost a tenth of the speed.
//!
//! What the book does not know: decimals, a market's filters, fees, requests. Its caller judges those before.

mod amend;
mod book;
mod codes;
mod event;
mod expiry;
#[cfg(feature = "flow")]
pub mod flow;
mod hash;
mod index;
mod ladder;
mod matching;
mod order;
mod slab;
mod snapshot;
mod taker;

pub use book::Book;
pub use event::{Amended, Ended, Event, Refused, Resting};
pub use order::{Amend, NewOrder, Taking};
pub use snapshot::BadSnapshot;
