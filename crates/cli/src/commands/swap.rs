//! `fillstream swap SOL USDC 10`: places an order and watches it.

use std::process::ExitCode;

use clap::Args;
use fillstream_domain::OrderId;
use serde_json::{Value, json};

use super::{
    terminal::block_on,
    watch::{ServerArgs, follow},
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
}

pub(crate) fn run(swap: &Swap) -> Result<ExitCode, Failure> {
    let placed = place(swap)?;
    if swap.no_watch {
        println!("{placed}");
        return Ok(ExitCode::SUCCESS);
    }
    let order: OrderId = placed["orderId"].as_str().unwrap_or_default().parse()?;
    println!("order {order}, sequence {}", placed["seq"]);
    block_on(follow(&swap.server.server, order))
}

fn place(swap: &Swap) -> Result<Value, Failure> {
    let body = json!({
        "tokenIn": swap.token_in, "tokenOut": swap.token_out, "amount": swap.amount, "slippage": swap.slippage,
    });
    let server = &swap.server.server;
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
    let mut request =
        agent.post(format!("{server}/api/orders/execute")).header("Content-Type", "application/json");
    if let Some(key) = &swap.key {
        request = request.header("Idempotency-Key", key);
    }
    let mut answer =
        request.send(body.to_string()).map_err(|error| format!("{server} does not answer: {error}"))?;
    let status = answer.status();
    let text = answer.body_mut().read_to_string()?;
    let answer: Value = serde_json::from_str(&text)
        .map_err(|_| format!("{server} answers {status} without JSON: that is no fillstream"))?;
    if status == 201 { Ok(answer) } else { Err(problem(&answer).into()) }
}

/// A problem as one line: what is wrong with which field.
fn problem(answer: &Value) -> String {
    let mut text = answer["detail"].as_str().unwrap_or("the server refused the order").to_owned();
    for error in answer["errors"].as_array().into_iter().flatten() {
        let part = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        text.push_str(&format!("\n  {}: {}", part("pointer"), part("detail")));
    }
    text
}
