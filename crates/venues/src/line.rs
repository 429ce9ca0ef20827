//! The lines of a ledger's file: all that ever happened on a simulated chain, in order.
//!
//! ```text
//!  {"genesis":{…}}   {"sent":{…}}   {"dropped":{…}}   {"landed":{…}}   {"reverted":{…}}   {"dead":{…}}
//! ```
//! A line tells results, never asks a reader to compute them: another version of the rules reads the same history.

use fillstream_domain::{Atoms, OrderId, Timestamp, VenueId};
use serde::{Deserialize, Serialize};

use crate::{
    pool::Pool,
    transaction::{Transaction, TxId, atoms_text},
};

/// Version of the lines that this code writes and reads.
pub(crate) const LINES_VERSION: u32 = 1;

/// One line. `at` is in milliseconds since the ledger began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    /// The first line, and the only one of its kind.
    Genesis(Genesis),
    /// A transaction has arrived. From now on it is in the history.
    Sent(Sent),
    /// A send got lost, by a fault or because it came too late to land. The same bytes may be sent again.
    Dropped { at: u64, tx: TxId, order_id: OrderId },
    /// The swap was executed.
    Landed {
        at: u64,
        tx: TxId,
        order_id: OrderId,
        #[serde(with = "atoms_text")]
        amount_out: Atoms,
        /// The market's pool after it.
        pool: Pool,
    },
    /// The transaction moved nothing.
    Reverted { at: u64, tx: TxId, order_id: OrderId, reason: String },
    /// Its last block has passed without it: it will never be in the history.
    Dead { at: u64, tx: TxId, order_id: OrderId },
}

/// Facts of a ledger that can never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Genesis {
    pub(crate) version: u32,
    pub(crate) venue: VenueId,
    pub(crate) seed: u64,
    /// Block 0 begins here.
    pub(crate) began: Timestamp,
    pub(crate) block_interval_ms: u64,
}

/// A transaction on its way into a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) at: u64,
    /// Time at which it lands; within its life.
    pub(crate) due: u64,
    /// It will revert, by a fault.
    pub(crate) revert: bool,
    pub(crate) tx: TxId,
    pub(crate) transaction: Transaction,
}
