//! `fillstream resolve`: an operator decides an order whose outcome nobody can tell.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use fillstream_domain::{Amount, OrderId, parse_exact};
use serde_json::json;

use super::{
    output::Output,
    terminal::{StreamArgs, block_on},
};
use crate::Failure;

#[derive(Debug, Args)]
pub(crate) struct Resolve {
    /// The order's id
    id: OrderId,
    #[command(subcommand)]
    outcome: Outcome,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    stream: StreamArgs,
}

#[derive(Debug, Subcommand)]
enum Outcome {
    /// The transaction landed: the order ends confirmed
    Landed {
        /// What was received, in whole tokens
        #[arg(long, value_name = "N", value_parser = amount)]
        amount_out: Amount,
    },
    /// The transaction is dead: the order ends failed, and no new attempt begins
    Dead,
}

fn amount(text: &str) -> Result<Amount, String> {
    let decimal = parse_exact(text).map_err(|error| error.to_string())?;
    Amount::new(decimal).ok_or_else(|| "must not be negative".to_owned())
}

pub(crate) fn run(resolve: &Resolve) -> Result<ExitCode, Failure> {
    let landed_with = match &resolve.outcome {
        Outcome::Landed { amount_out } => Some(*amount_out),
        Outcome::Dead => None,
    };
    block_on(async {
        let log = resolve.stream.open().await?;
        fillstream_executor::resolve(&log, resolve.id, landed_with).await?;
        let status = if landed_with.is_some() { "confirmed" } else { "failed" };
        let value = json!({ "order_id": resolve.id, "status": status });
        resolve.output.print(&value, format!("order {} is resolved: {status}", resolve.id))?;
        Ok(ExitCode::SUCCESS)
    })
}
