//! The command line as a newcomer and an operator meet it.

mod commands;
mod import;
mod settings;

use std::process::{Command, Output};

use crate::site::run;

/// What a command printed: standard output and standard error, and its exit code.
fn said(command: &mut Command) -> (String, String, Option<i32>) {
    let Output { stdout, stderr, status } = run(command);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (text(stdout), text(stderr), status.code())
}
