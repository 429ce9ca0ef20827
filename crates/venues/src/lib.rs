//! The venue contract and the two simulated venues with their ledger.
