//! A swap order's events as the entries that clients see: GET's logs, backfills and live messages are all cut
//! from this one list.
//!
//! ```text
//!  event ──▶ entries (family A: all of them) ──filter: status changed──▶ family B, logs of GET
//! ```

use fillstream_domain::{
    Amount, Price, Seq, Timestamp, VenueId,
    swap::{Quote, Status, SwapEvent},
};
use schemars::JsonSchema;
use serde::Serialize;

/// The type of a family A message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are the contract's own")]
pub enum Kind {
    Pending,
    Routing,
    Building,
    Submitted,
    Retrying,
    Confirmed,
    Failed,
}

/// What an entry tells beyond its message; the contract's field names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the contract's own")]
pub struct Details {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raydium_quote: Option<Price>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meteora_quote: Option<Price>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selected_dex: Option<VenueId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executed_price: Option<Price>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_out: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dex_used: Option<VenueId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs_review: Option<bool>,
}

/// One thing that clients are told of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The event's sequence in the stream.
    pub seq: Seq,
    /// Place among the family A messages of this event.
    pub index: u32,
    /// No further family A message of this event follows.
    pub last: bool,
    /// When the event's writer wrote it.
    pub at: Timestamp,
    /// The order's status from here on.
    pub status: Status,
    /// The status is another one than before: family B shows exactly these.
    pub changes_status: bool,
    /// Family A's type.
    pub kind: Kind,
    /// Family A's progress, 0 to 100.
    pub progress: u8,
    /// A sentence for people.
    pub message: String,
    /// What else is known.
    pub details: Details,
}

/// The entries that an event causes, given the status before it.
#[must_use]
pub fn entries(seq: Seq, event: &SwapEvent, before: Option<Status>) -> Vec<Entry> {
    let drafts = drafts(event, before);
    let count = drafts.len();
    let mut status = before;
    let mut entries = Vec::with_capacity(count);
    for (place, draft) in drafts.into_iter().enumerate() {
        entries.push(Entry {
            seq,
            index: u32::try_from(place).unwrap_or(u32::MAX),
            last: place + 1 == count,
            at: event.at(),
            status: draft.status,
            changes_status: status != Some(draft.status),
            kind: draft.kind,
            progress: draft.progress,
            message: draft.message,
            details: draft.details,
        });
        status = Some(draft.status);
    }
    entries
}

struct Draft {
    kind: Kind,
    status: Status,
    progress: u8,
    message: String,
    details: Details,
}

fn draft(kind: Kind, status: Status, progress: u8, message: impl Into<String>, details: Details) -> Draft {
    Draft { kind, status, progress, message: message.into(), details }
}

fn attempt(attempt: u8, max_attempts: u8) -> Details {
    Details { attempt: Some(attempt), max_attempts: Some(max_attempts), ..Details::default() }
}

