//! Contract of a venue: what the executor may ask of it, and what each answer is worth.
//!
//! ```text
//!  quote ──▶ prepare ──▶ (recorded in the log) ──▶ submit ──▶ observe ──▶ Landed
//!                                                    ▲          │  ├────▶ Reverted ┐ only these two
//!                                                    └─ NotSeen ┘  ├────▶ Dead     ┘ unlock a new attempt
//!                                                                  └────▶ Unknowable: an operator decides
//! ```

use std::time::Duration;

use async_trait::async_trait;
use fillstream_domain::{Atoms, OrderId, Pair, VenueId};

/// One attempt of an order, as a venue needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SwapTerms {
    /// The order; it goes into the transaction, so that two equal swaps differ and executions can be audited.
    pub order_id: OrderId,
    /// The attempt, from 1.
    pub attempt: u8,
    /// Pair of tokens: what is paid and what is received.
    pub pair: Pair,
    /// Amount that is paid, in atoms of the token in.
    pub amount_in: Atoms,
}

/// Offer of a venue at the moment. Not a promise: the transaction's least output is what protects the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VenueQuote {
    /// Expected output after fees and price impact, in atoms of the token out; never zero.
    pub amount_out: Atoms,
}

/// A signed transaction. The log keeps all four fields, and recovery hands them back unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedTx {
    /// The transaction's id, known before it is sent.
    pub tx_id: String,
    /// The signed bytes.
    pub payload: Vec<u8>,
    /// Block height at which it was signed.
    pub built_at_height: u64,
    /// Last block height that can hold it.
    pub last_valid_height: u64,
}

/// Answer of the venue to a transaction. Advisory: only [`Venue::observe`] decides anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmitOutcome {
    /// Taken. It may still never land.
    Accepted,
    /// No answer; it may have been taken.
    Unknown(String),
    /// Refused, with the reason. The same bytes may still land if they were sent before.
    Rejected(String),
}

/// State of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// The swap was executed. Final.
    Landed {
        /// Amount that was received, in atoms of the token out.
        amount_out: Atoms,
        /// The block that holds it.
        height: u64,
    },
    /// It is in a block, but moved nothing. Final.
    Reverted {
        /// Reason, in words for the client.
        reason: String,
        /// The block that holds it.
        height: u64,
    },
    /// The venue has it; it will land or revert.
    Pending {
        /// Pause after which asking again may pay, if the venue knows. A hint: nothing depends on it.
        again_in: Option<Duration>,
    },
    /// The venue does not have it, and it can still land: send the same bytes again.
    NotSeen,
    /// Proved: the venue is past the transaction's last block and does not have it, nor ever will. Final.
    Dead {
        /// The venue's height at the proof, above the last valid one.
        height: u64,
    },
    /// The venue can never tell, with the reason: it proves neither that it landed nor that it did not. Final.
    Unknowable(String),
}

/// Reasons why there is no quote. The texts are shown to clients.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuoteError {
    /// The pool cannot trade.
    #[error("Insufficient liquidity in pool")]
    InsufficientLiquidity,
    /// The output would round to zero.
    #[error("Amount too small: nothing would be received")]
    TooSmall,
    /// Beyond what the venue can compute.
    #[error("Amount too large for the pool")]
    TooLarge,
    /// The venue does not trade the pair.
    #[error("No pool for this pair")]
    NoPool,
    /// The venue did not answer, with the reason. Asking later may help.
    #[error("Venue unavailable: {0}")]
    Unavailable(String),
}

/// Reasons why no transaction was built. Nothing was signed. The text is shown to clients.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Cannot build the transaction: {0}")]
pub struct PrepareError(pub String);

/// The venue could not be asked just now; its answer is open. Ask again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Venue unavailable: {0}")]
pub struct Unavailable(pub String);

/// A place where swaps are executed.
///
/// Every future may be dropped at any await without harm: what was sent by then is found by [`Venue::observe`].
#[async_trait]
pub trait Venue: Send + Sync {
    /// Id of the venue.
    fn id(&self) -> VenueId;

    /// Waits until it can be asked at all, for a start. One that cannot be asked later says so at each call.
    async fn open(&self) {}

    /// Asks for a price. Without side effects.
    ///
    /// # Errors
    /// See [`QuoteError`].
    async fn quote(&self, terms: &SwapTerms) -> Result<VenueQuote, QuoteError>;

    /// Builds and signs the transaction that executes the swap if it brings at least `min_out` atoms. Moves nothing.
    ///
    /// # Errors
    /// When none could be built.
    async fn prepare(&self, terms: &SwapTerms, min_out: Atoms) -> Result<PreparedTx, PrepareError>;

    /// Sends the signed bytes. Idempotent for the same bytes, however often and from wherever they are sent.
    async fn submit(&self, tx: &PreparedTx) -> SubmitOutcome;

    /// Finds out what has become of a transaction, sent or not.
    ///
    /// # Errors
    /// When the venue cannot be asked just now; that tells nothing about the transaction.
    async fn observe(&self, tx: &PreparedTx) -> Result<Observation, Unavailable>;
}
