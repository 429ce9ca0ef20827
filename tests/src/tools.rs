//! Programs that tests run and that a machine may lack. What is missing is said, and its tests are left out; where
//! `FILLSTREAM_TEST_ALL` is set, as CI sets it, they fail instead.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

/// Says that something cannot be tested here.
const ALL: &str = "FILLSTREAM_TEST_ALL";

/// True when this program runs and ends well.
#[must_use]
pub fn runs(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// True when this program runs; if not, that is said.
///
/// # Panics
/// When it does not run and nothing may be left out.
#[must_use]
pub fn is_there(program: &str, arguments: &[&str], what: &str) -> bool {
    let there = runs(program, arguments);
    if !there {
        skipped(&format!("{what} is not on PATH"));
    }
    there
}

/// Says why a test is left out.
///
/// # Panics
/// When nothing may be left out.
pub fn skipped(why: &str) {
    assert!(env::var_os(ALL).is_none(), "{why}, and {ALL} is set");
    eprintln!("skipped: {why}");
}

/// Path of a program on `PATH`.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let directories = env::var_os("PATH")?;
    env::split_paths(&directories).map(|directory| directory.join(program)).find(|path| path.is_file())
}
