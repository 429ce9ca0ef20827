//! HTTP as an unfriendly client meets it.

mod addresses;
mod endings;
mod keys;
mod orders;
mod outage;
mod refusals;

use fillstream_tests::http::Answer;
use serde_json::Value;

const EXECUTE: &str = "/api/orders/execute";
/// An order that is good.
const GOOD: &str = r#"{"tokenIn":"SOL","tokenOut":"USDC","amount":10}"#;
/// Two users, and an order that nobody placed.
const ANN: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d01";
const BOB: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d02";
const NOBODY_S: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d03";

/// Checks a refusal: the status, RFC 9457's members, and exactly these fields named with what they must be.
fn assert_problem(case: &str, answer: &Answer, status: u16, code: &str, pointers: &[&str]) {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, status, "{case}: {text}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{case}: {text}");
    let problem = answer.json();
    assert_eq!(problem["status"], status, "{case}: {text}");
    assert_eq!(problem["type"], format!("https://fillstream.dev/problems/{code}"), "{case}: {text}");
    for member in ["title", "detail"] {
        assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{case}: {member} of {text}");
    }
    let errors = problem["errors"].as_array().cloned().unwrap_or_default();
    let named: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap_or_default()).collect();
    assert_eq!(named, pointers, "{case}: {text}");
    let says = |error: &Value| error["detail"].as_str().is_some_and(|must| must.starts_with("must "));
    assert!(errors.iter().all(says), "{case}: {text}");
}
