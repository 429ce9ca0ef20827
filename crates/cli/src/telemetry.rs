//! Logs: sentences for people with fields for filters, or a JSON object per line for programs, on standard error. Spans, for a
//! collector.

use std::{io::IsTerminal, sync::Arc};

use clap::ValueEnum;
use tracing_subscriber::{EnvFilter, Layer, Registry, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    commands::Common,
    otlp::{Exported, Spans},
};

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A sentence and its fields
    Text,
    /// An object with timestamp, level, fields, and the spans around it
    Json,
}

/// Guard of what was started: spans that wait are sent when it is dropped.
pub(crate) struct Telemetry(Option<Arc<Spans>>);

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(spans) = &self.0 {
            spans.end();
        }
    }
}

/// Starts logging, and sending spans where that is wanted. `FILLSTREAM_LOG` or `--log` says what is logged: `info`, `debug`,
/// `fillstream_executor=debug`, …
pub(crate) fn start(common: &Common) -> Result<Telemetry, crate::Failure> {
    let filter = &common.log;
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("--log {filter:?}: {error}"))?;
    let spans = common.otlp.as_ref().map(|collector| Spans::to(collector).map(Arc::new)).transpose()?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match common.log_format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
    };
    let exported = spans.clone().map(Exported);
    tracing_subscriber::registry().with(lines.with_filter(filter)).with(exported).init();
    Ok(Telemetry(spans))
}
