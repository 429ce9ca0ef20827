//! The JSON Schemas of the stored events, one for each type and version.
//!
//! ```text
//!  payload type ── derive ──▶ its fields ─┐
//!  EVERY_EVENT: type and version ─────────┴─▶ document ──▶ schemas/<type>.v<version>.json
//! ```

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Value, json};

use crate::{
    book, parked,
    swap::{self, EventType},
};

/// One version of one event, with the schema of its payload.
#[derive(Debug, Clone, Copy)]
pub struct EventSchema {
    /// Type and version, as they stand in the payload.
    pub event_type: EventType,
    /// The payload's schema without `type` and `version`, for documents that hold several: what it refers to is left
    /// with the generator.
    pub body: fn(&mut SchemaGenerator) -> Schema,
    fields: fn(SchemaGenerator) -> Schema,
    /// Names that a later version has added to its lists.
    added_later: &'static [&'static str],
}

/// Every version of every event that the stream may hold. What was released once stays here for ever.
pub const EVERY_EVENT: [EventSchema; 17] = [
    EventSchema::of::<swap::Placed>("swap.placed", 1),
    EventSchema::of::<swap::RoutingStarted>("swap.routing_started", 1),
    EventSchema::of::<swap::Routed>("swap.routed", 1),
    EventSchema::of::<swap::Prepared>("swap.prepared", 1),
    EventSchema::of::<swap::RetryScheduled>("swap.retry_scheduled", 1),
    EventSchema::of::<swap::ReviewNeeded>("swap.review_needed", 1),
    EventSchema::of::<swap::Confirmed>("swap.confirmed", 1),
    EventSchema::of::<swap::Failed>("swap.failed", 1),
    EventSchema::of::<book::BookPlaced>("book.placed", 1),
    EventSchema::of::<book::AmendRequested>("book.amend_requested", 1),
    EventSchema::of::<book::CancelRequested>("book.cancel_requested", 1),
    EventSchema::of::<book::Definition>("book.definition", 1),
    EventSchema::of::<book::Clock>("book.clock", 1),
    EventSchema::of::<book::Commit>("market.commit", 1).without(&["too_many_open_orders"]),
    EventSchema::of::<book::Commit>("market.commit", 2),
    EventSchema::of::<parked::Parked>("parked.entry", 1),
    EventSchema::of::<parked::Closed>("parked.closed", 1),
];

impl EventSchema {
    const fn of<T: JsonSchema>(name: &'static str, version: u32) -> Self {
        let fields = SchemaGenerator::into_root_schema_for::<T>;
        Self { event_type: EventType { name, version }, body: T::json_schema, fields, added_later: &[] }
    }

    const fn without(self, added_later: &'static [&'static str]) -> Self {
        Self { added_later, ..self }
    }

    /// Name of the file in `schemas/`, and of the recorded example in `schemas/examples/`: `swap.placed.v1.json`.
    #[must_use]
    pub fn file_name(&self) -> String {
        let EventType { name, version } = self.event_type;
        format!("{name}.v{version}.json")
    }

    /// The schema (JSON Schema 2020-12) as it stands in its file: keys in alphabetical order, whatever features the
    /// libraries are built with.
    #[must_use]
    pub fn document(&self) -> String {
        // What is written, rather than what is also understood: a field that is always there is required.
        let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
        let mut document = (self.fields)(generator).to_value();
        let EventType { name, version } = self.event_type;
        document["$id"] = json!(format!("urn:fillstream:schema:{name}:v{version}"));
        document["title"] = json!(format!("{name} version {version}"));
        document["properties"]["type"] = json!({ "description": "What happened.", "const": name });
        let of_the_type = "Of the type: another meaning or shape has another version.";
        document["properties"]["version"] = json!({ "description": of_the_type, "const": version });
        let fields = document["required"].as_array().cloned().unwrap_or_default();
        document["required"] = ["type", "version"].map(Value::from).into_iter().chain(fields).collect();
        document["additionalProperties"] = json!(true);
        leave_out(&mut document, self.added_later);
        document.sort_all_objects();
        format!("{document:#}\n")
    }
}

/// Takes names out of every list of names.
fn leave_out(schema: &mut Value, names: &[&str]) {
    match schema {
        Value::Array(values) => {
            values.retain(|value| !value["const"].as_str().is_some_and(|name| names.contains(&name)));
            values.iter_mut().for_each(|value| leave_out(value, names));
        }
        Value::Object(fields) => fields.values_mut().for_each(|value| leave_out(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use schemars::schema_for;

    use super::*;
    use crate::{
        book::{BookInput, Commit},
        parked::ParkedEvent,
        swap::SwapEvent,
    };

    /// The variants of an event, by the tag that its derived schema gives them.
    fn variants<E: JsonSchema>() -> Vec<String> {
        let schema = schema_for!(E).to_value();
        let tag = |variant: &Value| variant["properties"]["type"]["const"].as_str().unwrap().to_owned();
        schema["oneOf"].as_array().unwrap().iter().map(tag).collect()
    }

    #[test]
    fn every_variant_has_a_schema() {
        let swap = variants::<SwapEvent>().into_iter().map(|variant| format!("swap.{variant}"));
        let book = variants::<BookInput>().into_iter().map(|variant| format!("book.{variant}"));
        let commit = std::iter::once(Commit::EVENT_TYPE.name.to_owned());
        let variants: BTreeSet<_> = swap.chain(book).chain(commit).chain(variants::<ParkedEvent>()).collect();
        let listed: BTreeSet<_> = EVERY_EVENT.iter().map(|event| event.event_type.name.to_owned()).collect();
        assert_eq!(listed, variants, "EVERY_EVENT (left) lists what the enums (right) have");
    }

    #[test]
    fn no_version_is_listed_twice() {
        let files: BTreeSet<_> = EVERY_EVENT.iter().map(EventSchema::file_name).collect();
        assert_eq!(files.len(), EVERY_EVENT.len());
    }

    #[test]
    fn a_document_says_what_it_is_about() {
        for event in &EVERY_EVENT {
            let text = event.document();
            let document: Value = serde_json::from_str(&text).unwrap();
            let EventType { name, version } = event.event_type;
            assert_eq!(document["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
            assert_eq!(document["$id"], format!("urn:fillstream:schema:{name}:v{version}"));
            assert_eq!(document["properties"]["type"]["const"], name);
            assert_eq!(document["properties"]["version"]["const"], version, "{name}");
            assert_eq!(document["required"][0], "type", "{name}");
            assert_eq!(document["required"][1], "version", "{name}");
            for (field, schema) in document["properties"].as_object().unwrap() {
                assert!(schema["description"].is_string(), "{name}: {field} is not described");
            }
            assert!(document["description"].is_string(), "{name} is not described");
            assert!(!text.contains("null"), "{name}: what is absent is left out, never null");
            assert!(!text.contains("[`"), "{name}: a link into the Rust documentation says nothing here");
        }
    }
}
