//! `fillstream book`: a market's book, now or as it was.

use std::{fmt, process::ExitCode};

use clap::Args;
use fillstream_domain::{Seq, book::Symbol};
use fillstream_event_log::EventLog;
use fillstream_matching::{Levels, book_at, definitions};
use serde_json::json;

use super::{
    market::unknown,
    output::{BAD, FAINT, GOOD, Output, STRONG, styled},
    terminal::{StreamArgs, block_on},
};
use crate::Failure;

#[derive(Debug, Args)]
pub(crate) struct Book {
    /// Such as BTC/USDT
    symbol: Symbol,
    /// As it was after this sequence of the stream [default: its end]
    #[arg(long, value_name = "SEQ")]
    at: Option<Seq>,
    /// Levels of each side
    #[arg(long, value_name = "N", default_value_t = 10)]
    depth: usize,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    stream: StreamArgs,
}

pub(crate) fn run(book: &Book) -> Result<ExitCode, Failure> {
    block_on(async {
        let mut levels = book.output.waiting("folding the book's levels", read(book)).await?;
        levels.bids.truncate(book.depth);
        levels.asks.truncate(book.depth);
        let Levels { seq, bids, asks } = &levels;
        let value = json!({ "symbol": book.symbol, "seq": seq, "bids": bids, "asks": asks });
        book.output.print(&value, ladder(&book.symbol, &levels))?;
        Ok(ExitCode::SUCCESS)
    })
}

async fn read(book: &Book) -> Result<Levels, Failure> {
    let log = book.stream.open().await?;
    let known: Vec<_> = definitions(&log).await?.into_iter().map(|(_, definition)| definition).collect();
    if known.iter().all(|definition| definition.symbol != book.symbol) {
        return Err(unknown(&book.symbol, &known));
    }
    let at = match book.at {
        Some(at) => at,
        None => log.info().await?.last_seq,
    };
    let snapshots = log.snapshots();
    Ok(book_at(&log, Some(&snapshots), &book.symbol, at).await?)
}

/// Asks above bids, the best in the middle.
fn ladder(symbol: &Symbol, levels: &Levels) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        write!(f, "{} after sequence {}", styled(STRONG, symbol), levels.seq)?;
        for (price, quantity) in levels.asks.iter().rev() {
            write!(f, "\n{:>18} {} {quantity:<18}", "", styled(BAD, format!("{price:>14}")))?;
        }
        write!(f, "\n{:>18} {}", "", styled(FAINT, "─".repeat(14)))?;
        for (price, quantity) in &levels.bids {
            write!(f, "\n{quantity:>18} {}", styled(GOOD, format!("{price:>14}")))?;
        }
        Ok(())
    })
}
