//! Requests over the broker: endpoints as the NATS services convention has them (ADR-32 of the NATS architecture).
//!
//! ```text
//!  nats req SUBJECT ──▶ queue group q ──▶ Endpoint ──▶ Answers::answer ──▶ reply, errors in headers
//!  nats micro ls    ──▶ $SRV.PING | INFO | STATS ──▶ what the service is, and what it has done
//! ```
//! The client library's own service is not used: it answers an error without a body, counts only answers of its own,
//! and when it stops it drops what it has not yet begun.

mod discovery;
mod endpoint;
mod stats;

use std::{sync::Arc, time::Duration};

use async_nats::Client;
use async_trait::async_trait;
use bytes::Bytes;
use fillstream_retry::chain;
use time::OffsetDateTime;
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;
use uuid::Uuid;

use self::{discovery::Identity, endpoint::Endpoint};
use crate::{LogError, jetstream::OWN_INBOX};

/// The queue group of the convention: of all processes with the service, one gets a request.
const QUEUE_GROUP: &str = "q";

/// Names and values, in order.
pub type Pairs = Vec<(String, String)>;

/// Description of a service, for those who look for it.
#[derive(Debug, Clone)]
pub struct ServiceDefinition {
    /// Shared by all processes: letters, digits, `-` and `_`.
    pub name: &'static str,
    /// A semantic version.
    pub version: &'static str,
    /// For people.
    pub description: &'static str,
    /// More about the service.
    pub metadata: Pairs,
    /// Subjects of its requests. Their order is their number.
    pub endpoints: Vec<EndpointDefinition>,
}

/// An endpoint of a service.
#[derive(Debug, Clone)]
pub struct EndpointDefinition {
    /// Letters, digits, `-` and `_`.
    pub name: String,
    /// A literal subject.
    pub subject: &'static str,
    /// More about it.
    pub metadata: Pairs,
}

/// A request that has come in.
#[derive(Debug, Clone)]
pub struct ServiceRequest {
    /// Its headers, as the client wrote them.
    pub headers: Pairs,
    /// Its payload.
    pub payload: Bytes,
}

/// Answer to a request.
#[derive(Debug, Clone, Default)]
pub struct ServiceReply {
    /// Code and description of an error: `Nats-Service-Error-Code` and `Nats-Service-Error`.
    pub error: Option<(u16, String)>,
    /// Further headers. Those that cannot stand in one are left out.
    pub headers: Pairs,
    /// The payload, in case of an error too.
    pub payload: Bytes,
}

impl ServiceReply {
    /// An error that says only this.
    #[must_use]
    pub fn error(code: u16, description: impl Into<String>) -> Self {
        Self { error: Some((code, description.into())), ..Self::default() }
    }
}

/// Beginnings of the subjects on which answers go: inboxes, and what the server makes of an inbox in another account that
/// imports the service, or behind a gateway.
const INBOXES: [&str; 3] = ["_INBOX", "_R_.", "_GR_."];

/// True when an answer may go there. The server lets a client name any subject for its answer, and we may publish where
/// the client may not: into the stream.
fn may_be_answered(reply: &str) -> bool {
    INBOXES.iter().any(|inbox| reply.starts_with(inbox)) && !reply.starts_with(OWN_INBOX)
}

/// Answers requests. Called for many of them at once.
#[async_trait]
pub trait Answers: Send + Sync + 'static {
    /// The answer of the endpoint with this number.
    async fn answer(&self, endpoint: usize, request: ServiceRequest) -> ServiceReply;
}

/// A service at work. Dropping it ends it at once; see [`stop`](Self::stop).
pub struct Service {
    client: Client,
    draining: CancellationToken,
    tasks: TaskTracker,
    /// Ends everything.
    _end: tokio_util::sync::DropGuard,
}

impl Service {
    /// Subscribes to everything; what comes from then on is answered.
    pub(crate) async fn start(
        client: Client,
        definition: ServiceDefinition,
        answers: Arc<dyn Answers>,
    ) -> Result<Self, LogError> {
        let (draining, end, tasks) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        // From the first subscription on: one that fails ends those before it.
        let ends = end.clone().drop_guard();
        let endpoints: Vec<_> =
            definition.endpoints.iter().cloned().map(|of| Arc::new(Endpoint::new(of))).collect();
        for (number, endpoint) in endpoints.iter().enumerate() {
            let subject = endpoint.definition.subject;
            let requests = client
                .queue_subscribe(subject, QUEUE_GROUP.to_owned())
                .await
                .map_err(LogError::unreachable)?;
            let at_work = endpoint::AtWork {
                number,
                endpoint: Arc::clone(endpoint),
                answers: Arc::clone(&answers),
                client: client.clone(),
                tasks: tasks.clone(),
            };
            tasks.spawn(end.clone().run_until_cancelled_owned(at_work.run(requests, draining.clone())));
        }
        let identity = Identity {
            id: Uuid::now_v7().simple().to_string(),
            started: OffsetDateTime::now_utc(),
            definition,
            endpoints,
        };
        // Last, so that a service that can be found can be asked.
        let asked = identity.subscribe(&client).await.map_err(LogError::unreachable)?;
        // Not waited for at the end: whoever looks may find the service until it is gone.
        tokio::spawn(end.clone().run_until_cancelled_owned(identity.answer(client.clone(), asked)));
        client.flush().await.map_err(LogError::unreachable)?;
        Ok(Self { client, draining, tasks, _end: ends })
    }

    /// Takes no more requests, answers those that it has, and returns when the answers are on their way; after `patience`
    /// those that are left are given up.
    pub async fn stop(self, patience: Duration) {
        self.draining.cancel();
        self.tasks.close();
        let drained = async {
            self.tasks.wait().await;
            if let Err(error) = self.client.flush().await {
                warn!(error = %chain(&error), "the last answers may not have left");
            }
        };
        if timeout(patience, drained).await.is_err() {
            warn!(in_hand = self.tasks.len(), "requests over NATS are given up");
        }
    }
}
