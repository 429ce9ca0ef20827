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
use fillstream_domain::{
    Amount, ClientKey, OrderId, Price, Seq, Slippage, Timestamp, Token, UserId, VenueId,
};
use serde::{Deserialize, Serialize};

use crate::column::{flag, storable};

/// A swap order as the read model shows it. The field names are the columns'.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRow {
    /// The order.
    pub order_id: OrderId,
    /// User who placed it, when that is known.
    pub user_id: Option<UserId>,
    /// The client's own name for it, when one was given.
    pub client_order_id: Option<ClientKey>,
    /// Token that is paid.
    pub token_in: Token,
    /// Token that is received.
    pub token_out: Token,
    /// Amount that is paid.
    pub amount_in: Amount,
    /// Percentage below the quote that is accepted.
    pub slippage: Slippage,
    /// Attempts that the order gets.
    pub max_attempts: u8,
    /// SHA-256 of the request's terms, in hex.
    pub fingerprint: String,
    /// Status that clients see.
    pub status: Status,
    /// The attempt under way or last made; 0 before the first.
    pub attempt: u8,
    /// Time at which it was placed.
    pub created_at: Timestamp,
    /// Time at which its last event was written.
    pub updated_at: Timestamp,
    /// Nobody can tell whether the transaction landed; an operator is asked.
    #[serde(with = "flag")]
    pub needs_review: bool,
    /// Sequence of the placed event.
    pub placed_seq: Seq,
    /// Sequence of the last event.
    pub last_seq: Seq,
    /// Results of its attempts.
    #[serde(flatten)]
    pub execution: Execution,
}

/// Results of an order's attempts so far, or, in a patch, what is new of them.
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
    /// Amount that was received, once it landed.
    pub amount_out: Option<Amount>,
    /// Venue where it landed.
    pub dex_used: Option<VenueId>,
    /// Reason why it ended without a swap.
    pub failure_reason: Option<String>,
}

/// Changes of an order's row by later events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderPatch {
    /// The order.
    pub order_id: OrderId,
    /// Status that clients see.
    pub status: Status,
    /// The attempt under way or last made.
    pub attempt: u8,
    /// Time at which the last of the events was written.
    pub updated_at: Timestamp,
    /// Sequence of the last of the events.
    pub last_seq: Seq,
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
    pub seq: Seq,
    /// Such as `swap.placed`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The payload's text. Bytes that are no UTF-8, which no writer of ours stores, are shown as U+FFFD.
    pub event: String,
}

