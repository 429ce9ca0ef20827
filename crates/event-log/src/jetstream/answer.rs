//! What the server answers to a publish: where it was stored, or which error.

use serde::Deserialize;

/// Errors that this crate tells apart; the numbers are the server's.
pub(super) mod code {
    /// `wrong last sequence: N`
    pub(crate) const WRONG_LAST_SEQUENCE: u64 = 10071;
    /// `wrong last sequence` without the number: in batches and on replicated streams.
    pub(crate) const WRONG_LAST_SEQUENCE_CONSTANT: u64 = 10164;
    /// The batch has a gap: its leader changed, or it idled too long.
    pub(crate) const BATCH_INCOMPLETE: u64 = 10176;
    /// The batch holds an id that was stored already.
    pub(crate) const BATCH_DUPLICATE: u64 = 10201;
    /// Too many batches are under way.
    pub(crate) const BATCH_TOO_MANY_INFLIGHT: u64 = 10210;
    /// A cluster has nobody to take it at the moment.
    pub(crate) const UNAVAILABLE: u64 = 10008;
    /// It was asked while its leader changed.
    pub(crate) const NOT_LEADER: u64 = 10009;
    /// A replicated stream cannot keep up.
    pub(crate) const TOO_MANY_REQUESTS: u64 = 10167;
}

/// The server's answer to a publish.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    /// Which stream has it; an answer of anything else has none.
    stream: Option<String>,
    #[serde(default)]
    pub(super) seq: u64,
    pub(super) error: Option<ServerError>,
}

/// An error of the JetStream API.
#[derive(Debug, Deserialize)]
pub(super) struct ServerError {
    #[serde(default)]
    pub(super) err_code: u64,
    #[serde(default)]
    pub(super) description: String,
}

/// An answer, judged.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Stored at this sequence; of a batch, its last message.
    Stored(u64),
    /// A fence did not hold.
    Fenced,
    /// Nothing was stored, trying again makes sense.
    Again(String),
    /// The server will not take it; of a batch, perhaps only not as a batch.
    Refused(String),
    /// Not an answer of JetStream: nobody listens there, or it is not readable.
    Unclear,
}

impl Answer {
    pub(super) fn judge(message: &async_nats::Message) -> Outcome {
        if message.status.is_some_and(|status| status == async_nats::StatusCode::NO_RESPONDERS) {
            return Outcome::Again("no stream takes this subject".to_owned());
        }
        let Ok(answer) = serde_json::from_slice::<Self>(&message.payload) else { return Outcome::Unclear };
        match answer.error {
            None if answer.seq > 0 && answer.stream.is_some() => Outcome::Stored(answer.seq),
            None => Outcome::Unclear,
            Some(error) => match error.err_code {
                code::WRONG_LAST_SEQUENCE | code::WRONG_LAST_SEQUENCE_CONSTANT | code::BATCH_DUPLICATE => {
                    Outcome::Fenced
                }
                code::BATCH_INCOMPLETE
                | code::BATCH_TOO_MANY_INFLIGHT
                | code::UNAVAILABLE
                | code::NOT_LEADER
                | code::TOO_MANY_REQUESTS => Outcome::Again(error.description),
                _ => Outcome::Refused(error.description),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use async_nats::{Message, StatusCode};

    use super::*;

    fn message(status: Option<StatusCode>, payload: &str) -> Message {
        Message {
            subject: "_INBOX.1.1".into(),
            reply: None,
            payload: payload.to_owned().into(),
            headers: None,
            status,
            description: None,
            length: 0,
        }
    }

    #[test]
    fn answers_are_told_apart() {
        let check = |payload: &str, expected: Outcome| {
            assert_eq!(Answer::judge(&message(None, payload)), expected, "{payload}");
        };
        check(r#"{"stream":"ORDERS","seq":7}"#, Outcome::Stored(7));
        check(r#"{"stream":"ORDERS","seq":9,"batch":"b","count":3}"#, Outcome::Stored(9));
        for unclear in ["", "{", "{}", "[]", r#"{"stream":"ORDERS","seq":0}"#, r#"{"seq":7}"#] {
            check(unclear, Outcome::Unclear);
        }
        let error = |number, expected: Outcome| {
            check(
                &format!(r#"{{"error":{{"code":400,"err_code":{number},"description":"why"}}}}"#),
                expected,
            );
        };
        for number in [10071, 10164, 10201] {
            error(number, Outcome::Fenced);
        }
        for number in [10176, 10210, 10008, 10009, 10167] {
            error(number, Outcome::Again("why".to_owned()));
        }
        // Too large, batches are off, the store is full, and what no version has said yet.
        for number in [10054, 10174, 10077, 19999] {
            error(number, Outcome::Refused("why".to_owned()));
        }
        let nobody = Answer::judge(&message(Some(StatusCode::NO_RESPONDERS), ""));
        assert!(matches!(nobody, Outcome::Again(_)), "{nobody:?}");
    }
}
