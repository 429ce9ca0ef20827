//! End-to-end tests: the real binary, a real nats-server.
