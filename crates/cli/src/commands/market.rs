//! `fillstream market`: the markets, their filters and fees.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use fillstream_clock::now;
use fillstream_domain::{
    Amount, Seq,
    book::{Definition, Symbol, Ticks},
    parse_exact,
};
use fillstream_matching::{define, definitions};
use serde_json::{Value, json};

use super::{
    output::{FAINT, Output, STRONG, styled},
    terminal::{StreamArgs, block_on},
};
use crate::Failure;

/// The largest price of a market whose ticks are too small for the default, in ticks: below what 32 bits count.
const MOST_TICKS: u32 = 4_000_000_000;

#[derive(Debug, Args)]
pub(crate) struct MarketCommand {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    stream: StreamArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Define a market, or change its filters and fees: what is not given stays, or is the default
    Add(Box<Add>),
    /// All markets
    List,
    /// One market with its filters and fees
    Show {
        /// Such as BTC/USDT
        symbol: Symbol,
    },
}

#[derive(Debug, Args)]
struct Add {
    /// Base and quote, such as BTC/USDT
    symbol: Symbol,
    /// Prices are multiples of it; never changes once the market exists [default: 0.01]
    #[arg(long, value_parser = amount, value_name = "PRICE")]
    tick_size: Option<Amount>,
    /// Quantities are multiples of it; never changes once the market exists [default: 0.00000001]
    #[arg(long, value_parser = amount, value_name = "QUANTITY")]
    lot_size: Option<Amount>,
    /// Least quantity of an order [default: the lot size]
    #[arg(long, value_parser = amount, value_name = "QUANTITY")]
    min_quantity: Option<Amount>,
    /// Largest quantity of an order [default: 1000000]
    #[arg(long, value_parser = amount, value_name = "QUANTITY")]
    max_quantity: Option<Amount>,
    /// Least price [default: the tick size]
    #[arg(long, value_parser = amount, value_name = "PRICE")]
    min_price: Option<Amount>,
    /// Largest price [default: 10000000, or 4000000000 ticks if that is less]
    #[arg(long, value_parser = amount, value_name = "PRICE")]
    max_price: Option<Amount>,
    /// Least price times quantity of a limit order [default: 1]
    #[arg(long, value_parser = amount, value_name = "AMOUNT")]
    min_notional: Option<Amount>,
    /// How far a limit may lie from the last trade, in percent; 0 takes the band away [default: none]
    #[arg(long, value_parser = amount, value_name = "PERCENT")]
    price_band: Option<Amount>,
    /// What a maker pays, as a share of what is traded: 0.0005 is 0.05 % [default: 0.0005]
    #[arg(long, value_parser = amount, value_name = "SHARE")]
    maker_fee: Option<Amount>,
    /// What a taker pays [default: 0.001]
    #[arg(long, value_parser = amount, value_name = "SHARE")]
    taker_fee: Option<Amount>,
    /// Digits behind the point of the quote, in which fees are rounded up; never changes [default: 8]
    #[arg(long, value_name = "N")]
    quote_decimals: Option<u32>,
    /// Makers that one order may trade with, at most 100000; the rest of it is cancelled there [default: 10000]
    #[arg(long, value_name = "N")]
    max_makers: Option<u32>,
    /// Orders that one user may have in the book; one more is refused, 0 refuses all that would rest [default: 10000]
    #[arg(long, value_name = "N")]
    max_open_orders_per_user: Option<u32>,
    /// Orders that all users together may have in the book [default: 1000000]
    #[arg(long, value_name = "N")]
    max_open_orders: Option<u32>,
}

fn amount(text: &str) -> Result<Amount, String> {
    let decimal = parse_exact(text).map_err(|error| error.to_string())?;
    Amount::new(decimal).ok_or_else(|| "must not be negative".to_owned())
}

