//! Descriptions by the binary for programmers, held to what it does: every answer, every message and every stored event that a
//! session brings forth is what the documents say, and a fuzzer that knows nothing else finds nothing else.

mod contract;
mod documents;
mod fuzzed;
mod recorded;
mod requests;
mod routes;
mod stored;
