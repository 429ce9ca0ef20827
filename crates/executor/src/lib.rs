//! Runs the swap machine: takes placed orders from the working queue, does the machine's steps over the venues,
//! and appends what came of them, each event fenced on the one before.
//!
//! ```text
//!  work queue ──▶ drive(order): next step ─▶ venues ─▶ event ─▶ append (fenced) ─┐
//!       ▲              ▲                                                         │
//!       │ done         └──────────── fold; beaten to it? read the history anew ◀─┘
//!       └── ended, or on the operators' list
//! ```
//! Any number of executors, in any number of processes, may work on one stream: when two take up one order, the
//! fence lets one of them append each event and the other follows.

mod drive;
mod effects;
mod history;
mod resolve;
mod run;

pub use history::{HistoryError, SwapHistory, read_history};
pub use resolve::{ResolveError, resolve};
pub use run::{Executor, Settings};
