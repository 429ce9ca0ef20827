//! A place in the stream, proved against the leader; see [`crate::proof`] for what its answers mean.
//!
//! On one server its word is final at once. In a cluster a member that was cut off or frozen may take itself for the
//! leader for a while, and know less than was read: a loss is only believed when it is still said after longer than that.

use std::{sync::Arc, time::Duration};

use fillstream_domain::Seq;
use tokio::time::{Instant, sleep};

use super::{Shared, connect::stream_info, leader, read};
use crate::{
    After, Consistency, LogError,
    proof::{Answers, holds},
};

/// A leader that hears nothing from a majority steps down after 10 s (`lostQuorumInterval` of nats-server); what is said
/// for longer is said by the true one.
const LEADER_WITHOUT_QUORUM: Duration = Duration::from_secs(12);
/// Between two questions of a loss that is not believed yet.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Since when a loss is said and not believed yet.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Doubt(Option<Instant>);

/// A loss that is not believed yet.
#[derive(Debug, thiserror::Error)]
#[error("the leader is asked again before this is believed")]
struct Doubted(#[source] LogError);

/// Proves that a tail may begin behind the place; waits until a loss is believed.
pub(super) async fn prove_patiently(shared: &Shared, after: After) -> Result<(), LogError> {
    let mut doubt = Doubt::default();
    loop {
        match prove(shared, after, &mut doubt).await {
            Err(LogError::Unreachable(_)) if doubt.0.is_some() => sleep(ASK_AGAIN).await,
            verdict => return verdict,
        }
    }
}

/// Proves that a tail may begin behind the place. A loss that is not believed yet is told as unreachable.
pub(super) async fn prove(shared: &Shared, after: After, doubt: &mut Doubt) -> Result<(), LogError> {
    let lost = match ask(shared, after).await {
        Ok(()) => {
            *doubt = Doubt::default();
            return Ok(());
        }
        Err(error) if error.is_final() => error,
        Err(error) => return Err(error),
    };
    let since = *doubt.0.get_or_insert_with(Instant::now);
    if since.elapsed() >= LEADER_WITHOUT_QUORUM
        || stream_info(&shared.requests, &shared.stream).await?.replicas < 2
    {
        return Err(lost);
    }
    Err(LogError::Unreachable(Arc::new(Doubted(lost))))
}

async fn ask(shared: &Shared, after: After) -> Result<(), LogError> {
    let (requests, stream) = (&shared.requests, shared.stream.as_str());
    let seq = after.seq();
    if seq.is_zero() {
        return Ok(());
    }
    let at = leader::record(requests, stream, seq).await?;
    let known = Answers { at: at.as_ref(), next: None, last: seq };
    if at.is_some() && holds(after, &known).is_ok() {
        return Ok(());
    }
    let last = end(shared).await?;
    let next = read::next(requests, stream, ">", seq.next(), Consistency::Leader).await?;
    holds(after, &Answers { at: at.as_ref(), next: next.map(|record| record.seq), last })
}

/// The stream's last sequence.
async fn end(shared: &Shared) -> Result<Seq, LogError> {
    let last = read::last(&shared.requests, &shared.stream, ">", Consistency::Leader).await?;
    match last {
        Some(last) => Ok(last.seq),
        // It holds nothing: only its state tells whether anything was removed.
        None => Ok(stream_info(&shared.requests, &shared.stream).await?.last_seq),
    }
}
