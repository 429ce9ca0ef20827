//! Behaviour of the machine that a matcher's shell, a replay and a trader would notice.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "tests: their names say what they show, a panic is a failure"
)]

mod auditing;
mod bounds;
mod cases;
mod definitions;
mod desk;
mod fees;
mod following;
mod old_logs;
mod parts;
mod random;
