//! The Postman collection: run by newman, and always walked through by its own text.

use std::{collections::BTreeMap, fs};

use fillstream_tests::{http::request, node};
use serde_json::Value;

use super::example;
use crate::site::{Site, run};

const COLLECTION: &str = "postman/fillstream.postman_collection.json";

#[test]
fn newman_runs_the_collection() {
    let Some(mut newman) = node::program("newman") else { return };
    let site = Site::up(&[]);
    newman.arg("run").arg(example(COLLECTION));
    newman.args(["--color", "off", "--env-var", &format!("server=http://{}", site.address())]);
    let output = run(&mut newman);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn each_request_is_answered_as_its_script_expects() {
    let site = Site::up(&[]);
    let text = fs::read_to_string(example(COLLECTION)).expect("the collection is there");
    let collection: Value = serde_json::from_str(&text).expect("it is JSON");
    assert!(collection["info"]["schema"].as_str().is_some_and(|schema| schema.contains("/v2.1.0/")));
    let mut variables =
        BTreeMap::from([("$guid".to_owned(), "0198c0de-7a5e-4c3a-9f00-3f2a1b4c5d03".to_owned())]);
    for variable in list(&collection["variable"]) {
        variables.insert(string(&variable["key"]), string(&variable["value"]));
    }
    variables.insert("server".to_owned(), String::new());
    let items = list(&collection["item"]).iter().flat_map(|folder| list(&folder["item"]));
    for item in items {
        let script = lines(item);
        let expected = script.iter().find_map(|line| between(line, "have.status(", ")"));
        let answer = send(&site, &item["request"], &variables).await;
        assert_eq!(Some(answer.0.to_string()), expected, "{}: {}", item["name"], answer.1);
        for line in &script {
            if let Some(name) = between(line, "collectionVariables.set(\"", "\"") {
                let field = between(line, "pm.response.json().", ")").expect("it keeps a field");
                variables.insert(name, string(&answer.1[field.as_str()]));
            }
        }
    }
    for name in ["orderId", "bookOrderId"] {
        assert!(variables.get(name).is_some_and(|id| id.len() == 36), "{name} did not fill itself");
    }
}

/// Status and body of the answer to a request whose variables have been filled in.
async fn send(site: &Site, item: &Value, variables: &BTreeMap<String, String>) -> (u16, Value) {
    let fill = |text: &str| {
        variables
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
    };
    let headers: Vec<_> = list(&item["header"])
        .iter()
        .map(|header| (string(&header["key"]), fill(&string(&header["value"]))))
        .collect();
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let body = fill(item["body"]["raw"].as_str().unwrap_or_default());
    let (method, path) = (string(&item["method"]), fill(&string(&item["url"])));
    assert!(!path.contains("{{"), "{path} names a variable that nothing fills");
    let answer = request(site.address(), &method, &path, &headers, body.as_bytes()).await;
    let answer = answer.unwrap_or_else(|| panic!("{method} {path}: no answer"));
    (answer.status, answer.json())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The lines of an item's scripts.
fn lines(item: &Value) -> Vec<String> {
    list(&item["event"]).iter().flat_map(|event| list(&event["script"]["exec"])).map(string).collect()
}

fn between(text: &str, before: &str, after: &str) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(inner, _)| inner.to_owned())
}
