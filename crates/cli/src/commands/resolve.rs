//! `fillstream resolve`: an operator decides an order whose outcome nobody can tell.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use fillstream_domain::{Amount, OrderId, VenueId, parse_exact};
use fillstream_executor::{Transaction, Verdict};
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
        /// Where it landed, when no readable record says so or it was another one
        #[arg(long, value_name = "VENUE", value_parser = venue, requires = "tx")]
        venue: Option<VenueId>,
        /// The transaction's id, along with --venue
        #[arg(long, value_name = "ID", requires = "venue")]
        tx: Option<String>,
    },
    /// The transaction is dead: the order ends failed, and no new attempt begins
    Dead,
}

fn amount(text: &str) -> Result<Amount, String> {
    let decimal = parse_exact(text).map_err(|error| error.to_string())?;
    Amount::new(decimal).ok_or_else(|| "must not be negative".to_owned())
}

fn venue(text: &str) -> Result<VenueId, String> {
    let known = VenueId::ALL.into_iter().find(|venue| venue.name() == text);
    known.ok_or_else(|| format!("must be one of {}", VenueId::ALL.map(VenueId::name).join(", ")))
}

pub(crate) fn run(resolve: &Resolve) -> Result<ExitCode, Failure> {
    let (verdict, status) = match &resolve.outcome {
        Outcome::Landed { amount_out, venue, tx } => {
            let named = venue.zip(tx.clone()).map(|(venue, tx_id)| Transaction { venue, tx_id });
            (Verdict::Landed { amount_out: *amount_out, named }, "confirmed")
        }
        Outcome::Dead => (Verdict::Dead, "failed"),
    };
    block_on(async {
        let log = resolve.stream.open().await?;
        fillstream_executor::resolve(&log, resolve.id, verdict).await?;
        let value = json!({ "order_id": resolve.id, "status": status });
        resolve.output.print(&value, format!("order {} is resolved: {status}", resolve.id))?;
        Ok(ExitCode::SUCCESS)
    })
}
