//! The event log: append, follow, read history. JetStream and memory.
