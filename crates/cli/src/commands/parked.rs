//! `fillstream parked`: what could not be handled.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use fillstream_domain::parked::Cause;
use fillstream_executor::now;

use super::terminal::{StreamArgs, block_on};
use crate::Failure;

#[derive(Debug, Args)]
pub(crate) struct ParkedCommand {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    stream: StreamArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// The open entries
    List,
    /// Append the message anew at the end of its subject, and close the entry
    Retry(Entry),
    /// Leave the message out for good, and close the entry
    Skip(Entry),
}

#[derive(Debug, Args)]
struct Entry {
    /// The part that put it aside, such as executor
    part: String,
    /// The message's sequence in the stream
    seq: u64,
}

pub(crate) fn run(parked: &ParkedCommand) -> Result<ExitCode, Failure> {
    block_on(async {
        let log = parked.stream.open().await?;
        match &parked.action {
            None | Some(Action::List) => {
                let open = fillstream_parked::list(&log).await?;
                if open.is_empty() {
                    println!("nothing is parked");
                }
                for open in open {
                    let entry = open.entry;
                    let order = entry.order_id.map(|order| order.to_string()).unwrap_or_default();
                    let advice = match entry.cause {
                        Cause::Unreadable => {
                            format!("fillstream parked retry|skip {} {}", entry.part, entry.seq)
                        }
                        Cause::Review => format!("fillstream resolve {order} landed --amount-out N | dead"),
                    };
                    println!("{:>8}  {:<10}  {}  {}", entry.seq, entry.part, entry.subject, entry.at);
                    println!("          {}", entry.reason);
                    println!("          → {advice}");
                }
            }
            Some(Action::Retry(entry)) => {
                let seq = fillstream_parked::retry(&log, &entry.part, entry.seq, now()).await?;
                println!("the message of sequence {} is appended anew as {seq}", entry.seq);
            }
            Some(Action::Skip(entry)) => {
                fillstream_parked::skip(&log, &entry.part, entry.seq, now()).await?;
                println!("the message of sequence {} is left out", entry.seq);
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}
