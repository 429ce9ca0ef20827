//! Messages of a part of a commit: to users of their orders, and to everybody of trades.
//!
//! ```text
//!  changes of a part, in order ──▶ order_update   to the order's user, numbered on that user's channel
//!          trade ────────────────▶ trade_executed  numbered on the channel of all trades
//!            └─▶ order_update of the taker, then of the maker
//! ```

use std::{collections::HashMap, hash::Hash};

use fillstream_domain::book::{
    BookStatus, CancelReason, Change, Commit, InputResult, OrderState, Outcome, Refusal, RefusalCode, Side,
    Symbol, Trade,
};
use fillstream_domain::{Amount, OrderId, Price, Seq, Timestamp, TradeId, UserId};
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde_json::json;

use super::order_view::{average_price, remaining};

/// A message at its place on its channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "{T}_message")]
pub struct Message<T> {
    /// The message, without its place.
    #[serde(flatten)]
    pub body: T,
    /// Sequence of the part that causes it.
    pub seq: Seq,
    /// Place among what that part causes on the channel, from 0.
    pub index: u32,
    /// That part causes nothing further on the channel.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub last: bool,
}

impl<T> Message<T> {
    /// Another body at the same place.
    #[must_use]
    pub fn map<U>(self, body: impl FnOnce(T) -> U) -> Message<U> {
        Message { body: body(self.body), seq: self.seq, index: self.index, last: self.last }
    }
}

/// Adds the field `type`, which deriving a schema passes over on a struct.
pub(super) fn tagged(kind: &'static str) -> impl FnMut(&mut Schema) {
    move |schema| {
        let mut told = std::mem::take(schema).to_value();
        told["properties"]["type"] = json!({ "const": kind });
        if let Some(required) = told["required"].as_array_mut() {
            required.push(json!("type"));
        }
        *schema = Schema::try_from(told).expect("it was an object before");
    }
}

/// What happened to an order, as clients are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the contract's own")]
pub enum Action {
    Created,
    PartiallyFilled,
    Filled,
    Cancelled,
    Amended,
    Rejected,
}

/// Why an order was cancelled or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
#[expect(missing_docs, reason = "each is documented at its own type")]
pub enum Reason {
    Cancelled(CancelReason),
    Refused(RefusalCode),
}

/// `order_update`: an order after a change, for its user alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "type", rename = "order_update")]
#[schemars(transform = tagged("order_update"))]
#[expect(missing_docs, reason = "the names are the contract's own")]
pub struct OrderUpdate {
    pub action: Action,
    pub order_id: OrderId,
    pub user_id: UserId,
    pub symbol: Symbol,
    pub side: Side,
    pub status: BookStatus,
    /// The limit; null on market orders.
    pub price: Option<Amount>,
    /// All of it.
    pub quantity: Amount,
    pub filled_quantity: Amount,
    /// What may still trade: 0 once the order has ended.
    pub remaining_quantity: Amount,
    /// The sum of price times quantity of its trades.
    pub filled_quote: Amount,
    /// Null while nothing is filled.
    pub average_price: Option<Price>,
    /// All fees so far, in the quote.
    pub fee: Amount,
    /// On `cancelled` and `rejected`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The rule that was broken, with its value, for people; on `rejected`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Market time of the input that did it.
    pub timestamp: Timestamp,
}

/// `trade_executed`: two orders traded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "type", rename = "trade_executed")]
#[schemars(transform = tagged("trade_executed"))]
#[expect(missing_docs, reason = "the names are the contract's own")]
pub struct TradeExecuted {
    pub trade_id: TradeId,
    pub symbol: Symbol,
    /// The maker's.
    pub price: Amount,
    pub quantity: Amount,
    /// The user who bought.
    pub buyer_id: UserId,
    /// The user who sold.
    pub seller_id: UserId,
    /// In the quote.
    pub buyer_fee: Amount,
    /// In the quote.
    pub seller_fee: Amount,
    pub maker_order_id: OrderId,
    pub taker_order_id: OrderId,
    /// The user whose order rested, where that is known: it is not stored with a trade, and never told.
    #[serde(skip)]
    pub maker_id: Option<UserId>,
    /// Market time of the taking input.
    pub executed_at: Timestamp,
}

/// All that a part tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Messages {
    /// In the order in which they happened; each is for the user that it names, and numbered on that user's channel.
    pub orders: Vec<Message<OrderUpdate>>,
    /// In the order in which they happened, numbered on the channel of all trades.
    pub trades: Vec<Message<TradeExecuted>>,
}

