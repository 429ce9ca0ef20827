//! The command line as a newcomer, an operator and a script meet it.

mod commands;
mod doctor;
mod import;
mod json;
mod people;
mod settings;
mod tokens;

use std::process::{Command, Output};

use serde_json::Value;

use crate::site::run;

/// Output of a command: standard output and standard error, and its exit code.
pub(crate) fn said(command: &mut Command) -> (String, String, Option<i32>) {
    let Output { stdout, stderr, status } = run(command);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (text(stdout), text(stderr), status.code())
}

/// Every line as the JSON object that it must be.
fn objects(text: &str) -> Vec<Value> {
    let object = |line: &str| {
        let parsed: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?} in {text}"));
        assert!(parsed.is_object(), "{line}");
        parsed
    };
    text.lines().map(object).collect()
}
