//! Logs: sentences for people with fields for filters, or a JSON object per line for programs, on standard error.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A sentence and its fields
    Text,
    /// An object with timestamp, level, fields, and the spans around it
    Json,
}

/// Starts logging. `FILLSTREAM_LOG` or `--log` says what: `info`, `debug`, `fillstream_executor=debug`, …
pub(crate) fn start(filter: &str, format: LogFormat) -> Result<(), crate::Failure> {
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("--log {filter:?}: {error}"))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).with_target(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).init(),
    }
    Ok(())
}
