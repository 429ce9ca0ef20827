//! `fillstream`: one binary, roles as subcommands.
//!
//! ```text
//!  up     a private nats-server and all roles in one process
//!  serve  some roles against a shared NATS and database
//!  swap, watch, order          an order from the terminal
//!  market, book                markets, and their books at any moment
//!  verify                      the log recomputed
//!  import                      recorded order flow
//!  parked, resolve, rebuild    what operators do
//!  backup, restore             the stream as files
//!  doctor      everything looked at, and how to mend what is wrong
//!  completion  for shells
//! ```

// Doc comments of settings are the help texts that people read in a terminal.
#![allow(rustdoc::bare_urls)]

mod commands;
mod health;
mod node;
mod otlp;
mod settings;
mod telemetry;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use commands::{Cli, Command, refusal};

fn main() -> ExitCode {
    // What this process and its nats-server write holds everybody's orders: it is its owner's alone.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let matches = match settings::file::arguments(Cli::command()) {
        Ok(arguments) => Cli::command().try_get_matches_from(arguments),
        Err(error) => return refuse(&error),
    };
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        // Help and version come this way, too.
        Err(error) if error.use_stderr() && refusal::as_json() => {
            refusal::tell_usage(&error);
            return USAGE.into();
        }
        Err(error) => error.exit(),
    };
    match run(cli) {
        Ok(code) => code,
        Err(error) => refuse(&*error),
    }
}

/// Under load a quarter of the CPU was glibc's malloc (docs/PERFORMANCE.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Anything that ends a command, to be printed with its causes.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What wrong arguments end with, as clap has it.
const USAGE: u8 = 2;

fn run(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command {
        Command::Up(up) => commands::up::run(up),
        Command::Serve(serve) => commands::serve::run(serve),
        Command::Swap(swap) => commands::swap::run(&swap),
        Command::Watch(watch) => commands::watch::run(&watch),
        Command::Order(order) => commands::order::run(&order),
        Command::Market(market) => commands::market::run(&market),
        Command::Book(book) => commands::book::run(&book),
        Command::Verify(verify) => commands::verify::run(&verify),
        Command::Import(import) => commands::import::run(&import),
        Command::Parked(parked) => commands::parked::run(&parked),
        Command::Resolve(resolve) => commands::resolve::run(&resolve),
        Command::Backup(backup) => commands::backup::run(&backup),
        Command::Restore(restore) => commands::backup::restore::run(&restore),
        Command::Rebuild(rebuild) => commands::rebuild::run(&rebuild),
        Command::Doctor(doctor) => commands::doctor::run(&doctor),
        Command::Completion(completion) => commands::completion::run(&completion),
    }
}

fn refuse(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    refusal::tell(error);
    ExitCode::FAILURE
}
