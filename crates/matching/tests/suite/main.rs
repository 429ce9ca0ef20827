//! The matcher's shell over the log in memory: racing, standing by, restarting, looking back.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "tests: their names say what they show, a panic is a failure"
)]

mod answers;
mod crew;
mod damage;
mod odd;
mod past;
mod quiet;
mod restart;
mod rig;
mod work;
