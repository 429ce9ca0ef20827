//! The machine of one market: recorded input in, its outcome out.
//!
//! ```text
//!  Recorded ──▶ Machine ─ judges by the definition in force ─▶ Book ──▶ events ──▶ Outcome, state hash
//!                  │                                                                   │
//!                  └─ snapshot, restore                                                ▼
//!                                                                     Pending ──cut──▶ parts of one commit
//!  a commit of the log ──follow──▶ the same machine, or the first difference
//!                     ──Audit──▶ its invariants hold, or the first that does not
//! ```
//! Nothing here awaits, reads a clock, rolls dice or touches IO: the same inputs give the same outcomes, the same bytes
//! and the same hashes, whoever applies them. Time is the recorded time of the inputs.

mod accounts;
mod amend;
mod audit;
mod follow;
mod hash;
mod judge;
mod levels;
mod machine;
mod market;
mod open;
mod place;
mod snapshot;
mod split;
mod step;
mod telling;
mod time;
mod units;

pub use audit::Audit;
pub use follow::{Difference, follow};
pub use machine::{AlreadyApplied, Applied, Machine, Recorded};
pub use snapshot::BadSnapshot;
pub use step::{COMMIT_BYTES, MAX_PARTS, Part, Pending, hash_text};
