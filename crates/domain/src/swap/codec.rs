//! Events as JSON: `type` and `version` first, then the fields.

use super::event::{SwapEvent, of_each};
use crate::stored::{DecodeError, Envelope, EventType};

impl SwapEvent {
    /// Type and version under which this event is written.
    #[must_use]
    pub const fn event_type(&self) -> EventType {
        let name = match self {
            Self::Placed(_) => "swap.placed",
            Self::RoutingStarted(_) => "swap.routing_started",
            Self::Routed(_) => "swap.routed",
            Self::Prepared(_) => "swap.prepared",
            Self::RetryScheduled(_) => "swap.retry_scheduled",
            Self::ReviewNeeded(_) => "swap.review_needed",
            Self::Confirmed(_) => "swap.confirmed",
            Self::Failed(_) => "swap.failed",
        };
        EventType { name, version: 1 }
    }

    /// The payload that is stored.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let event_type = self.event_type();
        of_each!(self, body => event_type.encode(body))
    }

    /// Reads a stored payload.
    ///
    /// # Errors
    /// When it is no event that this version knows.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let envelope = Envelope::of(payload)?;
        let event = match (&*envelope.name, envelope.version) {
            ("swap.placed", 1) => Self::Placed(serde_json::from_slice(payload)?),
            ("swap.routing_started", 1) => Self::RoutingStarted(serde_json::from_slice(payload)?),
            ("swap.routed", 1) => Self::Routed(serde_json::from_slice(payload)?),
            ("swap.prepared", 1) => Self::Prepared(serde_json::from_slice(payload)?),
            ("swap.retry_scheduled", 1) => Self::RetryScheduled(serde_json::from_slice(payload)?),
            ("swap.review_needed", 1) => Self::ReviewNeeded(serde_json::from_slice(payload)?),
            ("swap.confirmed", 1) => Self::Confirmed(serde_json::from_slice(payload)?),
            ("swap.failed", 1) => Self::Failed(serde_json::from_slice(payload)?),
            (_, _) => return Err(Envelope::unknown(payload)),
        };
        Ok(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_reads_well_and_reads_back() {
        let text = r#"{"type":"swap.routing_started","version":1,"order_id":"0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e","attempt":2,"max_attempts":3,"at":"2026-01-10T07:30:15.123Z"}"#;
        let event = SwapEvent::decode(text.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(event.encode()).unwrap(), text);
        assert_eq!(event.event_type().cloud_event_type(), "fillstream.swap.routing_started.v1");
    }

    #[test]
    fn unreadable_payloads_say_why() {
        for (payload, reason) in [
            ("", "not a readable event"),
            ("{}", "not a readable event"),
            (r#"{"type":"swap.placed","version":1}"#, "not a readable event"),
            (r#"{"type":"swap.placed","version":2}"#, "unknown event type \"swap.placed\" version 2"),
            (r#"{"type":"swap.cancelled","version":1}"#, "unknown event type \"swap.cancelled\" version 1"),
        ] {
            assert_eq!(SwapEvent::decode(payload.as_bytes()).unwrap_err().to_string(), reason, "{payload}");
        }
    }
}
