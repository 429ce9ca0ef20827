//! The venue contract and the two simulated venues with their ledger.
//!
//! ```text
//!  executor ──▶ dyn Venue ─── quote, prepare ──▶ nothing moves
//!                  │
//!                  ├── submit ───▶ Chain (pure rules) ──▶ lines ──▶ <dir>/raydium.jsonl
//!                  └── observe ──▶    ▲                                 │
//!                                     └───── lines of all processes ◀───┘
//!                                                                  Audit reads the same file
//! ```
//! The executor depends on [`Venue`] alone. Below it, [`SimulatedVenue`] adds the delays, a ledger holds the file,
//! and the chain decides; delays and faults are [`SimulatedSettings`].
//!
//! A ledger is one append-only file of JSON lines per venue, shared by all processes of one machine under a file
//! lock. It survives the death of any of them at any byte, but it is not fsynced: a loss of power may take its
//! latest lines, which a real chain would keep. It only grows, by about 600 bytes per swap; deleting the directory
//! while nothing runs starts a new chain, and what was under way on the old one is then [`Observation::Unknowable`].

mod audit;
mod chain;
mod clerk;
mod contract;
mod faults;
mod history;
mod ledger;
mod line;
mod market;
mod pool;
mod settings;
mod simulated;
mod transaction;

pub use audit::{Audit, Executions};
pub use contract::{
    Observation, PrepareError, PreparedTx, QuoteError, SubmitOutcome, SwapTerms, Unavailable, Venue,
    VenueQuote,
};
pub use faults::{Fault, Faults, FaultsError};
pub use ledger::LedgerError;
pub use settings::{SettingsError, SimulatedSettings};
pub use simulated::{SimulatedVenue, open_simulated};
