//! Promises about stored events: what was once stored is read for ever, and `schemas/` tells other readers the truth about it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "tests: their names say what they show, a panic is a failure"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use fillstream_domain::{
    book::{BookInput, Commit},
    parked::ParkedEvent,
    schema::{EVERY_EVENT, EventSchema},
    swap::SwapEvent,
};
use jsonschema::Validator;
use serde_json::{Value, json};

const FROZEN: &str = "a released version is frozen: make another version beside it (schemas/README.md)";

/// What may be absent from a stored event. No row ever leaves this table: there are events without that field.
const MAY_BE_ABSENT: [(&str, &str); 15] = [
    ("swap.placed", "user_id"),
    ("swap.placed", "client_order_id"),
    ("swap.routed", "no_quotes"),
    ("book.placed", "client_order_id"),
    ("book.placed", "price"),
    ("book.placed", "expires_at"),
    ("book.placed", "post_only"),
    ("book.amend_requested", "quantity"),
    ("book.amend_requested", "price"),
    ("book.definition", "price_band"),
    ("book.definition", "max_open_orders_per_user"),
    ("book.definition", "max_open_orders"),
    ("market.commit", "hash"),
    ("parked.entry", "order_id"),
    ("parked.closed", "retried_as"),
];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The recorded example: one line, and a line feed that the stored payload does not have.
fn example(event: &EventSchema) -> String {
    read(&format!("schemas/examples/{}", event.file_name())).strip_suffix('\n').unwrap().to_owned()
}

fn example_as_value(event: &EventSchema) -> Value {
    serde_json::from_str(&example(event)).unwrap()
}

fn validator(event: &EventSchema) -> Validator {
    let schema = serde_json::from_str(&read(&format!("schemas/{}", event.file_name()))).unwrap();
    jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap()
}

fn named(name: &str) -> EventSchema {
    EVERY_EVENT.into_iter().find(|event| event.event_type.name == name).unwrap()
}

/// Reads a payload as the parts do that know its subject: its CloudEvents type, and the payload that would be stored today.
fn reread(event: &EventSchema, payload: &str) -> Result<(String, String), String> {
    let payload = payload.as_bytes();
    let (event_type, stored) = match event.event_type.name.split_once('.').unwrap().0 {
        "parked" => {
            let event = ParkedEvent::decode(payload).map_err(|error| error.to_string())?;
            (event.cloud_event_type().to_owned(), event.encode())
        }
        "book" => {
            let input = BookInput::decode(payload).map_err(|error| error.to_string())?;
            (input.event_type().cloud_event_type(), input.encode())
        }
        "market" => {
            let commit = Commit::decode(payload).map_err(|error| error.to_string())?;
            (commit.rules.event_type().cloud_event_type(), commit.encode())
        }
        _ => {
            let event = SwapEvent::decode(payload).map_err(|error| error.to_string())?;
            (event.event_type().cloud_event_type(), event.encode())
        }
    };
    Ok((event_type, String::from_utf8(stored).unwrap()))
}

fn violations(event: &EventSchema, value: &Value) -> Vec<String> {
    validator(event).iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn each_example_is_read_and_written_as_it_was_stored() {
    for event in &EVERY_EVENT {
        let (file, example) = (event.file_name(), example(event));
        let (event_type, stored) =
            reread(event, &example).unwrap_or_else(|error| panic!("{file}: {error}; {FROZEN}"));
        assert_eq!(event_type, event.event_type.cloud_event_type(), "{file}");
        assert_eq!(stored, example, "{file}: {FROZEN}");
        assert_eq!(violations(event, &example_as_value(event)), Vec::<String>::new(), "{file}: {FROZEN}");
    }
}

#[test]
fn each_event_has_one_example() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/examples");
    let names =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.collect::<BTreeSet<_>>(), EVERY_EVENT.iter().map(EventSchema::file_name).collect());
}

#[test]
fn what_is_required_may_not_be_absent_and_all_else_may() {
    for event in &EVERY_EVENT {
        for field in example_as_value(event).as_object().unwrap().keys() {
            let mut value = example_as_value(event);
            value.as_object_mut().unwrap().remove(field).unwrap();
            let case = format!("{} without {field}", event.file_name());
            let allowed = MAY_BE_ABSENT.contains(&(event.event_type.name, field));
            assert_eq!(violations(event, &value).is_empty(), allowed, "{case}, by the schema; {FROZEN}");
            let read = reread(event, &value.to_string());
            assert_eq!(read.is_ok(), allowed, "{case}: {read:?}; {FROZEN}");
        }
    }
}

