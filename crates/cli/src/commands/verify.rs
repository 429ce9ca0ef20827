//! `fillstream verify`: every commit recomputed from the inputs that it covers.

use std::process::ExitCode;

use clap::Args;
use fillstream_domain::{Seq, book::Symbol};
use fillstream_event_log::{EventLog, SnapshotStore};
use fillstream_matching::{Verified, verify};

use super::{
    output::{BAD, GOOD, Output, WARNING, styled},
    terminal::{StreamArgs, block_on},
};
use crate::Failure;

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Begin at each market's newest snapshot instead of at the beginning
    #[arg(long)]
    from_snapshot: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    stream: StreamArgs,
}

/// Exit code 1 when something differs.
pub(crate) fn run(command: &Verify) -> Result<ExitCode, Failure> {
    block_on(async {
        let log = command.stream.open().await?;
        let snapshots = match command.from_snapshot {
            true => Some(log.snapshots()),
            false => None,
        };
        let length = log.info().await?.last_seq;
        let bar = command.output.bar(length.get(), "{msg:<12} {bar:40} {pos}/{len}  {eta} left");
        let progress = &mut |symbol: &Symbol, seq: Seq| {
            bar.set_message(symbol.to_string());
            bar.set_position(seq.get());
        };
        let store = snapshots.as_ref().map(|store| store as &dyn SnapshotStore);
        let report = verify(&log, store, progress).await?;
        bar.finish_and_clear();
        // The same for the same stream, whoever computes it.
        let lines: Vec<_> = report.markets.iter().map(shown).collect();
        command.output.print(&report, lines.join("\n"))?;
        Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

fn shown(market: &Verified) -> String {
    let end = match &market.difference {
        None => format!(
            "{} up to commit {}, input {}, hash {}",
            styled(GOOD, "right"),
            market.last_commit,
            market.last_input,
            market.hash
        ),
        Some(found) => format!("{} at sequence {}: {}", styled(BAD, "DIFFERS"), found.seq, found.what),
    };
    let line = format!("{:<12} {end}", market.symbol.as_str());
    if market.torn == 0 {
        return line;
    }
    let torn = styled(WARNING, format!("{} commits never ended and were passed over", market.torn));
    format!("{line}\n{:<12} {torn}", "")
}