/// Progress is fixed by type, and rises within an attempt (CONTRACT.md, family A).
fn drafts(event: &SwapEvent, before: Option<Status>) -> Vec<Draft> {
    match event {
        SwapEvent::Placed(placed) => {
            let message =
                format!("Order received: {} {} to {}", placed.amount_in, placed.token_in, placed.token_out);
            vec![draft(Kind::Pending, Status::Pending, 0, message, Details::default())]
        }
        SwapEvent::RoutingStarted(event) => {
            let details = attempt(event.attempt, event.max_attempts);
            vec![draft(Kind::Routing, Status::Routing, 10, "Asking Raydium and Meteora for quotes", details)]
        }
        SwapEvent::Routed(event) => routed(event),
        SwapEvent::Prepared(event) => {
            let details =
                Details { tx_hash: Some(event.tx_id.clone()), ..attempt(event.attempt, event.max_attempts) };
            let sending =
                format!("Submitting transaction (attempt {}/{})...", event.attempt, event.max_attempts);
            vec![
                draft(
                    Kind::Building,
                    Status::Building,
                    70,
                    "Transaction built, ready to submit",
                    details.clone(),
                ),
                draft(
                    Kind::Submitted,
                    Status::Submitted,
                    submitted_progress(event.attempt),
                    sending,
                    details,
                ),
            ]
        }
        SwapEvent::RetryScheduled(event) => {
            let message = format!("{}; next attempt in {} ms", event.reason, event.delay_ms);
            let details = Details {
                delay_ms: Some(event.delay_ms),
                error: Some(event.reason.clone()),
                ..attempt(event.attempt, event.max_attempts)
            };
            let status = before.unwrap_or_else(|| event.stage.into());
            vec![draft(Kind::Retrying, status, 0, message, details)]
        }
        SwapEvent::ReviewNeeded(event) => {
            let message = format!("The outcome cannot be decided, an operator is asked: {}", event.reason);
            let details = Details {
                tx_hash: Some(event.tx_id.clone()),
                needs_review: Some(true),
                ..attempt(event.attempt, event.max_attempts)
            };
            vec![draft(Kind::Submitted, Status::Submitted, SUBMITTED_MOST, message, details)]
        }
        SwapEvent::Confirmed(event) => {
            let details = Details {
                tx_hash: Some(event.tx_id.clone()),
                executed_price: Some(event.executed_price),
                amount_out: Some(event.amount_out),
                dex_used: Some(event.venue),
                attempt: Some(event.attempt),
                ..Details::default()
            };
            let message = format!("Transaction confirmed: {} received", event.amount_out);
            vec![draft(Kind::Confirmed, Status::Confirmed, 100, message, details)]
        }
        SwapEvent::Failed(event) => {
            let details = Details {
                error: Some(event.reason.clone()),
                failure_reason: Some(event.reason.clone()),
                ..attempt(event.attempt, event.max_attempts)
            };
            vec![draft(Kind::Failed, Status::Failed, 0, format!("Order failed: {}", event.reason), details)]
        }
    }
}

/// Highest progress of `submitted`.
const SUBMITTED_MOST: u8 = 90;

/// 75 for the first attempt, a little more for each further one.
const fn submitted_progress(attempt: u8) -> u8 {
    let progress = 75 + attempt.saturating_sub(1).saturating_mul(5);
    if progress > SUBMITTED_MOST - 5 { SUBMITTED_MOST - 5 } else { progress }
}

fn routed(event: &fillstream_domain::swap::Routed) -> Vec<Draft> {
    let quotes = Details {
        raydium_quote: price(&event.quotes, VenueId::Raydium),
        meteora_quote: price(&event.quotes, VenueId::Meteora),
        attempt: Some(event.attempt),
        ..Details::default()
    };
    let count = event.quotes.len();
    let received = format!("Received {count} quote{}", if count == 1 { "" } else { "s" });
    let building = format!("Building the transaction on {}", event.venue);
    let chosen = Details { selected_dex: Some(event.venue), ..quotes.clone() };
    vec![
        draft(Kind::Routing, Status::Routing, 30, received, quotes),
        draft(Kind::Building, Status::Building, 50, building, chosen),
    ]
}

