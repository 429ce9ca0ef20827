//! A private nats-server: found or fetched, started, supervised.
