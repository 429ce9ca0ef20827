//! Committing one group, and finding out what became of records whose answer was lost.

use bytes::Bytes;
use fillstream_retry::chain;
use futures_util::future::join_all;
use tracing::{debug, warn};
use uuid::Uuid;

use super::{
    answer::{Answer, Outcome},
    fence::look_up,
    message::{Place, headers},
    requests::{Answers, Requests},
    writer::{Entry, GroupDone},
};
use crate::{AppendError, LogError, NewRecord, Refusal};

/// Pause before something is tried again that the server could not do just now.
pub(super) const PAUSE: std::time::Duration = std::time::Duration::from_millis(50);
/// To which that pause grows.
pub(super) const LONGEST_PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

/// Sends groups.
#[derive(Clone)]
pub(super) struct Committer {
    requests: Requests,
    stream: String,
    /// Records from which on a group goes as one atomic batch.
    batch_from: usize,
}

impl Committer {
    pub(super) fn new(requests: Requests, stream: String, batch_from: usize) -> Self {
        Self { requests, stream, batch_from }
    }

    /// Sends a group and sees to it that each record gets its verdict, or comes back to be tried again.
    pub(super) async fn commit(self, group: Vec<Entry>) -> GroupDone {
        let subjects = group.iter().map(|entry| entry.record.subject.clone()).collect();
        self.requests.connected().await;
        let again = self.send(group).await;
        GroupDone { again, subjects }
    }

    async fn send(&self, mut group: Vec<Entry>) -> Vec<Entry> {
        group.retain(|entry| !entry.is_abandoned());
        if group.len() >= self.batch_from { self.as_batch(group).await } else { self.as_plain(group).await }
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
                Outcome::Stored(seq) => entry.tell(Ok(seq)),
                Outcome::Full(error) => entry.tell(Err(AppendError::Full(error))),
                Outcome::Refused(refusal) => entry.tell(Err(AppendError::Refused(refusal))),
                Outcome::Fenced | Outcome::Unclear => doubtful.push(entry),
                Outcome::Again(error) => {
                    debug!(error = %chain(&error), subject = entry.record.subject, "append is retried");
                    again.push(entry);
                }
            }
        }
        if !again.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
        let absent = self.resolve(doubtful).await;
        if !absent.is_empty() {
            // A leader without a quorum fences off what is not there: it must not be asked in a tight loop.
            tokio::time::sleep(PAUSE).await;
        }
        again.extend(absent);
        again
    }

    /// One atomic batch. What the server refuses as a whole is taken apart: losers are told, the rest goes again.
    async fn as_batch(&self, group: Vec<Entry>) -> Vec<Entry> {
        match self.publish_batch(&group).await {
            Outcome::Stored(last_seq) => {
                let mut seq = last_seq.minus(group.len() as u64);
                for entry in group {
                    seq = seq.next();
                    entry.tell(Ok(seq));
                }
                Vec::new()
            }
            Outcome::Fenced => {
                let count = group.len();
                let left = self.resolve(group).await;
                if left.len() < count {
                    // At once and without newcomers: the next duplicate among those would stop it again.
                    return Box::pin(self.send(left)).await;
                }
                // A leader without a quorum fences off what is not there: it must not be asked in a tight loop.
                tokio::time::sleep(PAUSE).await;
                left
            }
            Outcome::Unclear => self.resolve(group).await,
            // Each on its own, so that only those wait or fail that are to blame.
            Outcome::Again(error) | Outcome::Full(error) => {
                debug!(error = %chain(&error), "the batch is taken apart");
                self.as_plain(group).await
            }
            Outcome::Refused(refusal) => {
                debug!(error = %chain(&refusal), "the batch is taken apart");
                self.as_plain(group).await
            }
        }
    }

    async fn publish_batch(&self, group: &[Entry]) -> Outcome {
        let batch_id = Uuid::now_v7().simple().to_string();
        let Some((last, others)) = group.split_last() else { return Outcome::Unclear };
        for (sequence, entry) in (1..).zip(others) {
            // Only the commit is answered. If one of these is not sent, the server finds the batch incomplete.
            let headers =
                headers(&entry.record, true, Some(Place { batch_id: &batch_id, sequence, commit: false }));
            let (subject, payload) = (entry.record.subject.clone(), entry.record.payload.clone());
            let _ = self.requests.client().publish_with_headers(subject, headers, payload).await;
        }
        let commit = Place { batch_id: &batch_id, sequence: group.len(), commit: true };
        outcome(self.publish(&last.record, Some(commit)).await).await
    }

    async fn publish(&self, record: &NewRecord, place: Option<Place<'_>>) -> Result<Answers, LogError> {
        let headers = headers(record, true, place);
        self.requests.send(record.subject.clone(), Some(headers), record.payload.clone()).await
    }

    /// Finds out what became of records: stored by us, beaten by another writer, or not there, which brings them
    /// back. Reading comes first because an answer that is lost says nothing.
    async fn resolve(&self, mut doubtful: Vec<Entry>) -> Vec<Entry> {
        if doubtful.is_empty() {
            return doubtful;
        }
        self.requests.connected().await;
        doubtful.retain(|entry| !entry.is_abandoned());
        let looked_up =
            join_all(doubtful.iter().map(|entry| look_up(&self.requests, &self.stream, &entry.record))).await;
        let mut again = Vec::new();
        let mut unreachable = false;
        for (entry, found) in doubtful.into_iter().zip(looked_up) {
            match found {
                Ok(Some(verdict)) => entry.tell(verdict),
                Ok(None) => again.push(entry),
                Err(error) => {
                    warn!(
                        error = %chain(&error),
                        subject = entry.record.subject,
                        "cannot see yet whether an append is stored"
                    );
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
}

/// Answer of the server to what was sent.
pub(super) async fn outcome(sent: Result<Answers, LogError>) -> Outcome {
    let mut answers = match sent {
        Ok(answers) => answers,
        Err(LogError::Invalid(reason)) => return Outcome::Refused(Refusal::Invalid(reason)),
        Err(error) => {
            debug!(error = %chain(&error), "append was not sent");
            return Outcome::Unclear;
        }
    };
    answers.next().await.map_or(Outcome::Unclear, |message| Answer::judge(&message))
}

/// The payload of an empty request.
pub(super) const fn nothing() -> Bytes {
    Bytes::new()
}
