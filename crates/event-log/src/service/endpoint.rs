//! One endpoint at work.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::{Client, HeaderMap, HeaderName, HeaderValue, Message, Subscriber};
use bytes::Bytes;
use fillstream_retry::chain;
use futures_util::{FutureExt, StreamExt};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, warn};

use super::{
    Answers, EndpointDefinition, Pairs, ServiceReply, ServiceRequest, may_be_answered, stats::Stats,
};

/// Where the convention has an error.
const ERROR: &str = "Nats-Service-Error";
const ERROR_CODE: &str = "Nats-Service-Error-Code";

/// Messages after which a subscription is to end: more than it can get, and more digits than the server reads, which takes
/// it for no number at all and ends the subscription at once. A server that reads it would go on until
/// [`drain`](Subscriber::drain).
const NEVER_REACHED: u64 = 1_000_000_000_000;
/// Time that the server may take to pass on a message to ourselves, which takes it a millisecond.
const FENCE_PATIENCE: Duration = Duration::from_secs(1);

/// An endpoint and what it has done.
pub(super) struct Endpoint {
    pub(super) definition: EndpointDefinition,
    pub(super) stats: Stats,
}

impl Endpoint {
    pub(super) fn new(definition: EndpointDefinition) -> Self {
        Self { definition, stats: Stats::default() }
    }
}

/// What answering needs.
#[derive(Clone)]
pub(super) struct AtWork {
    pub(super) number: usize,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) answers: Arc<dyn Answers>,
    pub(super) client: Client,
    /// Each request is one of these.
    pub(super) tasks: TaskTracker,
}

impl AtWork {
    /// Takes requests until it is to drain, then what had been delivered by then.
    pub(super) async fn run(self, mut requests: Subscriber, draining: CancellationToken) {
        let mut drained = false;
        loop {
            tokio::select! {
                request = requests.next() => match request {
                    Some(request) => drop(self.tasks.spawn(self.clone().serve(request))),
                    None => return,
                },
                () = draining.cancelled(), if !drained => {
                    drained = true;
                    self.leave(&mut requests).await;
                }
            }
        }
    }

    /// Ends the subscription without losing what is on its way. The client alone would forget a subscription as soon as
    /// it has said so to the server, and drop what the server had sent by then.
    async fn leave(&self, requests: &mut Subscriber) {
        let left = async {
            // The server ends it now; the client keeps it.
            requests.unsubscribe_after(NEVER_REACHED).await.ok()?;
            // Messages keep their order: once this is back, nothing is on its way any more.
            let inbox = self.client.new_inbox();
            let mut fence = self.client.subscribe(inbox.clone()).await.ok()?;
            self.client.publish(inbox, Bytes::new()).await.ok()?;
            fence.next().await
        };
        if timeout(FENCE_PATIENCE, left).await.is_err() {
            warn!(
                subject = self.endpoint.definition.subject,
                "the server does not answer; requests on their way are lost"
            );
        }
        // The client forgets it, too: the requests come to their end.
        if requests.drain().await.is_err() {
            warn!(subject = self.endpoint.definition.subject, "the connection is gone");
        }
    }

    async fn serve(self, message: Message) {
        let Some(reply) = message.reply else {
            let subject = self.endpoint.definition.subject;
            return warn!(
                subject,
                "a request without a reply subject: nobody would hear the answer, nothing is done"
            );
        };
        if !may_be_answered(&reply) {
            let subject = self.endpoint.definition.subject;
            return warn!(subject, %reply, "a request whose answer is to go where none may: nothing is done");
        }
        let began = Instant::now();
        let request = ServiceRequest { headers: pairs(message.headers.as_ref()), payload: message.payload };
        let answer = AssertUnwindSafe(self.answers.answer(self.number, request)).catch_unwind().await;
        let answer = answer.unwrap_or_else(|_| {
            error!(subject = self.endpoint.definition.subject, "a request has failed");
            ServiceReply::error(500, "The request has failed.")
        });
        let error = answer.error.as_ref().map(|(code, text)| format!("{code}:{text}"));
        // Before the answer leaves: who has it finds it counted.
        self.endpoint.stats.count(began.elapsed(), error);
        if let Err(error) = self.client.publish_with_headers(reply, headers(&answer), answer.payload).await {
            warn!(error = %chain(&error), subject = self.endpoint.definition.subject, "an answer could not be sent");
        }
    }
}

fn pairs(headers: Option<&HeaderMap>) -> Pairs {
    let all = headers.into_iter().flat_map(HeaderMap::iter);
    all.flat_map(|(name, values)| values.iter().map(|value| (name.to_string(), value.as_str().to_owned())))
        .collect()
}

fn headers(reply: &ServiceReply) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &reply.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            headers.append(name, value);
        }
    }
    if let Some((code, text)) = &reply.error {
        headers.insert(ERROR_CODE, code.to_string());
        headers.insert(ERROR, text.replace(['\r', '\n'], " "));
    }
    headers
}
