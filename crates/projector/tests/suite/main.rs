//! The projector over a log in memory and a SQLite file, or PostgreSQL.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "tests: their names say what they show, a panic is a failure"
)]

mod faults;
mod lost_end;
mod market;
mod site;
