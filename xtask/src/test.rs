use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::cargo::{cargo, run, shown};
use crate::schemas::schemas;
use crate::steps::Steps;

/// Tells the tests that sweep how far to go.
const LONG: &str = "FILLSTREAM_TEST_LONG";

/// Share of what can be swept that is swept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// Extent in CI.
    Short,
    /// Thousands of points and seeds.
    Long,
}

/// Everything that CI checks. The last line but the error is `N passed, N failed`.
pub(crate) fn test(length: Length) -> Result<(), String> {
    let mut steps = Steps::default();
    let mut count = Count::default();
    steps.run("format", || run(cargo(&["fmt", "--all", "--check"])));
    steps.run("lints", || run(cargo(&["clippy", "--all-targets", "--", "--deny", "warnings"])));
    steps.run("schemas", || schemas(true));
    // One build with one set of features for the binary, which the end-to-end tests run, and for all tests.
    steps.run("build", || run(cargo(&["build", "--all-targets"])));
    steps.run("tests", || run_tests(length, &mut count));
    steps.run("docs", || {
        let mut command = cargo(&["doc", "--no-deps"]);
        command.env("RUSTDOCFLAGS", "--deny warnings");
        run(command)
    });
    println!();
    steps.print();
    println!("\n{} passed, {} failed", count.passed, count.failed);
    match steps.failed().as_slice() {
        [] => Ok(()),
        failed => Err(format!("failed: {}", failed.join(", "))),
    }
}

fn run_tests(length: Length, count: &mut Count) -> Result<(), String> {
    let mut command = cargo(&["test", "--no-fail-fast"]);
    if length == Length::Long {
        command.env(LONG, "1");
    }
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
    let stdout = child.stdout.take().expect("it was asked for with Stdio::piped");
    for line in BufReader::new(stdout).lines() {
        let line = line.map_err(|error| format!("the output of the tests cannot be read: {error}"))?;
        count.add(&line);
        println!("{line}");
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("{} failed ({status})", shown(&command))) }
}

/// Tests, summed over all test binaries.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
}

impl Count {
    /// Adds a line `test result: ok. 9 passed; 0 failed; …`; any other line adds nothing.
    fn add(&mut self, line: &str) {
        let Some((_, result)) = line.split_once("test result: ") else { return };
        let mut words = result.split([' ', ';', '.']).filter(|word| !word.is_empty()).peekable();
        while let Some(word) = words.next() {
            let Ok(number) = word.parse::<u64>() else { continue };
            match words.peek() {
                Some(&"passed") => self.passed += number,
                Some(&"failed") => self.failed += number,
                Some(_) | None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_summed() {
        let mut count = Count::default();
        let mut check = |line, passed, failed| {
            count.add(line);
            assert_eq!(count, Count { passed, failed }, "{line}");
        };
        check(
            "test result: ok. 9 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 3.04s",
            9,
            0,
        );
        check(
            "test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0s",
            19,
            2,
        );
        check("test that_counts_12_passed ... ok", 19, 2);
        check("", 19, 2);
        check("...... test result: ok. 1 passed; 1 failed;", 20, 3);
    }
}
