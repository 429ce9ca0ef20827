//! The stream-bridge: backfill, then live, no gap, no duplicate.
