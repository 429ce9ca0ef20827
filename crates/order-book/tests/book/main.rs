//! The book against its cases, against a naive twin, and over the flow of a real market.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "tests: their names say what they show, a panic is a failure"
)]

mod cases;
mod dice;
mod engine;
mod hash;
mod limits;
mod lobster;
mod model;
mod notation;
mod operations;
mod snapshot;
mod standing;
mod twin;
