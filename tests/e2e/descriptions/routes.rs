//! No route without its description, no description without its route.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use fillstream_tests::http::{get, request};
use serde_json::Value;

use crate::site::Site;

/// A path with something in the place of each parameter.
fn filled(path: &str) -> String {
    let value = |part: &str| match part {
        "{order_id}" => "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e".to_owned(),
        "{symbol}" => "BTC-USDT".to_owned(),
        "{name}" => "swap.placed.v1".to_owned(),
        "{path}" => "app.js".to_owned(),
        other => {
            assert!(!other.starts_with('{'), "what stands for {other}?");
            other.to_owned()
        }
    };
    path.split('/').map(value).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn the_server_takes_what_is_described_and_nothing_else() {
    let site = Site::up(&[]);
    let document = get(site.address(), "/openapi.json").await.json();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let described: BTreeSet<String> =
            item.as_object().expect("methods").keys().map(|method| method.to_ascii_uppercase()).collect();
        let ask =
            async |method| request(site.address(), method, &filled(path), &[], b"").await.expect("an answer");
        let refused = ask("PUT").await;
        assert_eq!(refused.status, 405, "PUT {path}");
        let allowed = refused.header("allow").expect("405 says what is allowed");
        let allowed: BTreeSet<_> =
            allowed.split(',').map(str::trim).filter(|method| *method != "HEAD").collect();
        let described: BTreeSet<_> = described.iter().map(String::as_str).collect();
        assert_eq!(allowed, described, "{path}");
        for method in described {
            let answer = ask(method).await;
            let code = answer.json()["code"].clone();
            assert!(answer.status != 405 && code != "not_found", "{method} {path}: {}", answer.status);
        }
    }
    for unknown in ["/api", "/api/v2/orders", "/openapi.yaml", "/assets/none.js", "/ws/other"] {
        let answer = get(site.address(), unknown).await;
        assert_eq!((answer.status, &answer.json()["code"]), (404, &Value::from("not_found")), "{unknown}");
    }
}

/// Sources of the parts that answer over HTTP, without tests.
fn sources() -> Vec<(PathBuf, String)> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let parts = ["cli", "descriptions", "http-api", "http-edge", "stream-bridge"];
    let mut open: Vec<_> = parts.iter().map(|part| crates.join(part).join("src")).collect();
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).expect("readable").flatten().map(|entry| entry.path()));
        } else if path.ends_with("tests.rs") {
            continue;
        } else if let Ok(text) = fs::read_to_string(&path) {
            // Tests stand at the end of a file.
            let text = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
            found.push((path, text));
        }
    }
    assert!(found.len() > 50, "the sources were not found");
    found
}

#[test]
fn routers_are_made_in_one_place() {
    let makers: Vec<_> = sources()
        .into_iter()
        // A fallback alone is no route: it answers while a process starts.
        .map(|(path, text)| (path, text.replace("Router::new().fallback(", "")))
        .filter(|(_, text)| text.contains("Router::new()") || text.contains(".route(\""))
        .map(|(path, _)| path)
        .collect();
    let [only] = makers.as_slice() else { panic!("routes without a description may be in {makers:?}") };
    assert!(only.ends_with("http-edge/src/described/routes.rs"), "{only:?}");
}

#[tokio::test]
async fn every_type_of_problem_is_described() {
    let site = Site::up(&[]);
    let document = get(site.address(), "/openapi.json").await.json();
    let told = document["info"]["description"].as_str().expect("a text").to_owned();
    // Answers to requests for nothing in particular.
    let everywhere = ["not_found", "method_not_allowed"];
    let mut codes = 0;
    for (path, text) in sources() {
        for rest in text.split("Problem::new(").skip(1) {
            // The code is the first text in it, unless it is named by a variable.
            let arguments = rest.split_once(';').map_or(rest, |(arguments, _)| arguments);
            let Some(code) = arguments.split('"').nth(1).filter(|text| is_code(text)) else { continue };
            codes += 1;
            let known = everywhere.contains(&code) || told.contains(&format!("/problems/{code}`"));
            assert!(known, "{code} of {} is not described", path.display());
        }
    }
    assert!(codes > 20, "{codes} were found");
}

fn is_code(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}