impl OrderRow {
    /// The row of an order that was just placed.
    fn new(seq: Seq, placed: &Placed) -> Self {
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
    /// Change by the event; nothing for the placed event, which makes a row of its own.
    fn of(seq: Seq, event: &SwapEvent) -> Option<Self> {
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
    pub fn push(&mut self, seq: Seq, event: &SwapEvent, payload: &[u8]) {
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
    pub fn span(&self) -> Option<(Seq, Seq)> {
        Some((self.events.first()?.seq, self.events.last()?.seq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e";
    /// Every later event with fields that tell it from the others.
    const LATER: [&str; 9] = [
        r#""type":"swap.routing_started","attempt":1"#,
        r#""type":"swap.routed","attempt":1,"venue":"raydium","min_amount_out":"1","quotes":[{"venue":"raydium","amount_out":"1450","price":"145"},{"venue":"meteora","amount_out":"1440","price":"144"}]"#,
        r#""type":"swap.routed","attempt":2,"venue":"meteora","min_amount_out":"1","quotes":[{"venue":"meteora","amount_out":"1430","price":"143"}]"#,
        r#""type":"swap.prepared","attempt":1,"venue":"raydium","tx_id":"sim:1","payload":"","built_at_height":1,"last_valid_height":2"#,
        r#""type":"swap.prepared","attempt":2,"venue":"meteora","tx_id":"sim:2","payload":"","built_at_height":1,"last_valid_height":2"#,
        r#""type":"swap.retry_scheduled","attempt":1,"stage":"building","reason":"r","delay_ms":1,"retry_at":"2026-01-10T07:30:15.123Z""#,
        r#""type":"swap.review_needed","attempt":1,"tx_id":"sim:1","reason":"r""#,
        r#""type":"swap.confirmed","attempt":1,"venue":"raydium","tx_id":"sim:1","amount_out":"1449.5","executed_price":"144.95","decided_by":"executor""#,
        r#""type":"swap.failed","attempt":3,"stage":"submitted","reason":"slipped\u0000away","decided_by":"operator""#,
    ];

    fn payload(fields: &str, at: u64) -> String {
        format!(
            r#"{{{fields},"version":1,"order_id":"{ORDER}","max_attempts":3,"at":"2026-01-10T07:30:15.{at:03}Z"}}"#
        )
    }

    fn placed(at: u64) -> String {
        payload(
            r#""type":"swap.placed","token_in":"SOL","token_out":"USDC","amount_in":"10","slippage":"0.5","fingerprint":"f""#,
            at,
        )
    }

    fn push(batch: &mut RowBatch, seq: u64, payload: &str) {
        let event = SwapEvent::decode(payload.as_bytes()).unwrap();
        batch.push(Seq::new(seq), &event, payload.as_bytes());
    }

    /// The read model in memory, as the statements of a store treat it.
    fn apply(model: &mut BTreeMap<OrderId, OrderRow>, batch: &RowBatch) {
        for row in batch.new_orders() {
            model.entry(row.order_id).or_insert(row);
        }
        for patch in batch.all_changes() {
            if let Some(row) = model.get_mut(&patch.order_id) {
                row.take(patch.clone());
            }
        }
    }

    /// The row after these payloads, cut into batches after each position whose bit is set.
    fn row(payloads: &[String], cuts: usize) -> OrderRow {
        let (mut model, mut batch) = (BTreeMap::new(), RowBatch::default());
        for (place, payload) in payloads.iter().enumerate() {
            push(&mut batch, place as u64 + 1, payload);
            if cuts & (1 << place) != 0 {
                apply(&mut model, &mem::take(&mut batch));
            }
        }
        apply(&mut model, &batch);
        model.into_values().next().unwrap()
    }

    fn check(life: &[usize], expected: &str) {
        let later = life.iter().zip(1..).map(|(kind, at)| payload(LATER[*kind], at));
        let row = row(&[placed(0)].into_iter().chain(later).collect::<Vec<_>>(), 0);
        let Execution { raydium_quote, meteora_quote, selected_dex, tx_id, .. } = &row.execution;
        let Execution { executed_price, amount_out, dex_used, failure_reason, .. } = &row.execution;
        let shown = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let found = [
            row.status.to_string(),
            row.attempt.to_string(),
            shown(raydium_quote.map(|price| price.to_string())),
            shown(meteora_quote.map(|price| price.to_string())),
            shown(selected_dex.map(|venue| venue.to_string())),
            shown(tx_id.clone()),
            shown(executed_price.map(|price| price.to_string())),
            shown(amount_out.map(|amount| amount.to_string())),
            shown(dex_used.map(|venue| venue.to_string())),
            shown(failure_reason.clone()),
            row.needs_review.to_string(),
        ];
        assert_eq!(found.join(" "), expected, "{life:?}");
        assert_eq!(row.last_seq, Seq::new(life.len() as u64 + 1));
        assert_eq!(
            (row.placed_seq, row.created_at.to_string().as_str()),
            (Seq::FIRST, "2026-01-10T07:30:15.000Z")
        );
        assert_eq!(row.updated_at.unix_ms() - row.created_at.unix_ms(), life.len() as i64);
    }

    #[test]
    fn each_event_shows_in_the_row() {
        check(&[], "pending 0 - - - - - - - - false");
        check(&[0], "routing 1 - - - - - - - - false");
        check(&[0, 1], "building 1 145 144 raydium - - - - - false");
        check(&[0, 1, 2], "building 2 145 143 meteora - - - - - false");
        check(&[0, 1, 3], "submitted 1 145 144 raydium sim:1 - - - - false");
        check(&[0, 1, 5], "building 1 145 144 raydium - - - - - false");
        check(&[0, 1, 3, 6], "submitted 1 145 144 raydium sim:1 - - - - true");
        check(&[0, 1, 3, 7], "confirmed 1 145 144 raydium sim:1 144.95 1449.5 raydium - false");
        check(&[0, 1, 3, 6, 7], "confirmed 1 145 144 raydium sim:1 144.95 1449.5 raydium - false");
        check(&[0, 1, 3, 6, 8], "failed 3 145 144 raydium sim:1 - - - slipped\u{FFFD}away false");
    }

    #[test]
    fn a_merged_batch_leaves_the_row_that_single_events_leave() {
        const LENGTH: u32 = 4;
        for life in 0..LATER.len().pow(LENGTH) {
            let kinds = (0..LENGTH).map(|place| life / LATER.len().pow(place) % LATER.len());
            let later = kinds.zip(1..).map(|(kind, at)| payload(LATER[kind], at));
            // The order is placed a second time at the end, which must change nothing.
            let payloads: Vec<_> = [placed(0)].into_iter().chain(later).chain([placed(9)]).collect();
            let single = row(&payloads, usize::MAX);
            for cuts in [0, 0b1, 0b10, 0b101, 0b1010, 0b10000] {
                assert_eq!(row(&payloads, cuts), single, "{payloads:?} cut at {cuts:b}");
            }
        }
    }

    #[test]
    fn every_event_leaves_its_payload_as_it_was() {
        let mut batch = RowBatch::default();
        assert_eq!(batch.span(), None);
        let payloads = [placed(0), payload(LATER[8], 1), format!(" {} ", payload(LATER[0], 2))];
        for (payload, seq) in payloads.iter().zip([7, 9, 12]) {
            push(&mut batch, seq, payload);
        }
        let rows = batch.events().iter().map(|row| (row.seq, row.event_type.as_str(), row.event.as_str()));
        let expected = [(7, "swap.placed"), (9, "swap.failed"), (12, "swap.routing_started")];
        let expected = expected
            .into_iter()
            .zip(&payloads)
            .map(|((seq, kind), text)| (Seq::new(seq), kind, text.as_str()));
        assert!(rows.eq(expected));
        assert_eq!(batch.span(), Some((Seq::new(7), Seq::new(12))));
    }

    #[test]
    fn an_order_that_the_batch_did_not_place_is_a_change() {
        let mut batch = RowBatch::default();
        push(&mut batch, 3, &payload(LATER[0], 1));
        assert_eq!((batch.new_orders().count(), batch.changes().count()), (0, 1));
        push(&mut batch, 4, &placed(2));
        assert_eq!((batch.new_orders().count(), batch.changes().count()), (1, 0));
    }

    #[test]
    fn a_row_survives_its_own_json() {
        let row = row(&[placed(0), payload(LATER[1], 1), payload(LATER[6], 2)], 0);
        let text = serde_json::to_string(&row).unwrap();
        assert!(text.contains(r#""needs_review":1"#), "{text}");
        assert_eq!(serde_json::from_str::<OrderRow>(&text).unwrap(), row);
        assert!(
            serde_json::from_str::<OrderRow>(&text.replace(r#""needs_review":1"#, r#""needs_review":2"#))
                .is_err()
        );
    }
}
