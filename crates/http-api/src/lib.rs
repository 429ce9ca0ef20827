//! HTTP of the contract.
