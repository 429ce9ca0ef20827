//! `fillstream order`: an order's history as the stream tells it.

use std::process::ExitCode;

use clap::Args;
use fillstream_domain::{
    OrderId, Seq,
    subject::{swap_placed, swap_progress},
    swap::SwapEvent,
};
use fillstream_event_log::{Consistency, EventLog, Record};
use fillstream_projections::channel::entries;
use serde_json::{Value, json};

use super::{
    output::{BAD, Output, foreign, styled},
    terminal::{StreamArgs, block_on},
    watch::life_line,
};
use crate::Failure;

#[derive(Debug, Args)]
pub(crate) struct Order {
    /// The order's id
    id: OrderId,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    stream: StreamArgs,
}

pub(crate) fn run(order: &Order) -> Result<ExitCode, Failure> {
    block_on(async {
        let log = order.stream.open().await?;
        let records = order.output.waiting("reading the order's events", history(&log, order.id)).await?;
        if records.is_empty() {
            return Err(
                format!("there is no order {}; `fillstream swap` says the id of one", order.id).into()
            );
        }
        let mut status = None;
        for record in &records {
            let lines = match SwapEvent::decode(&record.payload) {
                Ok(event) => {
                    let entries = entries(record.seq, &event, status);
                    status = entries.last().map_or(status, |entry| Some(entry.status));
                    let line = |entry: &fillstream_projections::channel::Entry| {
                        let message = format!("{:>3} %  {}", entry.progress, entry.message);
                        life_line(entry.seq, &entry.at.to_string(), entry.status.name(), &message)
                    };
                    entries.iter().map(line).collect::<Vec<_>>().join("\n")
                }
                Err(error) => format!(
                    "{:>8}  {} {}",
                    record.seq,
                    styled(BAD, "not an event:"),
                    foreign(&error.to_string())
                ),
            };
            order.output.print(&stored(record), lines)?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// The event as it is stored, with its sequence.
fn stored(record: &Record) -> Value {
    match serde_json::from_slice(&record.payload) {
        Ok(Value::Object(mut event)) => {
            event.insert("seq".to_owned(), record.seq.get().into());
            Value::Object(event)
        }
        Ok(_) | Err(_) => {
            json!({ "seq": record.seq, "unreadable": String::from_utf8_lossy(&record.payload) })
        }
    }
}

async fn history(log: &dyn EventLog, order: OrderId) -> Result<Vec<Record>, Failure> {
    let placed = log.first(&swap_placed(order), Consistency::Leader).await?;
    let mut records: Vec<_> = placed.into_iter().collect();
    loop {
        let from = records.last().map_or(Seq::FIRST, |record| record.seq.next());
        let page = log.read(&swap_progress(order), from, Consistency::Any).await?;
        records.extend(page.records);
        if !page.more {
            return Ok(records);
        }
    }
}