/// What the part at `seq` tells. Only parts of complete commits may be told to anybody.
#[must_use]
pub fn messages(seq: Seq, part: &Commit) -> Messages {
    let mut told = Told { symbol: &part.symbol, orders: Vec::new(), trades: Vec::new() };
    for outcome in &part.outcomes {
        for change in &outcome.changes {
            told.change(outcome, change);
        }
    }
    Messages {
        orders: numbered(seq, told.orders, |update| update.user_id),
        trades: numbered(seq, told.trades, |_| ()),
    }
}

/// Numbers the bodies that the part at `seq` causes, each on its channel.
pub(super) fn numbered<T, C: Eq + Hash>(
    seq: Seq,
    bodies: Vec<T>,
    channel: impl Fn(&T) -> C,
) -> Vec<Message<T>> {
    // Of each channel: the next index, and where its last message so far stands.
    let mut ends: HashMap<C, (u32, usize)> = HashMap::new();
    let mut messages = Vec::with_capacity(bodies.len());
    for (place, body) in bodies.into_iter().enumerate() {
        let (next, end) = ends.entry(channel(&body)).or_default();
        messages.push(Message { body, seq, index: *next, last: false });
        (*next, *end) = (*next + 1, place);
    }
    for (_, end) in ends.into_values() {
        messages[end].last = true;
    }
    messages
}

struct Told<'a> {
    symbol: &'a Symbol,
    orders: Vec<OrderUpdate>,
    trades: Vec<TradeExecuted>,
}

impl Told<'_> {
    fn change(&mut self, outcome: &Outcome, change: &Change) {
        let at = outcome.at;
        match change {
            Change::Created(order) => self.order(Action::Created, BookStatus::Open, order, at),
            Change::Amended(order) => self.order(Action::Amended, open_or_filled(order), order, at),
            Change::Trade(trade) => self.trade(trade, at),
            Change::Cancelled { order, reason } => {
                let update = self.update(Action::Cancelled, BookStatus::Cancelled, order, at);
                self.orders.push(OrderUpdate { reason: Some(Reason::Cancelled(*reason)), ..update });
            }
            Change::Rejected(order) => {
                let refusal = refusal(&outcome.result);
                let update = self.update(Action::Rejected, BookStatus::Rejected, order, at);
                self.orders.push(OrderUpdate {
                    reason: refusal.map(|refusal| Reason::Refused(refusal.code)),
                    detail: refusal.map(|refusal| refusal.detail.clone()),
                    ..update
                });
            }
        }
    }

    /// The taker hears of it first, then the maker: also when both are one user.
    fn trade(&mut self, trade: &Trade, at: Timestamp) {
        for order in [&trade.taker, &trade.maker] {
            let action = if order.is_filled() { Action::Filled } else { Action::PartiallyFilled };
            self.order(action, open_or_filled(order), order, at);
        }
        let ((buyer, seller), (buyer_fee, seller_fee)) = (trade.sides(), trade.fees());
        self.trades.push(TradeExecuted {
            trade_id: trade.trade_id,
            symbol: self.symbol.clone(),
            price: trade.price,
            quantity: trade.quantity,
            buyer_id: buyer.user_id,
            seller_id: seller.user_id,
            buyer_fee,
            seller_fee,
            maker_order_id: trade.maker.order_id,
            taker_order_id: trade.taker.order_id,
            maker_id: Some(trade.maker.user_id),
            executed_at: at,
        });
    }

    fn order(&mut self, action: Action, status: BookStatus, order: &OrderState, at: Timestamp) {
        let update = self.update(action, status, order, at);
        self.orders.push(update);
    }

    fn update(&self, action: Action, status: BookStatus, order: &OrderState, at: Timestamp) -> OrderUpdate {
        OrderUpdate {
            action,
            order_id: order.order_id,
            user_id: order.user_id,
            symbol: self.symbol.clone(),
            side: order.side,
            status,
            price: order.price,
            quantity: order.quantity,
            filled_quantity: order.filled_quantity,
            remaining_quantity: remaining(status, order.quantity, order.filled_quantity),
            filled_quote: order.filled_quote,
            average_price: average_price(order.filled_quote, order.filled_quantity),
            fee: order.fee,
            reason: None,
            detail: None,
            timestamp: at,
        }
    }
}

/// A partly filled order that still rests is open.
fn open_or_filled(order: &OrderState) -> BookStatus {
    if order.is_filled() { BookStatus::Filled } else { BookStatus::Open }
}

fn refusal(result: &InputResult) -> Option<&Refusal> {
    match result {
        InputResult::Rejected(refusal) | InputResult::Refused(refusal) => Some(refusal),
        InputResult::Accepted
        | InputResult::Amended
        | InputResult::Unchanged
        | InputResult::Cancelled
        | InputResult::Defined
        | InputResult::Ticked
        | InputResult::Parked { .. } => None,
    }
}

#[cfg(test)]
#[path = "messages_tests.rs"]
mod tests;
