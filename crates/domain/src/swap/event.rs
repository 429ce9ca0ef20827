//! The events of a swap order, version 1 of each.
//!
//! A released version is frozen: a change of meaning or shape is a new version beside it, and the old one is
//! read for ever (`schemas/examples` holds one recorded example of each).

use serde::{Deserialize, Serialize};

use crate::{Amount, ClientKey, OrderId, Price, Slippage, Timestamp, Token, UserId, VenueId};

/// Attempts that an order gets; written into each placed event, so that a later change judges no old order.
pub const MAX_ATTEMPTS: u8 = 3;

/// The client's order, as accepted at the intake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Placed {
    /// The order.
    pub order_id: OrderId,
    /// Who placed it, when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "UserId"))]
    pub user_id: Option<UserId>,
    /// The client's own name for it, when one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "ClientKey"))]
    pub client_order_id: Option<ClientKey>,
    /// What is paid.
    pub token_in: Token,
    /// What is received.
    pub token_out: Token,
    /// How much is paid.
    pub amount_in: Amount,
    /// How much less than the quote is accepted, in percent.
    pub slippage: Slippage,
    /// Attempts that the order gets.
    pub max_attempts: u8,
    /// SHA-256 of the request's terms, in hex: a repetition with other terms is refused by it.
    pub fingerprint: String,
    /// When the intake accepted it.
    pub at: Timestamp,
}

/// An attempt begins: both venues are asked for quotes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoutingStarted {
    /// The order.
    pub order_id: OrderId,
    /// The attempt that begins, from 1.
    pub attempt: u8,
    /// Attempts that the order gets.
    pub max_attempts: u8,
    /// When.
    pub at: Timestamp,
}

/// What one venue offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Quote {
    /// The venue.
    pub venue: VenueId,
    /// Expected output after fees, in the token received.
    pub amount_out: Amount,
    /// Token out per token in, fee and impact included.
    pub price: Price,
}

/// Why a venue offered nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NoQuote {
    /// The venue.
    pub venue: VenueId,
    /// Its reason, or that it was late.
    pub reason: String,
}

/// The best quote was taken; the transaction is being built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Routed {
    /// The order.
    pub order_id: OrderId,
    /// The attempt, from 1.
    pub attempt: u8,
    /// All quotes that came in time.
    pub quotes: Vec<Quote>,
    /// Venues without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub no_quotes: Vec<NoQuote>,
    /// The venue with the most output.
    pub venue: VenueId,
    /// The least output that the order accepts.
    pub min_amount_out: Amount,
    /// When.
    pub at: Timestamp,
}

/// A signed transaction, on record before the first byte of it goes out. From here the order may have moved money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Prepared {
    /// The order.
    pub order_id: OrderId,
    /// The attempt, from 1.
    pub attempt: u8,
    /// Attempts that the order gets.
    pub max_attempts: u8,
    /// Where it goes.
    pub venue: VenueId,
    /// The transaction's id, known before it is sent.
    pub tx_id: String,
    /// The signed bytes, base64: recovery sends these again and never signs anew.
    pub payload: String,
    /// Block height at which it was signed.
    pub built_at_height: u64,
    /// Last block height that can hold it.
    pub last_valid_height: u64,
    /// When.
    pub at: Timestamp,
}

/// How far an attempt had come when it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// No quote could be taken.
    Routing,
    /// No transaction could be built.
    Building,
    /// The transaction is proved dead, or reverted.
    Submitted,
}

/// The attempt failed, another one follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RetryScheduled {
    /// The order.
    pub order_id: OrderId,
    /// The attempt that failed, from 1.
    pub attempt: u8,
    /// Attempts that the order gets.
    pub max_attempts: u8,
    /// How far it had come.
    pub stage: Stage,
    /// Why it failed.
    pub reason: String,
    /// From the event to the next try, in milliseconds.
    pub delay_ms: u64,
    /// When the next try is due.
    pub retry_at: Timestamp,
    /// When.
    pub at: Timestamp,
}

/// Nobody can tell whether the transaction landed; an operator decides (`fillstream resolve`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReviewNeeded {
    /// The order.
    pub order_id: OrderId,
    /// The attempt, from 1.
    pub attempt: u8,
    /// Attempts that the order gets.
    pub max_attempts: u8,
    /// The transaction in doubt.
    pub tx_id: String,
    /// Why it cannot be decided.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// Who found an order's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Decider {
    /// The executor, from what the venue showed.
    Executor,
    /// A person, with `fillstream resolve`.
    Operator,
}

/// The swap landed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Confirmed {
    /// The order.
    pub order_id: OrderId,
    /// The attempt, from 1.
    pub attempt: u8,
    /// Where.
    pub venue: VenueId,
    /// The transaction.
    pub tx_id: String,
    /// What was received, exactly.
    pub amount_out: Amount,
    /// Token out per token in, rounded down.
    pub executed_price: Price,
    /// Who found it.
    pub decided_by: Decider,
    /// When.
    pub at: Timestamp,
}

/// The order ended without a swap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Failed {
    /// The order.
    pub order_id: OrderId,
    /// The last attempt, from 1.
    pub attempt: u8,
    /// Attempts that the order had.
    pub max_attempts: u8,
    /// How far the last attempt had come.
    pub stage: Stage,
    /// Why.
    pub reason: String,
    /// Who decided it.
    pub decided_by: Decider,
    /// When.
    pub at: Timestamp,
}

/// Anything that can happen to a swap order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(all(test, feature = "schema"), derive(schemars::JsonSchema))]
#[cfg_attr(all(test, feature = "schema"), schemars(tag = "type", rename_all = "snake_case"))]
#[expect(missing_docs, reason = "each variant is documented at its payload")]
pub enum SwapEvent {
    Placed(Placed),
    RoutingStarted(RoutingStarted),
    Routed(Routed),
    Prepared(Prepared),
    RetryScheduled(RetryScheduled),
    ReviewNeeded(ReviewNeeded),
    Confirmed(Confirmed),
    Failed(Failed),
}

macro_rules! of_each {
    ($event:expr, $inner:ident => $body:expr) => {
        match $event {
            SwapEvent::Placed($inner) => $body,
            SwapEvent::RoutingStarted($inner) => $body,
            SwapEvent::Routed($inner) => $body,
            SwapEvent::Prepared($inner) => $body,
            SwapEvent::RetryScheduled($inner) => $body,
            SwapEvent::ReviewNeeded($inner) => $body,
            SwapEvent::Confirmed($inner) => $body,
            SwapEvent::Failed($inner) => $body,
        }
    };
}
pub(super) use of_each;

impl SwapEvent {
    /// The order it belongs to.
    #[must_use]
    pub fn order_id(&self) -> OrderId {
        of_each!(self, event => event.order_id)
    }

    /// Whether it tells of a transaction that may have moved money, or of an order's end.
    #[must_use]
    pub const fn may_tell_of_money(&self) -> bool {
        match self {
            Self::Prepared(_) | Self::Confirmed(_) | Self::Failed(_) => true,
            Self::Placed(_)
            | Self::RoutingStarted(_)
            | Self::Routed(_)
            | Self::RetryScheduled(_)
            | Self::ReviewNeeded(_) => false,
        }
    }

    /// When its writer wrote it.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        of_each!(self, event => event.at)
    }
}
