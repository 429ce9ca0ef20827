//! End-to-end tests, one binary.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test names what it expects; anything else is its failure"
)]

mod auth_cases;
mod backup_cases;
mod browser;
mod cli_cases;
mod cluster;
mod crash_sweep;
mod descriptions;
mod doors;
mod examples;
mod faults;
mod first_order;
mod http_cases;
mod log_cases;
mod market_cases;
mod market_sweep;
mod nats_requests;
mod pages;
mod side_by_side;
mod site;
mod socket_cases;
mod starts;
