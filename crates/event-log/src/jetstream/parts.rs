//! One decision in one message or several: straight to the stream, past the group commit.
//!
//! ```text
//!  send ──▶ stored ──▶ its last sequence
//!   ▲  └──▶ refused
//!   │  └──▶ fenced, or no answer ──▶ read behind the fence ──▶ ours: stored | another's: fenced
//!   └──────────── not there ◀──────────────────┘
//! ```
//! Nothing is sent again before it was looked for. A sending that arrives late all the same finds its fence lost.

use std::time::Duration;

use async_nats::PublishErrorKind;
use fillstream_domain::{RecordRef, Seq};
use fillstream_retry::chain;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};
use uuid::Uuid;

use super::{
    answer::Outcome,
    batch::{LONGEST_PAUSE, PAUSE, outcome},
    fence::{LEADER, look_up},
    leader,
    message::{Place, headers},
    read,
    requests::Requests,
    writer::PATIENCE,
};
use crate::{AppendError, LogError, NewRecord, Refusal};

/// Time after a connection was made again within which those who follow may not have heard yet that the stream has lost its end: in a
/// cluster that is believed after 12 s.
const LOSS_IS_NOT_HEARD: Duration = Duration::from_secs(20);

/// Appends the parts; returns the sequence of the last one.
pub(super) async fn append(
    requests: &Requests,
    stream: &str,
    parts: Vec<NewRecord>,
    upon: Option<RecordRef>,
) -> Result<Seq, AppendError> {
    timeout(PATIENCE, pursue(requests, stream, &parts, upon)).await.unwrap_or(Err(AppendError::Unknown))
}

async fn pursue(
    requests: &Requests,
    stream: &str,
    parts: &[NewRecord],
    upon: Option<RecordRef>,
) -> Result<Seq, AppendError> {
    let mut pause = PAUSE;
    requests.connected().await;
    // What it rests on was heard over a connection before this one: whoever hears may not know yet that it is lost.
    if upon.is_some()
        && requests.came_back_within(LOSS_IS_NOT_HEARD)
        && let Some(verdict) = resolve(requests, stream, parts, upon).await
    {
        return verdict;
    }
    loop {
        requests.connected().await;
        match send(requests, parts).await {
            Outcome::Stored(seq) => return Ok(seq),
            Outcome::Full(error) => return Err(AppendError::Full(error)),
            Outcome::Refused(refusal) => return Err(AppendError::Refused(refusal)),
            Outcome::Fenced | Outcome::Unclear => {}
            Outcome::Again(error) => {
                debug!(error = %chain(&error), parts = parts.len(), "append of parts is retried");
                sleep(PAUSE).await;
            }
        }
        if let Some(verdict) = resolve(requests, stream, parts, upon).await {
            return verdict;
        }
        // A leader without a quorum fences off what is not there: asked without a pause, it would be kept from its work.
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn send(requests: &Requests, parts: &[NewRecord]) -> Outcome {
    let Some((last, others)) = parts.split_last() else { return Outcome::Unclear };
    let batch_id = (!others.is_empty()).then(|| Uuid::now_v7().simple().to_string());
    let place = |sequence| {
        let commit = sequence == parts.len();
        batch_id.as_deref().map(|batch_id| Place { batch_id, sequence, commit })
    };
    for (sequence, part) in (1..).zip(others) {
        // Only the commit is answered. If one of these does not arrive, the server finds the batch incomplete.
        let headers = headers(part, sequence == 1, place(sequence));
        let (subject, payload) = (part.subject.clone(), part.payload.clone());
        match requests.client().publish_with_headers(subject, headers, payload).await {
            Ok(()) => {}
            Err(error) if error.kind() == PublishErrorKind::Send => return Outcome::Unclear,
            Err(error) => return Outcome::Refused(Refusal::Invalid(chain(&error).to_string())),
        }
    }
    let headers = headers(last, others.is_empty(), place(parts.len()));
    outcome(requests.send(last.subject.clone(), Some(headers), last.payload.clone()).await).await
}

/// Reads until it is known what became of the parts; none when they are not there and may be sent again.
async fn resolve(
    requests: &Requests,
    stream: &str,
    parts: &[NewRecord],
    upon: Option<RecordRef>,
) -> Option<Result<Seq, AppendError>> {
    loop {
        requests.connected().await;
        match verdict(requests, stream, parts, upon).await {
            Ok(verdict) => return verdict,
            Err(error) => {
                warn!(error = %chain(&error), parts = parts.len(), "cannot see yet whether parts are stored");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn verdict(
    requests: &Requests,
    stream: &str,
    parts: &[NewRecord],
    upon: Option<RecordRef>,
) -> Result<Option<Result<Seq, AppendError>>, LogError> {
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return Ok(None) };
    let first_seq = match look_up(requests, stream, first).await? {
        Some(Ok(seq)) => seq,
        Some(Err(beaten)) => return Ok(Some(Err(beaten))),
        // A power failure may have taken what it rests on: sent again it would decide about what is not there.
        None => {
            return Ok(lost(requests, stream, upon)
                .await?
                .then_some(Err(AppendError::Fenced { last: first.after })));
        }
    };
    if parts.len() == 1 {
        return Ok(Some(Ok(first_seq)));
    }
    let last_seq = first_seq.plus(parts.len() as u64 - 1);
    let end = read::next(requests, stream, &last.subject, last_seq, LEADER).await?;
    let whole = end.is_some_and(|end| end.seq == last_seq && end.event_id == Some(last.event_id));
    // A power failure can tear a batch: then the subject goes on with our parts, and nothing was decided by them.
    Ok(Some(if whole { Ok(last_seq) } else { Err(AppendError::Fenced { last: first_seq }) }))
}

/// The stream does not hold the record any more.
async fn lost(requests: &Requests, stream: &str, upon: Option<RecordRef>) -> Result<bool, LogError> {
    let Some(upon) = upon else { return Ok(false) };
    let found = leader::record(requests, stream, upon.seq).await?;
    Ok(found.is_none_or(|found| found.reference() != upon))
}
