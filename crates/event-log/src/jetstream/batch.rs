//! Committing one group, and finding out what became of records whose answer was lost.

use async_nats::{HeaderMap, header};
use bytes::Bytes;
use futures_util::future::join_all;
use tracing::{debug, warn};
use uuid::Uuid;

use super::{
    answer::{Answer, Outcome},
    read,
    requests::{Answers, Requests},
    writer::{Entry, GroupDone, tell},
};
use crate::{AppendError, Consistency, LogError, NewRecord};

/// Pause before something is tried again that the server could not do just now.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(50);
/// Room for headers within the server's `max_payload`, which counts them.
const HEADER_ROOM: usize = 4096;
/// CloudEvents `source` of everything that is written here.
const SOURCE: &str = "fillstream";

/// Sends groups.
#[derive(Clone)]
pub(super) struct Committer {
    requests: Requests,
    stream: String,
}

impl Committer {
    pub(super) fn new(requests: Requests, stream: String) -> Self {
        Self { requests, stream }
    }

    /// Sends a group and sees to it that each record gets its verdict, or comes back to be tried again.
    pub(super) async fn commit(self, group: Vec<Entry>, as_batch: bool) -> GroupDone {
        let subjects = group.iter().map(|entry| entry.record.subject.clone()).collect();
        let (group, too_large) = self.split_too_large(group);
        for (entry, limit) in too_large {
            let size = entry.record.payload.len();
            tell(
                entry,
                Err(AppendError::Refused(format!("{size} bytes are more than the server takes ({limit})"))),
            );
        }
        let again = if as_batch { self.as_batch(group).await } else { self.as_plain(group).await };
        GroupDone { again, subjects }
    }

    fn split_too_large(&self, group: Vec<Entry>) -> (Vec<Entry>, Vec<(Entry, usize)>) {
        let limit = self.requests.client().max_payload().saturating_sub(HEADER_ROOM);
        let (fits, large): (Vec<_>, Vec<_>) =
            group.into_iter().partition(|entry| entry.record.payload.len() <= limit);
        (fits, large.into_iter().map(|entry| (entry, limit)).collect())
    }

    /// Plain publishes, side by side.
    async fn as_plain(&self, group: Vec<Entry>) -> Vec<Entry> {
        let mut sent = Vec::with_capacity(group.len());
        for entry in group {
            let answers = self.publish(&entry.record, None).await;
            sent.push((entry, answers));
        }
        let mut doubtful = Vec::new();
        let mut again = Vec::new();
        for (entry, answers) in sent {
            match outcome(answers).await {
                Outcome::Stored(seq) => tell(entry, Ok(seq)),
                Outcome::Refused(reason) => tell(entry, Err(AppendError::Refused(reason))),
                Outcome::Fenced | Outcome::Unclear => doubtful.push(entry),
                Outcome::Again(_) | Outcome::NoBatches => again.push(entry),
            }
        }
        if !again.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
        again.extend(self.resolve(doubtful).await);
        again
    }

    /// One atomic batch. What the server refuses as a whole is taken apart: losers are told, the rest goes again.
    async fn as_batch(&self, group: Vec<Entry>) -> Vec<Entry> {
        let batch_id = Uuid::now_v7().simple().to_string();
        let Some((last, others)) = group.split_last() else { return group };
        for (sequence, entry) in (1..).zip(others) {
            // Only the commit is answered. If one of these is not sent, the server finds the batch incomplete.
            let headers =
                headers(&entry.record, Some(Place { batch_id: &batch_id, sequence, commit: false }));
            let (subject, payload) = (entry.record.subject.clone(), entry.record.payload.clone());
            let _ = self.requests.client().publish_with_headers(subject, headers, payload).await;
        }
        let commit = Place { batch_id: &batch_id, sequence: group.len(), commit: true };
        match outcome(self.publish(&last.record, Some(commit)).await).await {
            Outcome::Stored(last_seq) => {
                let first = last_seq + 1 - group.len() as u64;
                for (entry, seq) in group.into_iter().zip(first..) {
                    tell(entry, Ok(seq));
                }
                Vec::new()
            }
            Outcome::Fenced | Outcome::Unclear => self.resolve(group).await,
            Outcome::Again(reason) => {
                debug!(reason, "the batch goes again");
                tokio::time::sleep(PAUSE).await;
                group
            }
            // Each on its own: the refused one is told so, its neighbours are stored.
            Outcome::NoBatches | Outcome::Refused(_) => Box::pin(self.as_plain(group)).await,
        }
    }

    async fn publish(&self, record: &NewRecord, place: Option<Place<'_>>) -> Result<Answers, LogError> {
        self.requests.send(record.subject.clone(), Some(headers(record, place)), record.payload.clone()).await
    }

    /// Finds out what became of records: stored by us, beaten by another writer, or not there, which brings them
    /// back. Reading comes first because an answer that is lost says nothing.
    async fn resolve(&self, doubtful: Vec<Entry>) -> Vec<Entry> {
        if doubtful.is_empty() {
            return doubtful;
        }
        let looked_up = join_all(doubtful.iter().map(|entry| self.first_after(&entry.record))).await;
        let mut again = Vec::new();
        let mut unreachable = false;
        for (entry, found) in doubtful.into_iter().zip(looked_up) {
            match found {
                Ok(Some(found)) if found.event_id == Some(entry.record.event_id) => {
                    tell(entry, Ok(found.seq))
                }
                Ok(Some(found)) => tell(entry, Err(AppendError::Fenced { last: found.seq })),
                Ok(None) => again.push(entry),
                Err(error) => {
                    warn!(%error, subject = entry.record.subject, "cannot see yet whether a record is stored");
                    unreachable = true;
                    again.push(entry);
                }
            }
        }
        if unreachable {
            tokio::time::sleep(PAUSE).await;
        }
        again
    }

    /// The first record behind the fence: ours or the one that beat us.
    async fn first_after(&self, record: &NewRecord) -> Result<Option<crate::Record>, LogError> {
        read::next(&self.requests, &self.stream, &record.subject, record.after + 1, Consistency::Leader).await
    }
}

/// A record's place in an atomic batch.
struct Place<'a> {
    batch_id: &'a str,
    sequence: usize,
    commit: bool,
}

async fn outcome(sent: Result<Answers, LogError>) -> Outcome {
    let Ok(mut answers) = sent else { return Outcome::Unclear };
    match answers.next().await {
        Ok(message) => Answer::judge(&message),
        Err(_) => Outcome::Unclear,
    }
}

fn headers(record: &NewRecord, place: Option<Place<'_>>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("ce-specversion", "1.0");
    headers.insert("ce-id", record.event_id.to_string());
    headers.insert("ce-source", SOURCE);
    headers.insert("ce-type", record.event_type.as_str());
    headers.insert("ce-time", record.time.as_str());
    if let Some(traceparent) = &record.traceparent {
        headers.insert("traceparent", traceparent.as_str());
    }
    headers.insert(header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, record.after.to_string());
    if let Some(place) = place {
        headers.insert(header::NATS_BATCH_ID, place.batch_id);
        headers.insert(header::NATS_BATCH_SEQUENCE, place.sequence.to_string());
        if place.commit {
            headers.insert(header::NATS_BATCH_COMMIT, header::NATS_BATCH_COMMIT_FINAL);
        }
    }
    headers
}

/// The payload of an empty request.
pub(super) const fn nothing() -> Bytes {
    Bytes::new()
}
