//! End-to-end tests, one binary.

mod first_order;
