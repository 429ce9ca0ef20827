//! Runs the swap machine: takes swaps up, does the machine's steps over the venues, and appends what came of them, each
//! event fenced on the one before.
//!
//! ```text
//!  work queue ───────────▶ drive(order): next step ─▶ venues ─▶ event ─▶ append (fenced) ─┐
//!  (fast path)                ▲   ▲                                                       │
//!  orders.swap.> ──▶ unended ─┘   └──── fold; beaten to it? read the history anew ◀───────┘
//!  (the truth)       swaps
//! ```
//! What is left to do is a fact of the stream: a swap without a terminal event has not ended. The executor follows the
//! swaps and takes up those that have had no event for a while, whoever acknowledged their message in the queue. The queue
//! only brings a new order to one executor at once.
//!
//! Any number of executors, in any number of processes, may work on one stream: when two take up one order, the
//! fence lets one of them append each event and the other follows.

mod agenda;
mod checkpoint;
mod drive;
mod effects;
mod follow;
mod hand;
mod history;
mod resolve;
mod run;
mod settings;

pub use checkpoint::count_unended;
pub use fillstream_swap_machine::{Signed, Summary, Transaction, Verdict};
pub use history::{HistoryError, SwapHistory, read_history};
pub use resolve::{ResolveError, resolve};
pub use run::Executor;
pub use settings::{Hands, Settings};

/// Name of this part in parked entries.
const PART: &str = "executor";
