//! Runs the swap machine's effects over venues and the log.
