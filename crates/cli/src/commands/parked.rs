//! `fillstream parked`: what could not be handled.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use fillstream_clock::now;
use fillstream_domain::{
    OrderId, Seq,
    parked::{Cause, Parked},
};
use fillstream_event_log::EventLog;
use serde_json::json;

use super::{
    output::{FAINT, GOOD, Output, STRONG, WARNING, foreign, styled},
    terminal::{StreamArgs, block_on},
};
use crate::Failure;

#[derive(Debug, Args)]
pub(crate) struct ParkedCommand {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    output: Output,
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
    seq: Seq,
}

pub(crate) fn run(parked: &ParkedCommand) -> Result<ExitCode, Failure> {
    let output = parked.output;
    block_on(async {
        let log = parked.stream.open().await?;
        match &parked.action {
            None | Some(Action::List) => list(&log, output).await?,
            Some(Action::Retry(Entry { part, seq })) => {
                let anew = fillstream_parked::retry(&log, part, *seq, now()).await?;
                let shown = format!("the message of sequence {seq} is appended anew as {anew}");
                output.print(&json!({ "part": part, "seq": seq, "retried_as": anew }), shown)?;
            }
            Some(Action::Skip(Entry { part, seq })) => {
                let review = fillstream_parked::skip(&log, part, *seq, now()).await?;
                let shown = skipped(*seq, review);
                let value = json!({ "part": part, "seq": seq, "skipped": true, "under_review": review });
                output.print(&value, shown)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// What was done, and what follows from it.
fn skipped(seq: Seq, review: Option<OrderId>) -> String {
    let done = format!("the message of sequence {seq} is left out");
    match review {
        None => done,
        Some(order) => format!(
            "{done}; it may tell of a transaction, so order {order} goes under review: find out whether one landed, then \
             fillstream resolve {order} landed --amount-out N --venue V --tx ID | dead"
        ),
    }
}

async fn list(log: &dyn EventLog, output: Output) -> Result<(), Failure> {
    let open = output.waiting("reading the parked entries", fillstream_parked::list(log)).await?;
    if open.is_empty() {
        return output.line(styled(GOOD, "nothing is parked"));
    }
    open.iter().try_for_each(|open| output.print(&open.entry, shown(&open.entry)))
}

/// What was put aside, why, and what an operator can do.
fn shown(entry: &Parked) -> String {
    let Parked { part, seq, subject, cause, order_id, reason, at } = entry;
    let advice = match cause {
        Cause::Unreadable => format!("fillstream parked retry|skip {part} {seq}"),
        Cause::Review => {
            let order = order_id.map(|order| order.to_string()).unwrap_or_default();
            format!("fillstream resolve {order} landed --amount-out N | dead")
        }
    };
    let (part, at) = (styled(WARNING, foreign(&format!("{part:<10}")).to_string()), styled(FAINT, at));
    // A record that could not be read may be anybody's.
    let (subject, reason, advice) = (foreign(subject), foreign(reason), foreign(&advice).to_string());
    format!("{seq:>8}  {part}  {subject}  {at}\n{:>10}{reason}\n{:>10}→ {}", "", "", styled(STRONG, advice))
}
