//! Recorded order flow of an exchange, in the format of LOBSTER (lobsterdata.com), through a matcher of ours.
//!
//! ```text
//!  message file ─┐                                       ┌ which resting order each execution hit, and why another one
//!                ├─▶ Plan ─▶ replay ─▶ Venue ─▶ Report ──┤
//!  book file ────┘                                       └ each published level, equal or explained
//! ```
//! All of it is exact: prices are ten-thousandths of a dollar, quantities shares. Nothing here awaits, reads a clock or
//! touches files; a [`Venue`] carries out what a [`Plan`] asks.

mod action;
mod comparison;
mod executions;
mod history;
mod ledger;
mod message;
mod plan;
mod published;
mod replay;
mod report;
mod row;
mod seeding;
mod venue;
mod wider;

pub use action::{Action, Key};
pub use comparison::{Cause, Check, Comparison, Difference, Standing};
pub use executions::{Missed, Reason};
pub use message::{Kind, Message, Named, messages};
pub use plan::{Plan, PlannedRow};
pub use published::{Published, books};
pub use replay::replay;
pub use report::{Refusal, Report};
pub use row::RowError;
pub use venue::{Answer, Execution, Venue};
pub use wider::{NotWider, Wider};
