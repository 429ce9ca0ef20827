//! Events to row changes and to socket messages: pure.
