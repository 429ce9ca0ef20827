//! End-to-end tests, one binary.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test names what it expects; anything else is its failure"
)]

mod cli_cases;
mod crash_sweep;
mod first_order;
mod http_cases;
mod side_by_side;
mod site;
mod socket_cases;
