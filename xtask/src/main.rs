//! `cargo xtask …`: what is done with this repository, in one place.
//!
//! ```text
//!  up ─────▶ build fillstream ──▶ fillstream up …
//!  test ───▶ format, lints, schemas, binaries for the end-to-end tests, tests, docs ──▶ N passed, N failed
//!  fix ────▶ whatever of that a machine can put right
//!  bench ──▶ build fillstream (release) ──▶ the figures
//! ```

mod bench;
mod cargo;
mod fix;
mod schemas;
mod steps;
mod test;
mod up;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  up [--release] [ARGS…]   build the binary, then run `fillstream up ARGS…`
  test [--long]            everything that CI checks; --long runs the long versions of the sweeps
  fix                      format, apply the lints' own fixes, generate schemas/
  schemas [--check]        generate schemas/ from the event types, or say whether it has drifted
  bench [ARGS…]            the figures, with a release build
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args.as_slice() {
        ["up", "--release", rest @ ..] => up::up(cargo::Profile::Release, rest),
        ["up", rest @ ..] => up::up(cargo::Profile::Dev, rest),
        ["test"] => test::test(test::Length::Short),
        ["test", "--long"] => test::test(test::Length::Long),
        ["fix"] => fix::fix(),
        ["schemas"] => schemas::schemas(false),
        ["schemas", "--check"] => schemas::schemas(true),
        ["bench", rest @ ..] => bench::bench(rest),
        [] | ["help" | "--help" | "-h", ..] => {
            print!("{HELP}");
            Ok(())
        }
        unknown => Err(format!("unknown: {}\n\n{HELP}", unknown.join(" "))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}
