//! `fillstream book`: a market's book, now or as it was.

use std::process::ExitCode;

use clap::Args;
use fillstream_domain::book::Symbol;
use fillstream_event_log::EventLog;
use fillstream_matching::{Levels, book_at, definitions};

use super::{
    market::unknown,
    terminal::{StreamArgs, block_on},
};
use crate::Failure;

#[derive(Debug, Args)]
pub(crate) struct Book {
    /// Such as BTC/USDT
    symbol: Symbol,
    /// As it was after this sequence of the stream [default: its end]
    #[arg(long, value_name = "SEQ")]
    at: Option<u64>,
    /// Levels of each side
    #[arg(long, value_name = "N", default_value_t = 10)]
    depth: usize,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    stream: StreamArgs,
}

pub(crate) fn run(book: &Book) -> Result<ExitCode, Failure> {
    block_on(async {
        let log = book.stream.open().await?;
        let known: Vec<_> = definitions(&log).await?.into_iter().map(|(_, definition)| definition).collect();
        if known.iter().all(|definition| definition.symbol != book.symbol) {
            return Err(unknown(&book.symbol, &known));
        }
        let at = match book.at {
            Some(at) => at,
            None => log.info().await?.last_seq,
        };
        let snapshots = log.snapshots().await?;
        let mut levels = book_at(&log, Some(&snapshots), &book.symbol, at).await?;
        levels.bids.truncate(book.depth);
        levels.asks.truncate(book.depth);
        if book.json {
            println!("{}", serde_json::to_string(&levels)?);
        } else {
            print(&book.symbol, &levels);
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// The ladder: asks above bids, the best in the middle.
fn print(symbol: &Symbol, levels: &Levels) {
    println!("{symbol} after sequence {}", levels.seq);
    for (price, quantity) in levels.asks.iter().rev() {
        println!("{:>18} {price:>14} {quantity:<18}", "");
    }
    println!("{:>18} {:─>14} ", "", "");
    for (price, quantity) in &levels.bids {
        println!("{quantity:>18} {price:>14}");
    }
}