#[test]
fn fields_of_a_later_writer_are_ignored() {
    for event in &EVERY_EVENT {
        let mut value = example_as_value(event);
        value["added_later"] = json!({ "by": ["a", "later", "writer"] });
        assert_eq!(violations(event, &value), Vec::<String>::new(), "{}", event.file_name());
        let (_, stored) = reread(event, &value.to_string()).unwrap();
        assert_eq!(stored, example(event), "{}", event.file_name());
    }
}

#[test]
fn schema_and_reader_refuse_the_same() {
    let check = |name: &str, pointer: &str, wrong: Value| {
        let event = named(name);
        let mut value = example_as_value(&event);
        *value.pointer_mut(pointer).unwrap() = wrong.clone();
        let violations = violations(&event, &value);
        assert!(
            violations.iter().any(|violation| violation.starts_with(pointer)),
            "{pointer} {wrong}: {violations:?}"
        );
        assert!(reread(&event, &value.to_string()).is_err(), "{name} {pointer} {wrong} is read");
    };
    check("swap.placed", "/version", json!(2));
    check("swap.placed", "/order_id", json!("7"));
    check("swap.placed", "/token_in", json!("sol"));
    check("swap.placed", "/amount_in", json!(10));
    check("swap.placed", "/amount_in", json!("-10"));
    check("swap.placed", "/user_id", json!(""));
    check("swap.placed", "/client_order_id", json!("two words"));
    check("swap.placed", "/max_attempts", json!(256));
    check("swap.routed", "/quotes", json!(null));
    check("swap.routed", "/quotes/0/venue", json!("orca"));
    check("swap.prepared", "/built_at_height", json!(-1));
    check("swap.retry_scheduled", "/stage", json!("confirmed"));
    check("swap.confirmed", "/decided_by", json!("nobody"));
    check("swap.failed", "/at", json!("yesterday"));
    check("book.placed", "/symbol", json!("btc/usdt"));
    check("book.placed", "/side", json!("buy"));
    check("book.placed", "/quantity", json!(1));
    check("book.definition", "/max_makers", json!(-1));
    check("book.clock", "/at", json!("now"));
    check("market.commit", "/outcomes", json!(null));
    check("market.commit", "/last_input", json!("9"));
    check("parked.entry", "/seq", json!("4"));
    check("parked.entry", "/cause", json!("bored"));
    check("parked.closed", "/closing", json!("forgotten"));
}

#[test]
fn the_list_of_events_is_complete() {
    let readme = read("schemas/README.md");
    for event in &EVERY_EVENT {
        let (file, version) = (event.file_name(), event.event_type.version);
        let row = format!("| `{}` | {version} |", event.event_type.name);
        let row = readme.lines().find(|line| line.starts_with(&row));
        let row = row.unwrap_or_else(|| panic!("schemas/README.md has no row for {file}"));
        assert!(row.contains(&format!("({file})")) && row.contains(&format!("(examples/{file})")), "{row}");
    }
}

#[test]
fn payloads_in_the_documentation_are_events() {
    for document in ["nats/README.md", "schemas/README.md"] {
        let text = read(document);
        let payloads: Vec<_> = text.lines().filter(|line| line.starts_with(r#"{"type":"#)).collect();
        assert!(!payloads.is_empty(), "{document} shows no event");
        for payload in payloads {
            let value: Value = serde_json::from_str(payload).unwrap();
            let of_payload = |event: &EventSchema| {
                value["type"] == event.event_type.name && value["version"] == event.event_type.version
            };
            let event = EVERY_EVENT.into_iter().find(of_payload).unwrap();
            let read = reread(&event, payload);
            let (_, stored) = read.unwrap_or_else(|error| panic!("{document}: {error}: {payload}"));
            assert_eq!(stored, payload, "{document}");
            assert_eq!(violations(&event, &value), Vec::<String>::new(), "{document}: {payload}");
        }
    }
}
