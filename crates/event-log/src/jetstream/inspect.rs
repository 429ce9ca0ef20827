//! A look at a server, its streams and one's own rights, that makes nothing and stores nothing.
//!
//! ```text
//!  probe ──▶ server ──┬─ an answer, whatever it says ──────▶ allowed
//!                     ├─ "Permissions Violation … subject" ▶ refused
//!                     └─ nothing ──────────────────────────▶ silent
//! ```
//! A probe is a request that the server understands only so far that it turns it down: an append behind a fence that
//! never holds, or half a JSON document.

use std::{collections::BTreeSet, time::Duration};

use async_nats::{HeaderMap, StatusCode};
use bytes::Bytes;
use fillstream_domain::{Seq, Timestamp};
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{sync::watch, time::timeout};

use super::{
    LogOptions,
    connect::{ConnectError, OWN_INBOX, connect},
    leader::leader,
    requests::Requests,
};
use crate::{LogError, Record, ServerError, error::Missing};

/// Longest wait for a connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// No stream has this name: an append that expects it is refused by any.
const NO_STREAM: &str = "fillstream-doctor-expects-no-such-stream";
/// No JSON document: a request that is read is turned down.
const HALF_JSON: &str = "{";

/// See the module's first line.
pub struct Inspector {
    requests: Requests,
    refused: watch::Receiver<BTreeSet<String>>,
}

/// Greeting of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// `2.15.1`.
    pub version: String,
    /// JetStream is on.
    pub jetstream: bool,
    /// Bytes that it takes in one message, headers included.
    pub max_payload: usize,
}

/// Question that is asked only to learn whether it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// An append under this subject, behind a fence that never holds.
    Append(String),
    /// A request that cannot be read, to this subject.
    Request(String),
}

impl Probe {
    /// The subject that is published to.
    #[must_use]
    pub fn subject(&self) -> &str {
        match self {
            Self::Append(subject) | Self::Request(subject) => subject,
        }
    }
}

/// Outcome of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// The server let it through.
    Allowed,
    /// The user may not publish there, or may not hear the answer.
    Refused,
    /// No word in time.
    Silent,
}

impl Inspector {
    /// Connects. Neither makes nor opens a stream.
    ///
    /// # Errors
    /// When there is no server, or it lets nobody like this in.
    pub async fn connect(options: &LogOptions) -> Result<Self, ConnectError> {
        let (told, refused) = watch::channel(BTreeSet::new());
        let note = move |error: &str| {
            if let Some(subject) = refused_subject(error) {
                told.send_modify(|refused| {
                    refused.insert(subject.to_owned());
                });
            }
        };
        let late = || LogError::unreachable("no greeting within 5 s");
        let requests = timeout(CONNECT_PATIENCE, connect(options, note)).await.map_err(|_| late())??;
        Ok(Self { requests, refused })
    }

    /// Statement of the server about itself.
    #[must_use]
    pub fn greeting(&self) -> Greeting {
        let info = self.requests.client().server_info();
        Greeting { version: info.version, jetstream: info.jetstream, max_payload: info.max_payload }
    }

    /// Asks JetStream's API, such as `STREAM.INFO.ORDERS`; the answer as it came, without one that is an error.
    ///
    /// # Errors
    /// When it does not answer, or answers with an error.
    pub async fn ask(&self, question: &str, body: Option<&Value>) -> Result<Value, LogError> {
        let subject = format!("$JS.API.{question}");
        let payload = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let message = self.unless_refused(&subject, self.requests.ask(subject.clone(), payload)).await?;
        if message.status == Some(StatusCode::NO_RESPONDERS) {
            return Err(Missing::NoResponder.into());
        }
        let answer: Value = serde_json::from_slice(&message.payload).map_err(LogError::unreadable)?;
        match answer.get("error") {
            Some(error) => {
                let error = ServerError::deserialize(error).map_err(LogError::unreadable)?;
                Err(error.into())
            }
            None => Ok(answer),
        }
    }

    /// The present instant by the clock that stamps the stream's records, its leader's; nothing from a server that does not
    /// tell. Ages of records are differences to this one: another machine's clock may go minutes wrong.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn now(&self, stream: &str) -> Result<Option<Timestamp>, LogError> {
        let info = self.ask(&format!("STREAM.INFO.{stream}"), None).await?;
        Ok(info["ts"].as_str().and_then(|text| text.parse().ok()))
    }

    /// The first record from sequence `from` on under a pattern, as the leader has it.
    ///
    /// # Errors
    /// When the stream cannot be asked.
    pub async fn next(&self, stream: &str, pattern: &str, from: Seq) -> Result<Option<Record>, LogError> {
        let wanted = json!({ "seq": from, "next_by_subj": pattern });
        let subject = format!("$JS.API.STREAM.MSG.GET.{stream}");
        self.unless_refused(&subject, leader(&self.requests, stream, &wanted)).await
    }

    /// Tries each; nothing is stored, made or changed by it.
    pub async fn may(&self, probes: &[Probe]) -> Vec<Right> {
        join_all(probes.iter().map(|probe| self.probe(probe))).await
    }

    async fn probe(&self, probe: &Probe) -> Right {
        let mut headers = HeaderMap::new();
        let payload = match probe {
            Probe::Append(_) => {
                headers.insert("Nats-Expected-Stream", NO_STREAM);
                Bytes::new()
            }
            Probe::Request(_) => HALF_JSON.into(),
        };
        let subject = probe.subject().to_owned();
        let answered = async {
            let headers = (!headers.is_empty()).then_some(headers);
            self.requests.send(subject.clone(), headers, payload).await?.next().await
        };
        match self.unless_refused(&subject, answered).await {
            Ok(_) => Right::Allowed,
            Err(LogError::Denied { .. }) => Right::Refused,
            Err(_) => Right::Silent,
        }
    }

    /// Ends what is asked as soon as the server says that it must not be: an answer will never come.
    async fn unless_refused<T>(
        &self,
        subject: &str,
        asked: impl Future<Output = Result<T, LogError>>,
    ) -> Result<T, LogError> {
        let mut refused = self.refused.clone();
        let told = |refused: &BTreeSet<String>| {
            refused.iter().any(|found| found == subject || found.starts_with(OWN_INBOX))
        };
        tokio::select! {
            answer = asked => answer,
            Ok(_) = refused.wait_for(told) => {
                Err(LogError::Denied { subject: subject.to_owned() })
            }
        }
    }
}

/// The subject of `Permissions Violation for Publish to "orders.swap.x"`, or for a subscription.
fn refused_subject(error: &str) -> Option<&str> {
    let start = error.to_ascii_lowercase().find("permissions violation")?;
    error.get(start..)?.split('"').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refused_subject_is_read_out_of_the_server_s_words() {
        for (error, subject) in [
            (r#"Permissions Violation for Publish to "orders.swap.x.placed""#, Some("orders.swap.x.placed")),
            (r#"Permissions Violation for Subscription to "_INBOX.a.*""#, Some("_INBOX.a.*")),
            (r#"nats: permissions violation for Subscription to "a" using queue "q""#, Some("a")),
            ("Authorization Violation", None),
            ("Permissions Violation", None),
            ("", None),
        ] {
            assert_eq!(refused_subject(error), subject, "{error}");
        }
    }
}
