//! The schemas of the stored events: the files of `schemas/`, which are made of the same types.

use std::collections::BTreeMap;

use axum::body::Bytes;
use fillstream_domain::schema::EVERY_EVENT;
use serde_json::{Value, json};

/// What a schema is sent as.
pub(crate) const MEDIA_TYPE: &str = "application/schema+json";

/// The schemas by the names of their files, and the list of them.
pub(crate) struct Schemas {
    pub(crate) list: Bytes,
    by_file: BTreeMap<String, Bytes>,
}

impl Schemas {
    pub(crate) fn new() -> Self {
        let entry = |event: &fillstream_domain::schema::EventSchema| {
            json!({
                "type": event.event_type.name,
                "version": event.event_type.version,
                "schema": format!("/schemas/{}", event.file_name()),
            })
        };
        let list = json!({ "schemas": EVERY_EVENT.iter().map(entry).collect::<Vec<_>>() });
        let by_file = EVERY_EVENT.iter().map(|event| (event.file_name(), event.document().into()));
        Self { list: super::text(&list), by_file: by_file.collect() }
    }

    /// `swap.placed.v1`, with or without `.json`.
    pub(crate) fn of(&self, name: &str) -> Option<Bytes> {
        let file = format!("{}.json", name.strip_suffix(".json").unwrap_or(name));
        self.by_file.get(&file).cloned()
    }
}

pub(crate) fn list_schema() -> Value {
    let entry = json!({
        "type": "object",
        "required": ["type", "version", "schema"],
        "properties": {
            "type": { "type": "string" },
            "version": { "type": "integer", "minimum": 1 },
            "schema": { "type": "string", "description": "Where it is read." },
        },
    });
    json!({
        "type": "object", "required": ["schemas"],
        "properties": { "schemas": { "type": "array", "items": entry } },
    })
}
