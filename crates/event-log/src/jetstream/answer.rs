//! Answers of the server to a publish: where it was stored, or which error.

use async_nats::{StatusCode, jetstream::ErrorCode};
use fillstream_domain::Seq;
use serde::Deserialize;

use crate::{Refusal, ServerError};

/// The server's answer to a publish.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    /// Stream that has it; an answer of anything else has none.
    stream: Option<String>,
    #[serde(default)]
    pub(super) seq: Seq,
    pub(super) error: Option<ServerError>,
}

/// An answer, judged.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Stored at this sequence; of a batch, its last message.
    Stored(Seq),
    /// A fence did not hold.
    Fenced,
    /// Nothing was stored, trying again makes sense.
    Again(ServerError),
    /// Nothing was stored: there is no room.
    Full(ServerError),
    /// The server will not take it; of a batch, perhaps only not as a batch.
    Refused(Refusal),
    /// Not an answer of JetStream: nobody listens there, or it is not readable.
    Unclear,
}

impl Answer {
    pub(super) fn judge(message: &async_nats::Message) -> Outcome {
        if message.status == Some(StatusCode::NO_RESPONDERS) {
            let code = StatusCode::NO_RESPONDERS.as_u16().into();
            return Outcome::Again(ServerError::new(code, "no stream takes this subject"));
        }
        let Ok(answer) = serde_json::from_slice::<Self>(&message.payload) else { return Outcome::Unclear };
        match answer.error {
            None if answer.seq > Seq::ZERO && answer.stream.is_some() => Outcome::Stored(answer.seq),
            None => Outcome::Unclear,
            Some(error) => judge_error(error),
        }
    }
}

fn judge_error(error: ServerError) -> Outcome {
    let is_one_of = |codes: &[ErrorCode]| codes.iter().any(|code| error.is(*code));
    if is_one_of(&[
        ErrorCode::STREAM_WRONG_LAST_SEQUENCE,
        // Without the number: in batches and on replicated streams.
        ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT,
        // The batch holds an id that was stored already.
        ErrorCode::ATOMIC_PUBLISH_CONTAINS_DUPLICATE_MESSAGE,
    ]) {
        return Outcome::Fenced;
    }
    let again = error.passes()
        || is_one_of(&[
            // The batch has a gap: its leader changed, or it idled too long.
            ErrorCode::ATOMIC_PUBLISH_INCOMPLETE_BATCH,
            ErrorCode::ATOMIC_PUBLISH_TOO_MANY_INFLIGHT,
            ErrorCode::STREAM_EXPECTED_LAST_SEQ_PER_SUBJECT_NOT_READY,
        ]);
    if again {
        Outcome::Again(error)
    } else if error.says_full() {
        Outcome::Full(error)
    } else {
        Outcome::Refused(Refusal::Server(error))
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
        check(r#"{"stream":"ORDERS","seq":7}"#, Outcome::Stored(Seq::new(7)));
        check(r#"{"stream":"ORDERS","seq":9,"batch":"b","count":3}"#, Outcome::Stored(Seq::new(9)));
        for unclear in ["", "{", "{}", "[]", r#"{"stream":"ORDERS","seq":0}"#, r#"{"seq":7}"#] {
            check(unclear, Outcome::Unclear);
        }
        let error = |number, expected: Outcome| {
            check(
                &format!(r#"{{"error":{{"code":400,"err_code":{number},"description":"why"}}}}"#),
                expected,
            );
        };
        let why = |number| ServerError::new(number, "why");
        for number in [10071, 10164, 10201] {
            error(number, Outcome::Fenced);
        }
        for number in [10176, 10210, 10008, 10009, 10163, 10167] {
            error(number, Outcome::Again(why(number)));
        }
        for number in [10002, 10023, 10028, 10047, 10077] {
            error(number, Outcome::Full(why(number)));
        }
        // Too large, batches are off, and what no version has said yet.
        for number in [10054, 10174, 19999] {
            error(number, Outcome::Refused(Refusal::Server(why(number))));
        }
        let nobody = Answer::judge(&message(Some(StatusCode::NO_RESPONDERS), ""));
        assert!(matches!(nobody, Outcome::Again(_)), "{nobody:?}");
    }
}
