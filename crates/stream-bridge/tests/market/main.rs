//! The sockets of the market, as clients see them, over a log in memory and a read store that is told from it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests: their names say what they show, a panic is a failure"
)]

mod books;
mod client;
mod crowds;
mod defined;
mod flow;
#[path = "../sockets/life.rs"]
#[allow(dead_code, reason = "the other suite uses all of it")]
mod life;
mod orders;
mod outages;
mod parts;
mod put_back;
mod refusals;
mod resume;
mod rig;
#[path = "../sockets/rough_log.rs"]
#[allow(dead_code, reason = "the other suite uses all of its weather")]
mod rough_log;
mod slow;
mod stored;
mod subscribe;
