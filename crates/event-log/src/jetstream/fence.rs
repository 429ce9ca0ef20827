//! Resolution of a record whose answer was lost: its subject shows what became of it, behind the fence.

use fillstream_domain::Seq;

use super::{read, requests::Requests};
use crate::{AppendError, Consistency, LogError, NewRecord};

/// Only the leader knows for certain that a record is not there.
pub(super) const LEADER: Consistency = Consistency::Leader;

/// The verdict that the stream shows; none while the record is not there and its fence still holds.
pub(super) async fn look_up(
    requests: &Requests,
    stream: &str,
    record: &NewRecord,
) -> Result<Option<Result<Seq, AppendError>>, LogError> {
    let subject = &record.subject;
    // The first record behind the fence is ours or the one that beat us.
    if let Some(found) = read::next(requests, stream, subject, record.after.next(), LEADER).await? {
        let ours = found.event_id == Some(record.event_id);
        return Ok(Some(if ours { Ok(found.seq) } else { Err(AppendError::Fenced { last: found.seq }) }));
    }
    if record.after.is_zero() {
        return Ok(None);
    }
    let last = read::last(requests, stream, subject, LEADER).await?.map_or(Seq::ZERO, |found| found.seq);
    Ok((last < record.after).then_some(Err(AppendError::Fenced { last })))
}
