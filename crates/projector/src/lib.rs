//! Keeps the SQL read model: follows the stream and takes rows and checkpoint on together; rebuilds it from nothing.
//!
//! ```text
//!  stream ──follow──▶ Batch ──apply (checkpoint compared and set)──▶ read store
//!                       ├─ unreadable? parked, then left out
//!                       └─ a commit without its last part? waits for it, then left out when something else comes
//! ```
//! No trouble of the database ends it: it waits, says so among its obstacles, and goes on when the cause is gone.
//! Any number of projectors may work on one model: one of them wins each step, the others go on behind it.

mod batch;
mod rebuild;
mod rescue;
mod run;
mod transactions;

pub use rebuild::{RebuildError, rebuild};
pub use rescue::{RescueError, Rescued, rescue, rescued_files};
pub use run::Projector;
pub use transactions::lost_transactions;
