//! Commits of a matcher: the outcome of each input, with every change of an order and of a price level.
//!
//! ```text
//!  input 17 ─┐                 ┌ outcome 17: changes (created, trade, cancelled, …), levels
//!  input 18 ─┼─▶ one commit ──▶┤ outcome 18
//!  input 19 ─┘                 └ outcome 19, state hash
//! ```
//! Every change stands for itself: a reader needs nothing but the commit to tell an order's owner what happened.
//! What one message cannot hold goes on in the next one, a part; only the part with `last` ends the commit.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{OrderType, Rules, Side, Symbol};
use crate::{Amount, OrderId, Seq, Timestamp, TradeId, UserId};

/// One message of `markets.<market>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Commit {
    /// By which rules the inputs were applied: the version under which it is stored.
    #[serde(skip)]
    pub rules: Rules,
    /// The market.
    pub symbol: Symbol,
    /// Sequence of the first input that the whole commit covers. All inputs of the market between it and
    /// `last_input` are covered.
    pub first_input: Seq,
    /// Sequence of the last input that the whole commit covers: the cursor that a matcher goes on behind.
    pub last_input: Seq,
    /// Which part this is, from 1.
    pub part: u32,
    /// The commit ends with this part.
    pub last: bool,
    /// The book's hash after the last input, 16 hex digits; on the last part only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub hash: Option<String>,
    /// What became of each input, in order.
    pub outcomes: Vec<Outcome>,
}

/// What became of one input, or of a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// The input's sequence.
    pub seq: Seq,
    /// Market time: the latest recorded time of this input and those before it.
    pub at: Timestamp,
    /// The answer to who asked.
    #[serde(flatten)]
    pub result: InputResult,
    /// It began in an earlier part.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continued: bool,
    /// It goes on in the next part.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub goes_on: bool,
    /// What happened to orders, in the order in which it happened; expiries first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// Price levels that are not what they were before the input.
    #[serde(default, skip_serializing_if = "Levels::is_empty")]
    pub levels: Levels,
}

/// Price levels after an input, each with all that rests there; 0 when nothing does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Levels {
    /// Price and quantity of bids, best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bids: Vec<(Amount, Amount)>,
    /// Price and quantity of asks, best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<(Amount, Amount)>,
}

impl Levels {
    /// Nothing has changed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bids.is_empty() && self.asks.is_empty()
    }
}

/// The answer to an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum InputResult {
    /// The order was taken.
    Accepted,
    /// The order was refused; its change says `rejected`, but for a second order of an id that rests already.
    Rejected(Refusal),
    /// The order was changed.
    Amended,
    /// The order is already what was asked for: nothing has changed.
    Unchanged,
    /// The order was cancelled.
    Cancelled,
    /// The amend or cancel was refused: nothing has changed.
    Refused(Refusal),
    /// The definition is in force.
    Defined,
    /// Time has gone on.
    Ticked,
    /// The input cannot be read, and changes nothing, also when it is replayed by a version that could read it.
    Parked {
        /// What is wrong with it.
        reason: String,
    },
}

/// Why an input was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refusal {
    /// What it broke.
    pub code: RefusalCode,
    /// The rule with its value, for people.
    pub detail: String,
}

/// What an input broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// An order with this id rests already.
    DuplicateOrder,
    /// There is no such order in the book.
    UnknownOrEnded,
    /// The order is somebody else's.
    NotOwner,
    /// A post-only order would trade.
    WouldTake,
    /// The new quantity is below what is filled.
    BelowFilled,
    /// The price is no multiple of the tick size.
    TickSize,
    /// The quantity is no multiple of the lot size.
    LotSize,
    /// The quantity is too small.
    MinQuantity,
    /// The quantity is too large.
    MaxQuantity,
    /// The price is too low.
    MinPrice,
    /// The price is too high.
    MaxPrice,
    /// Price times quantity is too small.
    MinNotional,
    /// The price is too far from the last trade's.
    PriceBand,
    /// The order has expired before it came.
    Expired,
    /// A price level cannot hold more.
    LevelFull,
    /// Terms that do not go together.
    Terms,
    /// The definition is none that a market can have, or changes its units.
    Definition,
    /// The market has no definition yet.
    UnknownMarket,
    /// The user, or the market, has as many orders in the book as it may.
    TooManyOpenOrders,
}

