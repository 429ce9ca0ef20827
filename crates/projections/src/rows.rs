//! A swap event at its place in the stream → what changes in the read model. Each change is derived from its event
//! alone: nothing is read before it is written.
//!
//! ```text
//!  (seq, event, payload) ──push──▶ RowBatch ─┬─ new orders: a row each, the batch's later changes merged into it
//!                                            ├─ changes of orders that an earlier batch placed
//!                                            └─ one log row for each event
//! ```

use std::{collections::BTreeMap, mem};

use fillstream_domain::swap::{Confirmed, Failed, Placed, Prepared, Routed, Status, SwapEvent};
use fillstream_domain::{Amount, ClientKey, OrderId, Price, Slippage, Timestamp, Token, UserId, VenueId};
use serde::{Deserialize, Serialize};

/// A swap order as the read model shows it. The field names are the columns'.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRow {
    /// The order.
    pub order_id: OrderId,
    /// Who placed it, when that is known.
    pub user_id: Option<UserId>,
    /// The client's own name for it, when one was given.
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
    /// SHA-256 of the request's terms, in hex.
    pub fingerprint: String,
    /// What clients see.
    pub status: Status,
    /// The attempt under way or last made; 0 before the first.
    pub attempt: u8,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When its last event was written.
    pub updated_at: Timestamp,
    /// Nobody can tell whether the transaction landed; an operator is asked.
    #[serde(with = "flag")]
    pub needs_review: bool,
    /// Sequence of the placed event.
    pub placed_seq: u64,
    /// Sequence of the last event.
    pub last_seq: u64,
    /// What its attempts have brought.
    #[serde(flatten)]
    pub execution: Execution,
}

/// What an order's attempts have brought so far, or, in a patch, what is new of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// Raydium's price in the last routing that brought one.
    pub raydium_quote: Option<Price>,
    /// Meteora's price in the last routing that brought one.
    pub meteora_quote: Option<Price>,
    /// The venue of the last routing.
    pub selected_dex: Option<VenueId>,
    /// The last transaction.
    pub tx_id: Option<String>,
    /// Token out per token in, once it landed.
    pub executed_price: Option<Price>,
    /// What was received, once it landed.
    pub amount_out: Option<Amount>,
    /// Where it landed.
    pub dex_used: Option<VenueId>,
    /// Why it ended without a swap.
    pub failure_reason: Option<String>,
}

/// What later events change in an order's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderPatch {
    /// The order.
    pub order_id: OrderId,
    /// What clients see.
    pub status: Status,
    /// The attempt under way or last made.
    pub attempt: u8,
    /// When the last of the events was written.
    pub updated_at: Timestamp,
    /// Sequence of the last of the events.
    pub last_seq: u64,
    /// None keeps what the row has.
    #[serde(serialize_with = "flag::serialize_option")]
    pub needs_review: Option<bool>,
    /// None keeps what the row has, field by field.
    #[serde(flatten)]
    pub execution: Execution,
}

/// One event of an order, as it is stored in the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// The order.
    pub order_id: OrderId,
    /// The event's sequence in the stream.
    pub seq: u64,
    /// Such as `swap.placed`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The payload's text. Bytes that are no UTF-8, which no writer of ours stores, are shown as U+FFFD.
    pub event: String,
}

impl OrderRow {
    /// The row of an order that was just placed.
    fn new(seq: u64, placed: &Placed) -> Self {
        Self {
            order_id: placed.order_id,
            user_id: placed.user_id,
            client_order_id: placed.client_order_id.clone(),
            token_in: placed.token_in,
            token_out: placed.token_out,
            amount_in: placed.amount_in,
            slippage: placed.slippage,
            max_attempts: placed.max_attempts,
            fingerprint: storable(&placed.fingerprint),
            status: Status::Pending,
            attempt: 0,
            created_at: placed.at,
            updated_at: placed.at,
            needs_review: false,
            placed_seq: seq,
            last_seq: seq,
            execution: Execution::default(),
        }
    }

    /// Takes a later change in; one that is not later is already in the row and changes nothing.
    pub fn take(&mut self, patch: OrderPatch) {
        if patch.last_seq <= self.last_seq {
            return;
        }
        self.status = patch.status;
        self.attempt = patch.attempt;
        self.updated_at = patch.updated_at;
        self.last_seq = patch.last_seq;
        self.needs_review = patch.needs_review.unwrap_or(self.needs_review);
        self.execution.take(patch.execution);
    }
}

impl Execution {
    fn routed(event: &Routed) -> Self {
        let price = |venue| event.quotes.iter().find(|quote| quote.venue == venue).map(|quote| quote.price);
        Self {
            raydium_quote: price(VenueId::Raydium),
            meteora_quote: price(VenueId::Meteora),
            selected_dex: Some(event.venue),
            ..Self::default()
        }
    }

    fn prepared(event: &Prepared) -> Self {
        Self { tx_id: Some(storable(&event.tx_id)), ..Self::default() }
    }

    fn confirmed(event: &Confirmed) -> Self {
        Self {
            executed_price: Some(event.executed_price),
            amount_out: Some(event.amount_out),
            dex_used: Some(event.venue),
            ..Self::default()
        }
    }

