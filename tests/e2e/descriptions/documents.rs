//! The documents are what their specifications say they must be.

use std::collections::BTreeSet;

use fillstream_tests::http::get;
use serde_json::{Value, json};

use crate::site::Site;

const OPENAPI: &str = include_str!("specifications/openapi-3.1.json");
const ASYNCAPI: &str = include_str!("specifications/asyncapi-3.0.0.json");

/// Faults of a document.
fn faults(specification: &str, document: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(specification).expect("a schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema that can be used");
    let mut faults: Vec<_> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    faults.extend(dangling(document, document));
    faults
}

/// References to what is not there.
fn dangling(document: &Value, value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => {
            let refers = members.get("$ref").and_then(Value::as_str);
            let missing = refers.filter(|at| document.pointer(at.trim_start_matches('#')).is_none());
            let below = members.values().flat_map(|value| dangling(document, value));
            missing.map(|at| format!("{at} is not there")).into_iter().chain(below).collect()
        }
        Value::Array(items) => items.iter().flat_map(|value| dangling(document, value)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

#[tokio::test]
async fn both_documents_keep_to_their_specifications() {
    let site = Site::up(&[]);
    for (path, specification) in [("/openapi.json", OPENAPI), ("/asyncapi.json", ASYNCAPI)] {
        let document = get(site.address(), path).await.json();
        assert_eq!(faults(specification, &document), Vec::<String>::new(), "{path}");
        for break_it in [
            |document: &mut Value| drop(document["info"].as_object_mut().map(|info| info.remove("title"))),
            |document: &mut Value| {
                document["components"]["schemas"]["X"] = json!({ "$ref": "#/components/none" })
            },
        ] {
            let mut broken = document.clone();
            break_it(&mut broken);
            assert_ne!(faults(specification, &broken), Vec::<String>::new(), "{path}: a broken one passes");
        }
    }
}

#[tokio::test]
async fn every_operation_has_a_name_of_its_own_and_says_what_it_does() {
    let site = Site::up(&[]);
    let document = get(site.address(), "/openapi.json").await.json();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            let id = operation["operationId"].as_str().expect("an id");
            assert!(ids.insert(id.to_owned()), "{id} is there twice");
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}");
            let responses = operation["responses"].as_object().expect("responses");
            assert!(!responses.is_empty(), "{method} {path} answers nothing");
            for (status, response) in responses {
                let told = response["description"].as_str().unwrap_or_default();
                assert!(!told.is_empty(), "{method} {path} {status}");
            }
            for part in path.split('/').filter(|part| part.starts_with('{')) {
                let name = part.trim_matches(['{', '}']);
                let parameters = operation["parameters"].as_array().expect("parameters");
                let told = parameters.iter().any(|one| one["name"] == name && one["in"] == "path");
                assert!(told, "{method} {path}: {name}");
            }
        }
    }
}

#[tokio::test]
async fn a_process_describes_what_it_serves() {
    let bridge = Site::serve("bridge,projector,matcher", &[]);
    let document = get(bridge.address(), "/openapi.json").await.json();
    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.contains_key("/ws/orders") && paths.contains_key("/api/orders/{order_id}"), "{paths:#?}");
    assert!(!paths.contains_key("/api/v1/orders"), "a bridge takes no orders");
    assert!(document["paths"]["/api/orders/execute"]["post"].is_null());
}

#[tokio::test]
async fn the_page_brings_all_that_it_needs() {
    let site = Site::up(&[]);
    let page = get(site.address(), "/docs").await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let text = String::from_utf8(page.body).expect("text");
    assert!(!text.contains("://"), "the page names an address of elsewhere");
    let files: Vec<_> = text.split('"').filter(|word| word.starts_with("/docs/")).collect();
    assert!(files.len() >= 2, "{files:?}");
    for file in files {
        assert_eq!(get(site.address(), file).await.status, 200, "{file}");
    }
}