/// Something that happened to an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// It was taken, nothing of it has traded yet.
    Created(OrderState),
    /// It was refused.
    Rejected(OrderState),
    /// Two orders traded.
    Trade(Box<Trade>),
    /// What was left of it will never trade.
    Cancelled {
        /// The order after it.
        #[serde(flatten)]
        order: OrderState,
        /// Why.
        reason: CancelReason,
    },
    /// Its terms were changed. It has ended, filled, when its quantity is what is filled.
    Amended(OrderState),
}

/// Why what is left of an order was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// Its owner asked for it.
    Requested,
    /// Its time was over.
    Expired,
    /// It was to trade at once, and there was no more at its price.
    ImmediateOrCancel,
    /// It was to trade at once and as a whole, and could not.
    FillOrKill,
    /// A market order found nothing more to trade with.
    NoLiquidity,
    /// It would have traded with its own user's order.
    SelfTrade,
    /// The input has traded with as many makers as one may.
    MaxMakers,
}

/// An order after a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderState {
    /// The order.
    pub order_id: OrderId,
    /// Whose it is.
    pub user_id: UserId,
    /// Buy or sell.
    pub side: Side,
    /// Limit or market.
    pub order_type: OrderType,
    /// Its limit; absent on market orders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Amount"))]
    pub price: Option<Amount>,
    /// All of it.
    pub quantity: Amount,
    /// What of it has traded.
    pub filled_quantity: Amount,
    /// What that was worth: the sum of price times quantity of its trades, exactly.
    pub filled_quote: Amount,
    /// Fees that it has paid, in the quote.
    pub fee: Amount,
}

impl OrderState {
    /// All of it has traded.
    #[must_use]
    pub fn is_filled(&self) -> bool {
        self.filled_quantity == self.quantity
    }
}

/// Two orders traded, at the maker's price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Trade {
    /// UUIDv5 of market, input and place among the input's trades: the same again on every replay.
    pub trade_id: TradeId,
    /// Quote per base.
    pub price: Amount,
    /// How much, in base.
    pub quantity: Amount,
    /// What the maker pays for it, in the quote: the growth of its order's fee.
    pub maker_fee: Amount,
    /// What the taker pays for it.
    pub taker_fee: Amount,
    /// The order that rested, after it.
    pub maker: OrderState,
    /// The order that came, after it.
    pub taker: OrderState,
}

impl Trade {
    /// The buying order, then the selling one.
    #[must_use]
    pub const fn sides(&self) -> (&OrderState, &OrderState) {
        match self.taker.side {
            Side::Buy => (&self.taker, &self.maker),
            Side::Sell => (&self.maker, &self.taker),
        }
    }

    /// The buyer's fee, then the seller's.
    #[must_use]
    pub const fn fees(&self) -> (Amount, Amount) {
        match self.taker.side {
            Side::Buy => (self.taker_fee, self.maker_fee),
            Side::Sell => (self.maker_fee, self.taker_fee),
        }
    }
}

/// Namespace of trade ids (UUIDv5, RFC 9562 section 5.5). Never changes: a replay must give the same ids.
const TRADE_IDS: Uuid = Uuid::from_u128(0x2b9d_41f0_7c55_5e0e_8a1d_6669_6c6c_7374);

/// The id of the `index`th trade (from 0) of the input at `seq`.
#[must_use]
pub fn trade_id(symbol: &Symbol, seq: Seq, index: u32) -> TradeId {
    TradeId::new(Uuid::new_v5(&TRADE_IDS, format!("{symbol}/{seq}/{index}").as_bytes()))
}
