//! Rows of the market's side. The field names are the columns'.

use fillstream_domain::book::{
    BookPlaced, BookStatus, Definition, OrderType, SelfTradePrevention, Side, Symbol, TimeInForce,
};
use fillstream_domain::{Amount, ClientKey, OrderId, Seq, Timestamp, TradeId, UserId};
use serde::{Deserialize, Serialize};

use super::messages::{Message, OrderUpdate, TradeExecuted};
use super::order_view::zero;
use crate::column::{flag, json_text, storable};

/// A book order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookOrderRow {
    /// The order.
    pub order_id: OrderId,
    /// The client's own name for it, when one was given.
    pub client_order_id: Option<ClientKey>,
    /// User who placed it.
    pub user_id: UserId,
    /// The market.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Limit or market.
    #[serde(rename = "type")]
    pub order_type: OrderType,
    /// Time in force.
    pub time_in_force: TimeInForce,
    /// As a maker only.
    #[serde(with = "flag")]
    pub post_only: bool,
    /// Time of expiry, if any.
    pub expires_at: Option<Timestamp>,
    /// Self-trade rule.
    pub self_trade_prevention: SelfTradePrevention,
    /// Status; open until its matcher has said otherwise.
    pub status: BookStatus,
    /// The limit; none on market orders.
    pub price: Option<Amount>,
    /// All of it.
    pub quantity: Amount,
    /// Quantity that has traded.
    pub filled_quantity: Amount,
    /// The sum of price times quantity of its trades.
    pub filled_quote: Amount,
    /// All fees so far, in the quote.
    pub fee: Amount,
    /// SHA-256 of the request's terms, in hex.
    pub fingerprint: String,
    /// Time at which the intake accepted it.
    pub created_at: Timestamp,
    /// Market time of its last change; when it was accepted before the first.
    pub updated_at: Timestamp,
    /// Sequence of the placed event.
    pub placed_seq: Seq,
    /// Sequence of the part with its last change; of the placed event before the first.
    pub last_seq: Seq,
    /// Index of the last change on the user's channel.
    pub last_index: u32,
}

/// An order after a change: what replaces the row's values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields of BookOrderRow")]
pub struct BookOrderPatch {
    pub order_id: OrderId,
    pub status: BookStatus,
    pub price: Option<Amount>,
    pub quantity: Amount,
    pub filled_quantity: Amount,
    pub filled_quote: Amount,
    pub fee: Amount,
    pub updated_at: Timestamp,
    pub last_seq: Seq,
    pub last_index: u32,
}

/// A message of a user's channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserUpdateRow {
    /// User of the channel.
    pub user_id: UserId,
    /// Sequence of the part.
    pub seq: Seq,
    /// Place among what the part causes on the channel. The column is `place`: `index` is a word of SQL.
    #[serde(rename = "place")]
    pub index: u32,
    /// The part causes nothing further on the channel. The column is `is_last`, for the same reason.
    #[serde(rename = "is_last", with = "flag")]
    pub last: bool,
    /// The order's market.
    pub symbol: Symbol,
    /// The `order_update` as JSON, without its place.
    pub message: String,
}

/// Number of a user's open orders in a market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenCount {
    /// Those that a matcher has taken into the book.
    pub in_book: u32,
    /// Those, and those that it has not come to yet.
    pub all: u32,
}

/// A trade, at its place on the channel of all trades.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradeRow {
    /// Sequence of the part.
    pub seq: Seq,
    /// Place among the part's trades.
    #[serde(rename = "place")]
    pub index: u32,
    /// The part's last trade.
    #[serde(rename = "is_last", with = "flag")]
    pub last: bool,
    /// The trade.
    pub trade_id: TradeId,
    /// The market.
    pub symbol: Symbol,
    /// The maker's.
    pub price: Amount,
    /// Quantity, in base.
    pub quantity: Amount,
    /// The user who bought.
    pub buyer_id: UserId,
    /// The user who sold.
    pub seller_id: UserId,
    /// In the quote.
    pub buyer_fee: Amount,
    /// In the quote.
    pub seller_fee: Amount,
    /// The order that rested.
    pub maker_order_id: OrderId,
    /// The order that came.
    pub taker_order_id: OrderId,
    /// Market time of the taking input.
    pub executed_at: Timestamp,
}

/// A price level: what rests there. A row with quantity 0 is one to delete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each name says it")]
pub struct LevelRow {
    pub symbol: Symbol,
    pub side: Side,
    pub price: Amount,
    pub quantity: Amount,
    /// Sequence of the part that changed it last.
    pub seq: Seq,
}

/// A definition that was asked for, in force or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefinitionRow {
    /// Sequence of the input.
    pub seq: Seq,
    /// Filters and fees.
    #[serde(with = "json_text")]
    pub definition: Definition,
}

/// A market as its matcher left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarketRow {
    /// The market.
    pub symbol: Symbol,
    /// The definition in force; none when its input cannot be read.
    #[serde(with = "json_text::option")]
    pub definition: Option<Definition>,
    /// Sequence of the input that brought it.
    pub definition_seq: Option<Seq>,
    /// Sequence of the last commit's final part.
    pub commit_seq: Seq,
    /// Sequence of the last input that is covered.
    pub last_input: Seq,
    /// The book's hash after it, 16 hex digits.
    pub hash: Option<String>,
    /// Latest recorded time of its inputs.
    pub market_time: Timestamp,
    /// Position of the last message of the market's depth; 0, 0 before the first.
    pub depth_seq: Seq,
    /// See `depth_seq`.
    pub depth_index: u32,
}