fn price(quotes: &[Quote], venue: VenueId) -> Option<Price> {
    quotes.iter().find(|quote| quote.venue == venue).map(|quote| quote.price)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Events of the given kinds, at sequences 1, 2, 3, …
    pub(crate) fn life(kinds: &[&str]) -> Vec<(Seq, SwapEvent)> {
        let mut attempt = 0;
        let mut events = Vec::new();
        for (seq, kind) in (1..).map(Seq::new).zip(kinds) {
            attempt += u8::from(*kind == "routing_started");
            events.push((seq, event(kind, attempt)));
        }
        events
    }

    fn event(kind: &str, attempt: u8) -> SwapEvent {
        let fields = match kind {
            "placed" => {
                r#""token_in":"SOL","token_out":"USDC","amount_in":"10","slippage":"0.5","fingerprint":"f""#
            }
            "routed" => {
                r#""quotes":[{"venue":"raydium","amount_out":"1450","price":"145"},{"venue":"meteora","amount_out":"1449","price":"144.9"}],"venue":"raydium","min_amount_out":"1442.75""#
            }
            "prepared" => {
                r#""venue":"raydium","tx_id":"sim:raydium:1","payload":"","built_at_height":1,"last_valid_height":2"#
            }
            "retry_scheduled" => {
                r#""stage":"submitted","reason":"slippage exceeded","delay_ms":750,"retry_at":"2026-01-10T07:30:15.123Z""#
            }
            "review_needed" => r#""tx_id":"sim:raydium:1","reason":"no answer""#,
            "confirmed" => {
                r#""venue":"raydium","tx_id":"sim:raydium:1","amount_out":"1450","executed_price":"145","decided_by":"executor""#
            }
            "failed" => r#""stage":"submitted","reason":"slippage exceeded","decided_by":"executor""#,
            _ => r#""x":0"#,
        };
        let text = format!(
            r#"{{"type":"swap.{kind}","version":1,"order_id":"0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e","attempt":{attempt},"max_attempts":3,"at":"2026-01-10T07:30:15.123Z",{fields}}}"#
        );
        SwapEvent::decode(text.as_bytes()).unwrap()
    }

    /// `kind progress index`, with `*` where family B shows it.
    fn check(kinds: &[&str], shown: &[&str]) {
        let mut status = None;
        let mut found = Vec::new();
        for (seq, event) in life(kinds) {
            for entry in entries(seq, &event, status) {
                let kind = serde_json::to_value(entry.kind).unwrap();
                let mark = if entry.changes_status { "*" } else { "" };
                found.push(format!("{} {} {}{mark}", kind.as_str().unwrap(), entry.progress, entry.index));
                status = Some(entry.status);
            }
        }
        assert_eq!(found, shown, "{kinds:?}");
    }

    #[test]
    fn a_good_life() {
        check(
            &["placed", "routing_started", "routed", "prepared", "confirmed"],
            &[
                "pending 0 0*",
                "routing 10 0*",
                "routing 30 0",
                "building 50 1*",
                "building 70 0",
                "submitted 75 1*",
                "confirmed 100 0*",
            ],
        );
    }

    #[test]
    fn retries_return_to_routing_with_the_next_attempt() {
        check(
            &[
                "placed",
                "routing_started",
                "routed",
                "prepared",
                "retry_scheduled",
                "routing_started",
                "routed",
                "prepared",
                "failed",
            ],
            &[
                "pending 0 0*",
                "routing 10 0*",
                "routing 30 0",
                "building 50 1*",
                "building 70 0",
                "submitted 75 1*",
                "retrying 0 0",
                "routing 10 0*",
                "routing 30 0",
                "building 50 1*",
                "building 70 0",
                "submitted 80 1*",
                "failed 0 0*",
            ],
        );
    }

    #[test]
    fn failing_while_routing_is_one_change_of_status() {
        check(
            &[
                "placed",
                "routing_started",
                "retry_scheduled",
                "routing_started",
                "retry_scheduled",
                "routing_started",
                "failed",
            ],
            &[
                "pending 0 0*",
                "routing 10 0*",
                "retrying 0 0",
                "routing 10 0",
                "retrying 0 0",
                "routing 10 0",
                "failed 0 0*",
            ],
        );
    }

    #[test]
    fn the_contract_s_sentences() {
        let shown = |kind: &str, place: usize| {
            let (seq, event) = life(&["routing_started", kind]).remove(1);
            entries(seq, &event, Some(Status::Routing)).remove(place)
        };
        assert_eq!(shown("routed", 0).message, "Received 2 quotes");
        assert_eq!(shown("prepared", 0).message, "Transaction built, ready to submit");
        assert_eq!(shown("prepared", 1).message, "Submitting transaction (attempt 1/3)...");
        assert_eq!(shown("failed", 0).details.error.as_deref(), Some("slippage exceeded"));
    }
}
