//! Discovery of a service: `$SRV.PING`, `$SRV.INFO`, `$SRV.STATS`; of all services, of one name, of one process.

use std::sync::Arc;

use async_nats::{Client, Message, SubscribeError, Subscriber};
use fillstream_retry::chain;
use futures_util::{
    StreamExt,
    stream::{SelectAll, select_all},
};
use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tracing::{debug, warn};

use super::{Pairs, QUEUE_GROUP, ServiceDefinition, endpoint::Endpoint, may_be_answered};

/// What can be asked.
#[derive(Debug, Clone, Copy)]
enum Verb {
    Ping,
    Info,
    Stats,
}

const VERBS: [(&str, Verb); 3] = [("PING", Verb::Ping), ("INFO", Verb::Info), ("STATS", Verb::Stats)];

/// A service as it presents itself.
pub(super) struct Identity {
    /// Unique to the process.
    pub(super) id: String,
    pub(super) started: OffsetDateTime,
    pub(super) definition: ServiceDefinition,
    pub(super) endpoints: Vec<Arc<Endpoint>>,
}

impl Identity {
    pub(super) async fn subscribe(&self, client: &Client) -> Result<SelectAll<Subscriber>, SubscribeError> {
        let mut asked = Vec::new();
        for (verb, _) in VERBS {
            let name = self.definition.name;
            let of_all = format!("$SRV.{verb}");
            for subject in
                [of_all.clone(), format!("{of_all}.{name}"), format!("{of_all}.{name}.{}", self.id)]
            {
                asked.push(client.subscribe(subject).await?);
            }
        }
        Ok(select_all(asked))
    }

    pub(super) async fn answer(self, client: Client, mut asked: SelectAll<Subscriber>) {
        while let Some(Message { subject, reply, .. }) = asked.next().await {
            let asks = |verb: &str| subject.split('.').nth(1) == Some(verb);
            let verb = VERBS.iter().find(|(verb, _)| asks(verb));
            let (Some(reply), Some((_, verb))) = (reply, verb) else { continue };
            if !may_be_answered(&reply) {
                warn!(%subject, %reply, "somebody looks for the service, and wants the answer where none may go");
                continue;
            }
            let answer = self.told(*verb).to_string();
            if let Err(error) = client.publish(reply, answer.into()).await {
                debug!(error = %chain(&error), "somebody looked for the service, and hears nothing");
            }
        }
    }

    fn told(&self, verb: Verb) -> Value {
        let (kind, more) = match verb {
            Verb::Ping => ("ping", json!({})),
            Verb::Info => {
                let endpoints = self.endpoints.iter().map(|endpoint| {
                    let metadata = object(&endpoint.definition.metadata);
                    with(place(endpoint), json!({ "metadata": metadata }))
                });
                let endpoints: Value = endpoints.collect();
                ("info", json!({ "description": self.definition.description, "endpoints": endpoints }))
            }
            Verb::Stats => {
                let endpoints: Value = self
                    .endpoints
                    .iter()
                    .map(|endpoint| with(place(endpoint), endpoint.stats.told()))
                    .collect();
                let started = self.started.format(&Rfc3339).unwrap_or_default();
                ("stats", json!({ "started": started, "endpoints": endpoints }))
            }
        };
        let standard = json!({
            "type": format!("io.nats.micro.v1.{kind}_response"),
            "name": self.definition.name,
            "id": self.id,
            "version": self.definition.version,
            "metadata": object(&self.definition.metadata),
        });
        with(standard, more)
    }
}

fn place(endpoint: &Endpoint) -> Value {
    let definition = &endpoint.definition;
    json!({ "name": definition.name, "subject": definition.subject, "queue_group": QUEUE_GROUP })
}

fn object(pairs: &Pairs) -> Value {
    pairs
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect::<Map<_, _>>()
        .into()
}

fn with(mut value: Value, more: Value) -> Value {
    if let (Value::Object(fields), Value::Object(more)) = (&mut value, more) {
        fields.extend(more);
    }
    value
}