/// Changes of a market's row by a commit. None keeps what the row has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields of MarketRow")]
pub struct MarketPatch {
    pub symbol: Symbol,
    pub definition_seq: Option<Seq>,
    pub commit_seq: Seq,
    pub last_input: Seq,
    pub hash: Option<String>,
    pub market_time: Option<Timestamp>,
    pub depth_seq: Option<Seq>,
    pub depth_index: Option<u32>,
}

impl BookOrderRow {
    /// The row of an order that was just placed.
    #[must_use]
    pub fn new(seq: Seq, placed: &BookPlaced) -> Self {
        Self {
            order_id: placed.order_id,
            client_order_id: placed.client_order_id.clone(),
            user_id: placed.user_id,
            symbol: placed.symbol.clone(),
            side: placed.side,
            order_type: placed.order_type,
            time_in_force: placed.time_in_force,
            post_only: placed.post_only,
            expires_at: placed.expires_at,
            self_trade_prevention: placed.self_trade_prevention,
            status: BookStatus::Open,
            price: placed.price,
            quantity: placed.quantity,
            filled_quantity: zero(),
            filled_quote: zero(),
            fee: zero(),
            fingerprint: storable(&placed.fingerprint),
            created_at: placed.at,
            updated_at: placed.at,
            placed_seq: seq,
            last_seq: seq,
            last_index: 0,
        }
    }

    /// Takes a later change in; one that is not later is already in the row and changes nothing.
    ///
    /// Nor does a refusal of an order that has changed since it was placed: it is meant for somebody who placed another
    /// one under the same id.
    pub fn take(&mut self, patch: &BookOrderPatch) {
        let later = (patch.last_seq, patch.last_index) > (self.last_seq, self.last_index);
        let untouched = self.last_seq == self.placed_seq;
        if !later || (patch.status == BookStatus::Rejected && !untouched) {
            return;
        }
        self.status = patch.status;
        self.price = patch.price;
        self.quantity = patch.quantity;
        self.filled_quantity = patch.filled_quantity;
        self.filled_quote = patch.filled_quote;
        self.fee = patch.fee;
        self.updated_at = patch.updated_at;
        self.last_seq = patch.last_seq;
        self.last_index = patch.last_index;
    }
}

impl From<&Message<OrderUpdate>> for BookOrderPatch {
    fn from(message: &Message<OrderUpdate>) -> Self {
        let update = &message.body;
        Self {
            order_id: update.order_id,
            status: update.status,
            price: update.price,
            quantity: update.quantity,
            filled_quantity: update.filled_quantity,
            filled_quote: update.filled_quote,
            fee: update.fee,
            updated_at: update.timestamp,
            last_seq: message.seq,
            last_index: message.index,
        }
    }
}

impl From<&Message<OrderUpdate>> for UserUpdateRow {
    fn from(message: &Message<OrderUpdate>) -> Self {
        let text = serde_json::to_string(&message.body);
        Self {
            user_id: message.body.user_id,
            seq: message.seq,
            index: message.index,
            last: message.last,
            symbol: message.body.symbol.clone(),
            message: text.expect("string keys and plain values always become JSON"),
        }
    }
}

impl From<Message<TradeExecuted>> for TradeRow {
    fn from(message: Message<TradeExecuted>) -> Self {
        let Message { body, seq, index, last } = message;
        Self {
            seq,
            index,
            last,
            trade_id: body.trade_id,
            symbol: body.symbol,
            price: body.price,
            quantity: body.quantity,
            buyer_id: body.buyer_id,
            seller_id: body.seller_id,
            buyer_fee: body.buyer_fee,
            seller_fee: body.seller_fee,
            maker_order_id: body.maker_order_id,
            taker_order_id: body.taker_order_id,
            executed_at: body.executed_at,
        }
    }
}

impl From<TradeRow> for Message<TradeExecuted> {
    fn from(row: TradeRow) -> Self {
        let body = TradeExecuted {
            trade_id: row.trade_id,
            symbol: row.symbol,
            price: row.price,
            quantity: row.quantity,
            buyer_id: row.buyer_id,
            seller_id: row.seller_id,
            buyer_fee: row.buyer_fee,
            seller_fee: row.seller_fee,
            maker_order_id: row.maker_order_id,
            taker_order_id: row.taker_order_id,
            maker_id: None,
            executed_at: row.executed_at,
        };
        Self { body, seq: row.seq, index: row.index, last: row.last }
    }
}

impl MarketPatch {
    /// Takes a later commit of the same market in.
    pub(super) fn merge(&mut self, later: Self) {
        self.definition_seq = later.definition_seq.or(self.definition_seq);
        self.commit_seq = later.commit_seq;
        self.last_input = later.last_input;
        self.hash = later.hash.or_else(|| self.hash.take());
        self.market_time = later.market_time.or(self.market_time);
        self.depth_seq = later.depth_seq.or(self.depth_seq);
        self.depth_index = later.depth_index.or(self.depth_index);
    }
}
