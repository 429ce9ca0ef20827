//! Descriptions of channels as one AsyncAPI 3.0 document.
//!
//! Payloads are schemas of draft 07, which is what AsyncAPI's own schemas are.

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{About, Channel, Message, Reach, operation::shared};

/// The document. `listen` is where the HTTP server listens, `broker` where the stream is: host and port each.
#[must_use]
pub fn asyncapi(about: &About, listen: &str, broker: &str, channels: &[Channel]) -> Value {
    let mut settings = SchemaSettings::draft07().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    let mut generator = settings.into_generator();
    let (mut told, mut operations, mut messages) = (Map::new(), Map::new(), Map::new());
    for channel in channels {
        let own: Vec<_> = channel.told.iter().chain(&channel.heard).collect();
        told.insert(channel.id.to_string(), described(channel, json!(channel.address), &own));
        if !channel.replies.is_empty() {
            let replies: Vec<_> = channel.replies.iter().collect();
            // Where a reply goes is known only once the request names it.
            told.insert(reply_to(channel), described(channel, Value::Null, &replies));
        }
        let mut act = |verb: &str, action: &str, list: &[Message], replies: &[Message]| {
            if !list.is_empty() {
                let operation = operation(channel, action, list, replies);
                operations.insert(format!("{}.{verb}", channel.id), operation);
            }
        };
        act("told", "send", &channel.told, &[]);
        act("heard", "receive", &channel.heard, &channel.replies);
        for message in channel.told.iter().chain(&channel.heard).chain(&channel.replies) {
            messages.insert(message.id.clone(), payload(message, &mut generator));
        }
    }
    let tags: Vec<_> =
        about.tags.iter().map(|(name, text)| json!({ "name": name, "description": text })).collect();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": about.title,
            "version": about.version,
            "description": about.text,
            "license": { "name": "Apache-2.0" },
            "tags": tags,
        },
        "defaultContentType": "application/json",
        "servers": {
            "sockets": { "host": listen, "protocol": "ws", "description": "Where this document was read." },
            "stream": { "host": broker, "protocol": "nats", "description": "NATS with JetStream." },
        },
        "channels": told,
        "operations": operations,
        "components": { "messages": messages, "schemas": shared(&mut generator) },
    })
}

fn reply_to(channel: &Channel) -> String {
    format!("{}.replies", channel.id)
}

fn described(channel: &Channel, address: Value, messages: &[&Message]) -> Value {
    let messages: Map<_, _> = messages
        .iter()
        .map(|message| {
            (message.id.clone(), json!({ "$ref": format!("#/components/messages/{}", message.id) }))
        })
        .collect();
    let parameter = |(name, about): &(&str, &str)| ((*name).to_owned(), json!({ "description": about }));
    let (server, tag) = match channel.reach {
        Reach::Socket => ("sockets", "sockets"),
        Reach::Subject => ("stream", "subjects"),
    };
    let mut told = json!({
        "address": address,
        "title": channel.summary,
        "servers": [{ "$ref": format!("#/servers/{server}") }],
        "messages": messages,
        "tags": [{ "name": tag }],
    });
    if !channel.about.is_empty() {
        told["description"] = json!(channel.about);
    }
    if !channel.parameters.is_empty() && !address.is_null() {
        told["parameters"] = channel.parameters.iter().map(parameter).collect::<Map<_, _>>().into();
    }
    if channel.reach == Reach::Socket {
        let property = |(name, about, schema): &(&str, &str, Value)| {
            let mut schema = schema.clone();
            schema["description"] = json!(about);
            ((*name).to_owned(), schema)
        };
        let query: Map<_, _> = channel.query.iter().map(property).collect();
        told["bindings"] =
            json!({ "ws": { "method": "GET", "query": { "type": "object", "properties": query } } });
        let closes: Vec<_> =
            channel.closes.iter().map(|(code, why)| json!({ "code": code, "why": why })).collect();
        told["x-close-codes"] = json!(closes);
    }
    told
}

fn operation(channel: &Channel, action: &str, messages: &[Message], replies: &[Message]) -> Value {
    let refer = |channel: &str, list: &[Message]| {
        let at = format!("#/channels/{channel}");
        let message = |one: &Message| json!({ "$ref": format!("{at}/messages/{}", one.id) });
        (json!({ "$ref": at }), list.iter().map(message).collect::<Vec<_>>())
    };
    let (at, messages) = refer(&channel.id, messages);
    let mut operation =
        json!({ "action": action, "channel": at, "summary": channel.summary, "messages": messages });
    if !replies.is_empty() {
        let (at, messages) = refer(&reply_to(channel), replies);
        operation["reply"] = json!({ "channel": at, "messages": messages });
    }
    operation
}

/// A message with its schema; what the schema refers to is left with the generator.
fn payload(message: &Message, generator: &mut SchemaGenerator) -> Value {
    let mut schema = message.shape.schema(generator);
    for (field, value) in &message.fixed {
        schema["properties"][field] = json!({ "const": value });
    }
    let there = message.fixed.iter().map(|(field, _)| *field).chain(message.there.iter().copied());
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        for field in there.map(Value::from) {
            if !required.contains(&field) {
                required.push(field);
            }
        }
    }
    let mut told = json!({
        "name": message.id,
        "summary": message.about,
        "contentType": "application/json",
        "payload": schema,
    });
    if let Some(headers) = &message.headers {
        told["headers"] = headers.clone();
    }
    told
}
