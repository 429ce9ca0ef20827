//! Inputs and commits as JSON: `type` and `version` first, then the fields.

use std::sync::Arc;

use super::{BookInput, Commit, Rules};
use crate::stored::{DecodeError, Envelope, EventType};

/// The payload is no part of a commit.
pub type NotACommit = DecodeError;

impl BookInput {
    /// Type and version under which it is written.
    #[must_use]
    pub const fn event_type(&self) -> EventType {
        let name = match self {
            Self::Placed(_) => "book.placed",
            Self::AmendRequested(_) => "book.amend_requested",
            Self::CancelRequested(_) => "book.cancel_requested",
            Self::Definition(_) => "book.definition",
            Self::Clock(_) => "book.clock",
        };
        EventType { name, version: 1 }
    }

    /// The payload that is stored.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let event_type = self.event_type();
        match self {
            Self::Placed(body) => event_type.encode(body),
            Self::AmendRequested(body) => event_type.encode(body),
            Self::CancelRequested(body) => event_type.encode(body),
            Self::Definition(body) => event_type.encode(body),
            Self::Clock(body) => event_type.encode(body),
        }
    }

    /// Reads a stored payload.
    ///
    /// # Errors
    /// When it is no input that this version knows.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let envelope = Envelope::of(payload)?;
        let input = match (&*envelope.name, envelope.version) {
            ("book.placed", 1) => Self::Placed(serde_json::from_slice(payload)?),
            ("book.amend_requested", 1) => Self::AmendRequested(serde_json::from_slice(payload)?),
            ("book.cancel_requested", 1) => Self::CancelRequested(serde_json::from_slice(payload)?),
            ("book.definition", 1) => Self::Definition(serde_json::from_slice(payload)?),
            ("book.clock", 1) => Self::Clock(serde_json::from_slice(payload)?),
            (_, _) => return Err(Envelope::unknown(payload)),
        };
        Ok(input)
    }
}

impl Commit {
    /// Type and version under which commits are written today.
    pub const EVENT_TYPE: EventType = Rules::TODAY.event_type();

    /// The payload that is stored.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.rules.event_type().encode(self)
    }

    /// Reads a stored payload.
    ///
    /// # Errors
    /// When it is no part of a commit that this version knows.
    pub fn decode(payload: &[u8]) -> Result<Self, NotACommit> {
        let envelope = Envelope::of(payload)?;
        let rules = Rules::of_version(envelope.version).filter(|_| envelope.name == Self::EVENT_TYPE.name);
        let rules = rules.ok_or_else(|| Envelope::unknown(payload))?;
        Ok(Self { rules, ..serde_json::from_slice(payload)? })
    }

    /// The same, for readers that share what they read.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    pub fn decode_shared(payload: &[u8]) -> Result<Arc<Self>, NotACommit> {
        Self::decode(payload).map(Arc::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6f";
    const ORDER: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e";

    #[test]
    fn inputs_read_well_and_read_back() {
        for text in [
            format!(
                r#"{{"type":"book.placed","version":1,"order_id":"{ORDER}","user_id":"{USER}","symbol":"BTC/USDT","side":"BUY","order_type":"LIMIT","time_in_force":"GTC","price":"145.48","quantity":"0.5","self_trade_prevention":"NONE","fingerprint":"f","at":"2026-01-10T07:30:15.123Z"}}"#
            ),
            format!(
                r#"{{"type":"book.amend_requested","version":1,"order_id":"{ORDER}","user_id":"{USER}","symbol":"BTC/USDT","quantity":"0.4","at":"2026-01-10T07:30:15.123Z"}}"#
            ),
            format!(
                r#"{{"type":"book.cancel_requested","version":1,"order_id":"{ORDER}","user_id":"{USER}","symbol":"BTC/USDT","at":"2026-01-10T07:30:15.123Z"}}"#
            ),
            r#"{"type":"book.clock","version":1,"symbol":"BTC/USDT","at":"2026-01-10T07:30:15.123Z"}"#
                .to_owned(),
        ] {
            let input = BookInput::decode(text.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(input.encode()).unwrap(), text);
        }
    }

    #[test]
    fn a_commit_reads_well_and_reads_back() {
        let order = |id: &str, side, filled| {
            format!(
                r#""order_id":"{id}","user_id":"{USER}","side":"{side}","order_type":"LIMIT","price":"100","quantity":"2","filled_quantity":"{filled}","filled_quote":"{filled}00","fee":"0.1""#
            )
        };
        let (maker, taker) = (order(ORDER, "SELL", 1), order(USER, "BUY", 1));
        let text = format!(
            r#"{{"type":"market.commit","version":1,"symbol":"BTC/USDT","first_input":17,"last_input":18,"part":1,"last":true,"hash":"00000000000000ff","outcomes":[{{"seq":17,"at":"2026-01-10T07:30:15.123Z","result":"accepted","changes":[{{"change":"created",{maker}}},{{"change":"trade","trade_id":"{ORDER}","price":"100","quantity":"1","maker_fee":"0.05","taker_fee":"0.1","maker":{{{maker}}},"taker":{{{taker}}}}},{{"change":"cancelled",{taker},"reason":"immediate_or_cancel"}}],"levels":{{"asks":[["100","1"]]}}}},{{"seq":18,"at":"2026-01-10T07:30:15.123Z","result":"refused","code":"not_owner","detail":"the order is somebody else's"}}]}}"#
        );
        for (version, rules) in [(1, Some(Rules::V1)), (2, Some(Rules::V2)), (3, None)] {
            let text = text.replace("\"version\":1", &format!("\"version\":{version}"));
            let commit = Commit::decode(text.as_bytes());
            assert_eq!(commit.as_ref().ok().map(|commit| commit.rules), rules);
            assert!(commit.is_err() || String::from_utf8(commit.unwrap().encode()).unwrap() == text);
        }
    }

    #[test]
    fn trade_ids_are_the_same_again() {
        let symbol = "BTC/USDT".parse().unwrap();
        let id = super::super::trade_id(&symbol, crate::Seq::new(17), 0);
        assert_eq!(id.to_string(), "acfaf409-fb1e-5633-8426-b0e51c1cebe5");
        assert_ne!(id, super::super::trade_id(&symbol, crate::Seq::new(17), 1));
    }
}