pub(crate) fn run(market: &MarketCommand) -> Result<ExitCode, Failure> {
    block_on(async {
        let (log, output) = (market.stream.open().await?, market.output);
        let known = output.waiting("reading the definitions", definitions(&log)).await?;
        let mut known: Vec<Definition> = known.into_iter().map(|(_, definition)| definition).collect();
        known.sort_by(|one, other| one.symbol.cmp(&other.symbol));
        match &market.action {
            Action::List => list(&known, output)?,
            Action::Show { symbol } => {
                let definition = known.iter().find(|definition| definition.symbol == *symbol);
                let definition = definition.ok_or_else(|| unknown(symbol, &known))?;
                output.print(definition, fields(&serde_json::to_value(definition)?))?;
            }
            Action::Add(add) => {
                let now_defined = known.into_iter().find(|definition| definition.symbol == add.symbol);
                let definition = add.definition(now_defined);
                let defined = define(&log, definition.clone()).await?;
                added(&definition, defined, output)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

impl Add {
    fn definition(&self, known: Option<Definition>) -> Definition {
        let fresh = known.is_none();
        let mut definition = known.unwrap_or_else(|| Definition::standard(self.symbol.clone(), now()));
        definition.at = now();
        definition.tick_size = self.tick_size.unwrap_or(definition.tick_size);
        definition.lot_size = self.lot_size.unwrap_or(definition.lot_size);
        if fresh {
            (definition.min_price, definition.min_quantity) = (definition.tick_size, definition.lot_size);
            if definition.ticks(definition.max_price).is_none()
                && let Some(most) = Ticks::new(MOST_TICKS)
            {
                definition.max_price = definition.price(most);
            }
        }
        for (given, field) in [
            (self.min_quantity, &mut definition.min_quantity),
            (self.max_quantity, &mut definition.max_quantity),
            (self.min_price, &mut definition.min_price),
            (self.max_price, &mut definition.max_price),
            (self.min_notional, &mut definition.min_notional),
            (self.maker_fee, &mut definition.maker_fee),
            (self.taker_fee, &mut definition.taker_fee),
        ] {
            *field = given.unwrap_or(*field);
        }
        if let Some(band) = self.price_band {
            definition.price_band = (!band.decimal().is_zero()).then_some(band);
        }
        definition.quote_decimals = self.quote_decimals.unwrap_or(definition.quote_decimals);
        definition.max_makers = self.max_makers.unwrap_or(definition.max_makers);
        let of_user = self.max_open_orders_per_user.unwrap_or(definition.open_orders_per_user());
        let of_all = self.max_open_orders.unwrap_or(definition.open_orders());
        definition.max_open_orders_per_user = Some(of_user);
        definition.max_open_orders = Some(of_all);
        definition
    }
}

fn list(known: &[Definition], output: Output) -> Result<(), Failure> {
    let heading = format!(
        "{:<12} {:>12} {:>14} {:>14} {:>9} {:>9}",
        "market", "tick", "lot", "min notional", "maker", "taker"
    );
    output.line(styled(FAINT, heading))?;
    for definition in known {
        let Definition { symbol, tick_size, lot_size, min_notional, maker_fee, taker_fee, .. } = definition;
        let name = styled(STRONG, format!("{symbol:<12}"));
        let shown =
            format!("{name} {tick_size:>12} {lot_size:>14} {min_notional:>14} {maker_fee:>9} {taker_fee:>9}");
        output.print(definition, shown)?;
    }
    Ok(())
}

/// A definition with the sequence at which it is, null when there was nothing to write.
fn added(definition: &Definition, seq: Option<Seq>, output: Output) -> Result<(), Failure> {
    let mut value = serde_json::to_value(definition)?;
    let told = match seq {
        Some(seq) => format!("{} is defined at sequence {seq}", definition.symbol),
        None => format!("{} has this definition already", definition.symbol),
    };
    let shown = format!("{told}\n{}", fields(&value));
    value["seq"] = json!(seq);
    output.print(&value, shown)
}

/// A line for each field.
fn fields(value: &Value) -> String {
    let line = |(name, value): (&String, &Value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{}  {text}", styled(FAINT, format!("{name:>24}")))
    };
    value.as_object().into_iter().flatten().map(line).collect::<Vec<_>>().join("\n")
}

/// There is no such market; which there are.
pub(crate) fn unknown(symbol: &Symbol, known: &[Definition]) -> Failure {
    let names: Vec<_> = known.iter().map(|definition| definition.symbol.as_str()).collect();
    let known = if names.is_empty() { "none yet".to_owned() } else { names.join(", ") };
    format!("there is no market {symbol}; there are {known}; `fillstream market add {symbol}` makes it")
        .into()
}
