//! The documents as judges.
//!
//! ```text
//!  answer  ─▶ path, method, status, media type ─▶ schema of /openapi.json  ─┐
//!  message ─▶ channel, type ────────────────────▶ schema of /asyncapi.json ─┴▶ what is wrong
//! ```
//! Stricter than the documents: here a field that is not described is wrong, so that a renamed one cannot pass.

use fillstream_tests::http::{Answer, get};
use jsonschema::Draft;
use serde_json::{Map, Value, json};

/// See the module's first line.
pub(super) struct Contract {
    pub(super) openapi: Value,
    pub(super) asyncapi: Value,
}

impl Contract {
    /// The documents as they are: what they do not describe may be there as well.
    pub(super) async fn open(address: &str) -> Self {
        let read = async |path| get(address, path).await.json();
        Self { openapi: read("/openapi.json").await, asyncapi: read("/asyncapi.json").await }
    }

    /// The documents, closed.
    pub(super) async fn of(address: &str) -> Self {
        let read = async |path| {
            let answer = get(address, path).await;
            assert_eq!(answer.status, 200, "{path}");
            closed(answer.json())
        };
        Self { openapi: read("/openapi.json").await, asyncapi: read("/asyncapi.json").await }
    }

    /// Holds an answer to what is told about its path.
    pub(super) fn judge_answer(&self, method: &str, path: &str, answer: &Answer) -> Result<(), String> {
        let Answer { status, body, .. } = answer;
        let path = path.split('?').next().unwrap_or(path);
        let template = self.template(path).ok_or_else(|| format!("{path} is not described"))?;
        let operation = &self.openapi["paths"][template][method.to_ascii_lowercase()];
        let told = operation["responses"].get(status.to_string());
        let told = told.ok_or_else(|| format!("{method} {template} has no {status}"))?;
        let Some(media_type) = answer.header("content-type") else {
            let empty = body.is_empty() && told.get("content").is_none();
            return if empty {
                Ok(())
            } else {
                Err(format!("{method} {template} {status} has no content type"))
            };
        };
        let essence = media_type.split(';').next().unwrap_or(media_type);
        let content = told["content"].get(essence);
        let content = content.ok_or_else(|| format!("{method} {template} {status} is never {essence}"))?;
        if !essence.ends_with("json") {
            return Ok(());
        }
        let problem = judge(&self.openapi, &content["schema"], &answer.json());
        problem.map_err(|wrong| format!("{method} {template} {status}: {wrong}"))
    }

    /// The path as it is described; one without parameters before one with.
    fn template(&self, path: &str) -> Option<&String> {
        let paths = self.openapi["paths"].as_object()?;
        let (mut exact, mut with_parameters) = (None, None);
        for template in paths.keys() {
            match template {
                _ if template == path => exact = Some(template),
                _ if fits(template, path, '/') => with_parameters = Some(template),
                _ => {}
            }
        }
        exact.or(with_parameters)
    }

    /// Holds a message that the server sent to what is told about the channel; the name of the message that it is.
    pub(super) fn judge_message(&self, channel: &str, message: &Value) -> Result<String, String> {
        let operation = &self.asyncapi["operations"][format!("{channel}.told")];
        let names = operation["messages"].as_array().ok_or_else(|| format!("{channel} tells nothing"))?;
        let names = names.iter().filter_map(|name| name["$ref"].as_str()?.rsplit('/').next());
        let mut wrong = Vec::new();
        for name in names {
            let payload = &self.asyncapi["components"]["messages"][name]["payload"];
            let of_type = &payload["properties"]["type"]["const"];
            if *of_type != message["type"] {
                continue;
            }
            match judge(&self.asyncapi, payload, message) {
                Ok(()) => return Ok(name.to_owned()),
                Err(problem) => wrong.push(format!("{name}: {problem}")),
            }
        }
        Err(format!("on {channel}, {} is none of its messages: {}", message, wrong.join("; ")))
    }

    /// The channel of a subject of the stream.
    pub(super) fn channel_of_subject(&self, subject: &str) -> Option<&String> {
        let channels = self.asyncapi["channels"].as_object()?;
        let stored = channels.iter().filter(|(_, told)| told["servers"][0]["$ref"] == "#/servers/stream");
        // One that is written out before one that is a parameter: `clock` is no order.
        let mut fitting: Vec<_> = stored
            .filter(|(_, told)| fits(told["address"].as_str().unwrap_or_default(), subject, '.'))
            .collect();
        fitting.sort_by_key(|(_, told)| told["address"].as_str().unwrap_or_default().matches('{').count());
        fitting.first().map(|(name, _)| *name)
    }
}

/// True when an address with `{parameters}` is this one.
fn fits(template: &str, address: &str, separator: char) -> bool {
    let (told, asked): (Vec<_>, Vec<_>) =
        (template.split(separator).collect(), address.split(separator).collect());
    let fit = |(told, asked): (&&str, &&str)| told == asked || told.starts_with('{') && !asked.is_empty();
    told.len() == asked.len() && told.iter().zip(&asked).all(fit)
}

/// Holds a value to a schema of a document.
pub(super) fn judge(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let schema = json!({ "allOf": [schema], "components": document["components"] });
    let draft = if document.get("asyncapi").is_some() { Draft::Draft7 } else { Draft::Draft202012 };
    let validator = jsonschema::options().with_draft(draft).build(&schema);
    let validator = validator.unwrap_or_else(|error| panic!("{error} in {schema:#}"));
    let wrong: Vec<_> =
        validator.iter_errors(value).map(|error| format!("{} {error}", error.instance_path())).collect();
    if wrong.is_empty() { Ok(()) } else { Err(format!("{} of {value:#}", wrong.join("; "))) }
}

/// Schemas of which one or all hold, at the same place.
const ALTERNATIVES: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// The document with every object closed: what is not described is not there. An object that is described in several
/// schemas at once stays open: each of them knows only its own fields.
fn closed(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(closed).collect(),
        Value::Object(members) => {
            let has_fields = members.contains_key("properties");
            let split = has_fields && ALTERNATIVES.iter().any(|name| members.contains_key(*name));
            let below = |(name, value): (String, Value)| {
                let stays = split && ALTERNATIVES.contains(&name.as_str());
                (name, if stays { value } else { closed(value) })
            };
            let mut members: Map<_, _> = members.into_iter().map(below).collect();
            let is_object = members.get("type").is_some_and(|kind| kind == "object");
            if is_object && has_fields && !split && !members.contains_key("additionalProperties") {
                members.insert("additionalProperties".to_owned(), json!(false));
            }
            Value::Object(members)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// A JSON object with one of its fields renamed.
pub(super) fn renamed(value: &Value, name: &str) -> Value {
    let mut fields = value.as_object().cloned().unwrap_or_default();
    let field = fields.remove(name).unwrap_or_default();
    fields.insert(format!("{name}_"), field);
    Value::Object(fields)
}

/// A JSON object with each of its fields renamed in turn: none of them may pass.
pub(super) fn each_renamed(value: &Value) -> Vec<Value> {
    value.as_object().into_iter().flat_map(Map::keys).map(|name| renamed(value, name)).collect()
}
