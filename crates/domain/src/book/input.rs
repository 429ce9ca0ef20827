//! Inputs of a market's matcher.

use serde::{Deserialize, Serialize};

use super::{Definition, OrderType, SelfTradePrevention, Side, Symbol, TimeInForce};
use crate::{Amount, ClientKey, OrderId, Timestamp, UserId};

/// A book order as the intake accepted it. It passed the filters of the definition that the intake knew; the matcher
/// judges it again by the definition in force at its place in the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BookPlaced {
    /// The order.
    pub order_id: OrderId,
    /// Who placed it.
    pub user_id: UserId,
    /// The client's own name for it, when one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "ClientKey"))]
    pub client_order_id: Option<ClientKey>,
    /// The market.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Limit or market.
    pub order_type: OrderType,
    /// How long it stays.
    pub time_in_force: TimeInForce,
    /// The limit; absent on market orders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Amount"))]
    pub price: Option<Amount>,
    /// How much, in base.
    pub quantity: Amount,
    /// When it expires; on GTD orders only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Timestamp"))]
    pub expires_at: Option<Timestamp>,
    /// As a maker only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub post_only: bool,
    /// What happens when it would trade with its own user's orders.
    pub self_trade_prevention: SelfTradePrevention,
    /// SHA-256 of the request's terms, in hex: a repetition with other terms is refused by it.
    pub fingerprint: String,
    /// When the intake accepted it.
    pub at: Timestamp,
}

/// An order is to be changed. At least one of the two is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AmendRequested {
    /// The order.
    pub order_id: OrderId,
    /// Who asks.
    pub user_id: UserId,
    /// The market.
    pub symbol: Symbol,
    /// The new total quantity, what is filled included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Amount"))]
    pub quantity: Option<Amount>,
    /// The new limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Amount"))]
    pub price: Option<Amount>,
    /// When the intake took it.
    pub at: Timestamp,
}

/// An order is to be cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CancelRequested {
    /// The order.
    pub order_id: OrderId,
    /// Who asks.
    pub user_id: UserId,
    /// The market.
    pub symbol: Symbol,
    /// When the intake took it.
    pub at: Timestamp,
}

/// Time goes on in a market in which nothing else happens; only the stream's own time of this record counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Clock {
    /// The market.
    pub symbol: Symbol,
    /// When the matcher wrote it.
    pub at: Timestamp,
}

/// Anything that is asked of a market.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(all(test, feature = "schema"), derive(schemars::JsonSchema))]
#[cfg_attr(all(test, feature = "schema"), schemars(tag = "type", rename_all = "snake_case"))]
#[expect(missing_docs, reason = "each variant is documented at its payload")]
pub enum BookInput {
    Placed(BookPlaced),
    AmendRequested(AmendRequested),
    CancelRequested(CancelRequested),
    Definition(Definition),
    Clock(Clock),
}

impl BookInput {
    /// The market that it is for.
    #[must_use]
    pub const fn symbol(&self) -> &Symbol {
        match self {
            Self::Placed(input) => &input.symbol,
            Self::AmendRequested(input) => &input.symbol,
            Self::CancelRequested(input) => &input.symbol,
            Self::Definition(input) => &input.symbol,
            Self::Clock(input) => &input.symbol,
        }
    }

    /// The order that it is about, if it is about one.
    #[must_use]
    pub const fn order_id(&self) -> Option<OrderId> {
        match self {
            Self::Placed(input) => Some(input.order_id),
            Self::AmendRequested(input) => Some(input.order_id),
            Self::CancelRequested(input) => Some(input.order_id),
            Self::Definition(_) | Self::Clock(_) => None,
        }
    }

    /// When its writer wrote it.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Placed(input) => input.at,
            Self::AmendRequested(input) => input.at,
            Self::CancelRequested(input) => input.at,
            Self::Definition(input) => input.at,
            Self::Clock(input) => input.at,
        }
    }
}
