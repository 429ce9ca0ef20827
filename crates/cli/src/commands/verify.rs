//! `fillstream verify`: every commit recomputed from the inputs that it covers.

use std::process::ExitCode;

use clap::Args;
use fillstream_domain::book::Symbol;
use fillstream_event_log::{EventLog, SnapshotStore};
use fillstream_matching::verify;
use indicatif::{ProgressBar, ProgressStyle};

use super::terminal::{StreamArgs, block_on};
use crate::Failure;

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Begin at each market's newest snapshot instead of at the beginning
    #[arg(long)]
    from_snapshot: bool,
    /// The last line is one JSON object, the same for the same stream
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    stream: StreamArgs,
}

/// Exit code 1 when something differs.
pub(crate) fn run(command: &Verify) -> Result<ExitCode, Failure> {
    block_on(async {
        let log = command.stream.open().await?;
        let snapshots = match command.from_snapshot {
            true => Some(log.snapshots().await?),
            false => None,
        };
        let bar = ProgressBar::new(log.info().await?.last_seq);
        let style = ProgressStyle::with_template("{msg:<12} {bar:40} {pos}/{len}  {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let progress = &mut |symbol: &Symbol, seq| {
            bar.set_message(symbol.to_string());
            bar.set_position(seq);
        };
        let store = snapshots.as_ref().map(|store| store as &dyn SnapshotStore);
        let report = verify(&log, store, progress).await?;
        bar.finish_and_clear();
        if command.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            for market in &report.markets {
                let end = match &market.difference {
                    None => format!(
                        "right up to commit {}, input {}, hash {}",
                        market.last_commit, market.last_input, market.hash
                    ),
                    Some(found) => format!("DIFFERS at sequence {}: {}", found.seq, found.what),
                };
                println!("{:<12} {end}", market.symbol.as_str());
                if market.torn > 0 {
                    println!("{:<12} {} commits never ended and were passed over", "", market.torn);
                }
            }
        }
        Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}
