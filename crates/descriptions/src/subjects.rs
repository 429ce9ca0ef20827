//! Records in the stream, by subject.

use fillstream_domain::schema::{EVERY_EVENT, EventSchema};
use fillstream_http_edge::described::{Channel, Message, Reach, Shape};
use serde_json::{Value, json};

/// A subject: name of its channel, address, what it is for, its parts, its events.
type Subject = (&'static str, &'static str, &'static str, &'static [Part], &'static [&'static str]);
type Part = (&'static str, &'static str);

const ORDER: Part = ("order_id", "The order, a hyphenated UUID.");
const MARKET: Part = ("market", "The market, with a hyphen: `BTC-USDT`.");
const PARKED: &[Part] = &[("part", "Who could not handle the message."), ("sequence", "The message's.")];

const SUBJECTS: [Subject; 7] = [
    ("swap_placed", "orders.swap.{order_id}.placed", "A swap order was accepted", &[ORDER], &["swap.placed"]),
    (
        "swap_progress",
        "orders.swap.{order_id}.progress",
        "What became of a swap order",
        &[ORDER],
        &[
            "swap.routing_started",
            "swap.routed",
            "swap.prepared",
            "swap.retry_scheduled",
            "swap.review_needed",
            "swap.confirmed",
            "swap.failed",
        ],
    ),
    (
        "book_order",
        "orders.book.{market}.{order_id}",
        "What is asked of a book order",
        &[MARKET, ORDER],
        &["book.placed", "book.amend_requested", "book.cancel_requested"],
    ),
    (
        "book_definition",
        "orders.book.{market}.definition",
        "A market's filters and fees",
        &[MARKET],
        &["book.definition"],
    ),
    ("book_clock", "orders.book.{market}.clock", "Time, so that orders expire", &[MARKET], &["book.clock"]),
    ("commits", "markets.{market}", "What the matcher made of its inputs", &[MARKET], &["market.commit"]),
    (
        "parked",
        "parked.{part}.{sequence}",
        "What a part could not handle",
        PARKED,
        &["parked.entry", "parked.closed"],
    ),
];

/// All subjects of the stream, each with the events that it holds.
#[must_use]
pub fn channels() -> Vec<Channel> {
    SUBJECTS.iter().map(channel).collect()
}

fn channel((id, address, summary, parts, events): &Subject) -> Channel {
    let stored = "Stored in the stream ORDERS; appended with the expected last sequence of the subject, never published.";
    let channel = Channel::new(*id, Reach::Subject, address, summary).about(stored);
    let channel = parts.iter().fold(channel, |channel, (name, about)| channel.parameter(name, about));
    channel.tells(EVERY_EVENT.iter().filter(|event| events.contains(&event.event_type.name)).map(message))
}

fn message(event: &EventSchema) -> Message {
    let name = event.file_name().replace(".json", "");
    let about = format!("Also at /schemas/{name}.");
    Message::new(name, about, Shape::Of(event.body))
        .fixed("type", event.event_type.name)
        .fixed("version", event.event_type.version)
        .headers(headers(event))
}

/// CloudEvents 1.0 in binary mode.
fn headers(event: &EventSchema) -> Value {
    let text = |about: &str| json!({ "type": "string", "description": about });
    json!({
        "type": "object",
        "required": ["ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time"],
        "properties": {
            "ce-specversion": { "const": "1.0" },
            "ce-id": text("Unique to this append (UUIDv7)."),
            "ce-source": { "const": "fillstream" },
            "ce-type": { "const": event.event_type.cloud_event_type() },
            "ce-time": text("When its writer wrote it; the payload's `at`."),
            "traceparent": text("W3C Trace Context of the request behind it."),
            "fillstream-retries": text("The sequence of the message that it repeats."),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_lies_on_one_subject() {
        for event in &EVERY_EVENT {
            let name = event.event_type.name;
            let on = SUBJECTS.iter().filter(|(.., events)| events.contains(&name)).count();
            assert_eq!(on, 1, "{name}");
        }
        let listed: usize = SUBJECTS.iter().map(|(.., events)| events.len()).sum();
        assert!(listed <= EVERY_EVENT.len(), "a subject names an event that there is not");
    }
}