    fn failed(event: &Failed) -> Self {
        Self { failure_reason: Some(storable(&event.reason)), ..Self::default() }
    }

    /// What is new replaces what was.
    fn take(&mut self, new: Self) {
        let former = mem::replace(self, new);
        self.raydium_quote = self.raydium_quote.or(former.raydium_quote);
        self.meteora_quote = self.meteora_quote.or(former.meteora_quote);
        self.selected_dex = self.selected_dex.or(former.selected_dex);
        self.tx_id = self.tx_id.take().or(former.tx_id);
        self.executed_price = self.executed_price.or(former.executed_price);
        self.amount_out = self.amount_out.or(former.amount_out);
        self.dex_used = self.dex_used.or(former.dex_used);
        self.failure_reason = self.failure_reason.take().or(former.failure_reason);
    }
}

impl OrderPatch {
    /// What the event changes; nothing for the placed event, which makes a row of its own.
    fn of(seq: u64, event: &SwapEvent) -> Option<Self> {
        let nothing = Execution::default();
        let (status, attempt, needs_review, execution) = match event {
            SwapEvent::Placed(_) => return None,
            SwapEvent::RoutingStarted(event) => (Status::Routing, event.attempt, None, nothing),
            SwapEvent::Routed(event) => (Status::Building, event.attempt, None, Execution::routed(event)),
            SwapEvent::Prepared(event) => {
                (Status::Submitted, event.attempt, None, Execution::prepared(event))
            }
            SwapEvent::RetryScheduled(event) => (event.stage.into(), event.attempt, None, nothing),
            SwapEvent::ReviewNeeded(event) => (Status::Submitted, event.attempt, Some(true), nothing),
            SwapEvent::Confirmed(event) => {
                (Status::Confirmed, event.attempt, Some(false), Execution::confirmed(event))
            }
            SwapEvent::Failed(event) => {
                (Status::Failed, event.attempt, Some(false), Execution::failed(event))
            }
        };
        let (order_id, updated_at) = (event.order_id(), event.at());
        Some(Self { order_id, status, attempt, updated_at, last_seq: seq, needs_review, execution })
    }

    /// Takes a later change of the same order in.
    fn merge(&mut self, later: Self) {
        let former = mem::replace(self, later);
        let new = mem::replace(&mut self.execution, former.execution);
        self.execution.take(new);
        self.needs_review = self.needs_review.or(former.needs_review);
    }
}

/// JSON may hold U+0000 and PostgreSQL's TEXT may not; one foreign reason must not stop the whole model.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

/// Consecutive events of the stream as row changes, merged to one change for each order.
#[derive(Debug, Clone, Default)]
pub struct RowBatch {
    placed: BTreeMap<OrderId, OrderRow>,
    patches: BTreeMap<OrderId, OrderPatch>,
    events: Vec<EventRow>,
}

impl RowBatch {
    /// Takes the next event in; `payload` is what the stream holds of it. Sequences must rise.
    ///
    /// An order is placed once: of two placed events the first counts, here as in the read model.
    pub fn push(&mut self, seq: u64, event: &SwapEvent, payload: &[u8]) {
        let order_id = event.order_id();
        self.events.push(EventRow {
            order_id,
            seq,
            event_type: event.event_type().name.to_owned(),
            event: String::from_utf8_lossy(payload).into_owned(),
        });
        if let SwapEvent::Placed(placed) = event {
            self.placed.entry(order_id).or_insert_with(|| OrderRow::new(seq, placed));
        }
        if let Some(patch) = OrderPatch::of(seq, event) {
            match self.patches.get_mut(&order_id) {
                Some(former) => former.merge(patch),
                None => drop(self.patches.insert(order_id, patch)),
            }
        }
    }

    /// Rows of the orders placed in this batch, later changes taken in.
    pub fn new_orders(&self) -> impl Iterator<Item = OrderRow> {
        self.placed.iter().map(|(id, row)| {
            let mut row = row.clone();
            if let Some(patch) = self.patches.get(id) {
                row.take(patch.clone());
            }
            row
        })
    }

    /// Changes of orders that were placed before this batch.
    pub fn changes(&self) -> impl Iterator<Item = &OrderPatch> {
        self.all_changes().filter(|patch| !self.placed.contains_key(&patch.order_id))
    }

    /// [`changes`](Self::changes) and those that [`new_orders`](Self::new_orders) has taken in.
    pub fn all_changes(&self) -> impl Iterator<Item = &OrderPatch> {
        self.patches.values()
    }

    /// The events themselves, in order.
    #[must_use]
    pub fn events(&self) -> &[EventRow] {
        &self.events
    }

    /// First and last sequence; nothing when the batch is empty.
    #[must_use]
    pub fn span(&self) -> Option<(u64, u64)> {
        Some((self.events.first()?.seq, self.events.last()?.seq))
    }
}

/// Booleans are 0 and 1 in a column: the one form that both databases read.
mod flag {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub(super) fn serialize<S: Serializer>(flag: &bool, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(u8::from(*flag))
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub(super) fn serialize_option<S: Serializer>(
        flag: &Option<bool>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match flag {
            Some(flag) => serialize(flag, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
        match u8::deserialize(deserializer)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(D::Error::custom(format!("{other} is neither 0 nor 1"))),
        }
    }
}
