//! The subcommands, one file each.

pub(crate) mod backup;
pub(crate) mod book;
pub(crate) mod completion;
pub(crate) mod doctor;
mod follow;
pub(crate) mod import;
pub(crate) mod market;
pub(crate) mod order;
mod output;
pub(crate) mod parked;
pub(crate) mod rebuild;
pub(crate) mod refusal;
pub(crate) mod resolve;
pub(crate) mod serve;
mod server;
pub(crate) mod swap;
mod terminal;
pub(crate) mod up;
pub(crate) mod verify;
pub(crate) mod watch;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::telemetry::LogFormat;

/// NATS-backed, event-sourced order execution
#[derive(Debug, Parser)]
#[command(name = "fillstream", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "Every setting is a flag, a FILLSTREAM_… variable, or a key of the file named by --config; \
                          `fillstream up --help` lists them.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start everything in one process, a private nats-server included
    Up(up::Up),
    /// Run some roles against a shared NATS server and database
    Serve(serve::Serve),
    /// Place a swap order and watch it: fillstream swap SOL USDC 10
    Swap(swap::Swap),
    /// Follow an order with a progress bar; --demo draws one that succeeds and one that fails
    Watch(watch::Watch),
    /// Print an order's history from the stream
    Order(order::Order),
    /// The markets, their filters and fees: fillstream market list
    Market(market::MarketCommand),
    /// A market's book, now or as it was: fillstream book BTC/USDT --at 4711
    Book(book::Book),
    /// Replay the stream and compare every commit with what its inputs give
    Verify(verify::Verify),
    /// Recorded order flow through the matcher: fillstream import lobster FILE --symbol AAPL/USD
    Import(import::ImportCommand),
    /// What could not be handled: list it, retry it, skip it
    Parked(parked::ParkedCommand),
    /// Decide an order whose outcome nobody can tell
    Resolve(resolve::Resolve),
    /// Save the stream into a directory, while everything runs
    Backup(backup::Backup),
    /// Make the stream out of a backup, on a server that has none
    Restore(backup::restore::Restore),
    /// Build the read model anew from the stream and swap it in
    Rebuild(rebuild::RebuildCommand),
    /// Look at server, stream, parts, disk and clock; say what is wrong and how to mend it
    Doctor(doctor::Doctor),
    /// Print a shell's completion script: fillstream completion bash
    Completion(completion::Completion),
}

/// What every long-running command takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Common {
    /// TOML file with settings; each key is a flag's name
    #[arg(long, env = "FILLSTREAM_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// What is logged: error, warn, info, debug, or a filter such as fillstream_executor=debug
    #[arg(long, env = "FILLSTREAM_LOG", default_value = "info,async_nats=warn", value_name = "FILTER")]
    pub(crate) log: String,
    /// How log lines are written, on standard error
    #[arg(long, env = "FILLSTREAM_LOG_FORMAT", value_enum, default_value = "text", value_name = "FORMAT")]
    pub(crate) log_format: LogFormat,
    /// OpenTelemetry collector that spans are sent to as OTLP in JSON, such as http://127.0.0.1:4318
    #[arg(long, env = "FILLSTREAM_OTLP", value_name = "URL")]
    pub(crate) otlp: Option<String>,
}
