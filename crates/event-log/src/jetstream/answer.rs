//! What the server answers to a publish: where it was stored, or which error.

use serde::Deserialize;

/// Errors that this crate tells apart; the numbers are the server's.
pub(super) mod code {
    /// `wrong last sequence: N`
    pub(crate) const WRONG_LAST_SEQUENCE: u64 = 10071;
    /// `wrong last sequence` without the number: in batches and on replicated streams.
    pub(crate) const WRONG_LAST_SEQUENCE_CONSTANT: u64 = 10164;
    /// The stream does not allow atomic batches.
    pub(crate) const BATCH_DISABLED: u64 = 10174;
    /// The batch has a gap: its leader changed, or it idled too long.
    pub(crate) const BATCH_INCOMPLETE: u64 = 10176;
    /// The batch holds an id that was stored already.
    pub(crate) const BATCH_DUPLICATE: u64 = 10201;
    /// Too many batches are under way.
    pub(crate) const BATCH_TOO_MANY_INFLIGHT: u64 = 10210;
}

/// The server's answer to a publish.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
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
#[derive(Debug)]
pub(super) enum Outcome {
    /// Stored at this sequence; of a batch, its last message.
    Stored(u64),
    /// A fence did not hold.
    Fenced,
    /// Nothing was stored, trying again makes sense.
    Again(String),
    /// The stream does not take batches.
    NoBatches,
    /// The server will not take it.
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
            None if answer.seq > 0 => Outcome::Stored(answer.seq),
            None => Outcome::Unclear,
            Some(error) => match error.err_code {
                code::WRONG_LAST_SEQUENCE | code::WRONG_LAST_SEQUENCE_CONSTANT | code::BATCH_DUPLICATE => {
                    Outcome::Fenced
                }
                code::BATCH_INCOMPLETE | code::BATCH_TOO_MANY_INFLIGHT => Outcome::Again(error.description),
                code::BATCH_DISABLED => Outcome::NoBatches,
                _ => Outcome::Refused(error.description),
            },
        }
    }
}
