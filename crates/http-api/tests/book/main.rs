//! HTTP of the order book over a log in memory, with a read store and a matcher that say what a test wants.

mod auth;
mod batch;
mod change;
mod desk;
mod fakes;
mod matched;
mod open_orders;
mod outcomes;
mod place;
mod read;
