//! The matcher's shell: one task per market around the pure [`Machine`](fillstream_matcher::Machine).
//!
//! ```text
//!  orders.book.<market>.*  ──follow──▶ Machine ──▶ pending outcomes ──▶ one fenced commit at a time ──▶ markets.<market>
//!                                         ▲                                   │ beaten? stand by, follow the winner's commits
//!                          snapshot ──────┘◀── now and then ──────────────────┘
//! ```
//! Any number of processes may run it. What they do is the same, for the machine is deterministic; the fence lets one of
//! them write each commit, and the others follow it and compare hashes. A start, a restart after a kill and a
//! reload after a doubt are one road: the newest snapshot, then the commits behind it.

mod commit;
mod define;
mod load;
mod market;
mod past;
mod read;
mod run;
mod settings;
mod snapshots;
mod tail;
mod verify;

pub use define::{DefineError, define, definitions};
pub use load::{LoadError, Loaded, load};
pub use past::{PastError, book_at};
pub use run::{MarketState, Matcher};
pub use settings::Settings;
pub use snapshots::{Level, Levels};
pub use verify::{Difference, Report, Verified, verify};
