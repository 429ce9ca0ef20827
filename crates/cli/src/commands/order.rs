//! `fillstream order`: an order's history as the stream tells it.

use std::process::ExitCode;

use clap::Args;
use fillstream_domain::{
    OrderId,
    subject::{swap_placed, swap_progress},
    swap::SwapEvent,
};
use fillstream_event_log::{Consistency, EventLog, Record};
use fillstream_projections::channel::entries;

use super::terminal::{StreamArgs, block_on, line};
use crate::Failure;

#[derive(Debug, Args)]
pub(crate) struct Order {
    /// The order's id
    id: OrderId,
    /// Print the events as they are stored, one JSON object per line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    stream: StreamArgs,
}

pub(crate) fn run(order: &Order) -> Result<ExitCode, Failure> {
    block_on(async {
        let log = order.stream.open().await?;
        let records = history(&log, order.id).await?;
        if records.is_empty() {
            return Err(format!("there is no order {}", order.id).into());
        }
        let mut status = None;
        for record in &records {
            if order.json {
                println!("{}", String::from_utf8_lossy(&record.payload));
                continue;
            }
            match SwapEvent::decode(&record.payload) {
                Ok(event) => {
                    for entry in entries(record.seq, &event, status) {
                        status = Some(entry.status);
                        println!("{}", line(&entry));
                    }
                }
                Err(error) => println!("{:>8}  not an event: {error}", record.seq),
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn history(log: &dyn EventLog, order: OrderId) -> Result<Vec<Record>, Failure> {
    let placed = log.first(&swap_placed(order), Consistency::Leader).await?;
    let mut records: Vec<_> = placed.into_iter().collect();
    loop {
        let from = records.last().map_or(1, |record| record.seq + 1);
        let page = log.read(&swap_progress(order), from, Consistency::Any).await?;
        records.extend(page.records);
        if !page.more {
            return Ok(records);
        }
    }
}
