//! `fillstream swap SOL USDC 10`: places an order and watches it.

use std::process::ExitCode;

use clap::Args;
use fillstream_domain::OrderId;
use serde_json::{Value, json};

use super::{
    output::{Output, STRONG, styled},
    server::ServerArgs,
    terminal::block_on,
    watch::show,
};
use crate::Failure;

#[derive(Debug, Args)]
pub(crate) struct Swap {
    /// Token to pay, such as SOL
    token_in: String,
    /// Token to receive, such as USDC
    token_out: String,
    /// How much to pay
    amount: String,
    /// How much less than the quote is accepted, in percent
    #[arg(long, default_value = "0.5")]
    slippage: String,
    /// Repeating a command with the same key places no second order
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Place it and print the answer, without watching
    #[arg(long)]
    no_watch: bool,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(swap: &Swap) -> Result<ExitCode, Failure> {
    let Swap { token_in, token_out, amount, slippage, key, .. } = swap;
    let body = json!({
        "tokenIn": token_in, "tokenOut": token_out, "amount": amount, "slippage": slippage,
    });
    let (order, placed) = place(&swap.server, key.as_deref(), &body)?;
    let shown = format!("order {}, sequence {}", styled(STRONG, order), placed["seq"]);
    swap.output.print(&placed, shown)?;
    if swap.no_watch {
        return Ok(ExitCode::SUCCESS);
    }
    block_on(show(&swap.server, order, swap.output))
}

/// Places a swap order: its id, and the answer as it came.
///
/// # Errors
/// When the server does not answer, or refuses.
pub(crate) fn place(
    server: &ServerArgs,
    key: Option<&str>,
    body: &Value,
) -> Result<(OrderId, Value), Failure> {
    let placed = server.post("/api/orders/execute", key, body)?;
    let order = placed["orderId"].as_str().ok_or("the server's answer names no order")?.parse()?;
    Ok((order, placed))
}
