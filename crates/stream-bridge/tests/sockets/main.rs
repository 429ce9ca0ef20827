//! Sockets on one order, as clients see them, over a log in memory and over a real nats-server.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests: their names say what they show, a panic is a failure"
)]

mod broken_frames;
mod client;
mod crowds;
mod endings;
mod event_client;
mod events;
mod join;
mod life;
mod live_log;
mod long_orders;
mod outages;
mod put_back;
mod real_server;
mod refusals;
mod replicas;
mod resume;
mod rig;
mod rough_log;
mod slow;
