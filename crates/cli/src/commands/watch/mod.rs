//! `fillstream watch`: follows an order over its socket, with a progress bar; resumes where it was when the
//! connection is lost. With `--demo` it places two orders and draws how they go.

mod demo;
mod picture;

use std::process::ExitCode;

use clap::Args;
use fillstream_domain::{OrderId, Seq};
use indicatif::ProgressBar;
use serde_json::Value;

use super::{
    follow::{End, Heard, follow},
    output::{BAD, FAINT, GOOD, Output, WARNING, foreign, styled},
    server::ServerArgs,
    terminal::block_on,
};
use crate::Failure;

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// The order's id
    #[arg(required_unless_present = "demo")]
    id: Option<OrderId>,
    /// Place an order that succeeds and one that fails, and draw how they go
    #[arg(long, conflicts_with = "id")]
    demo: bool,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(watch: &Watch) -> Result<ExitCode, Failure> {
    block_on(async {
        match watch.id {
            Some(order) => show(&watch.server, order, watch.output).await,
            None => demo::run(&watch.server, watch.output).await,
        }
    })
}

/// Follows an order to its end; the exit code tells the outcome: 0 confirmed, 2 failed.
pub(crate) async fn show(server: &ServerArgs, order: OrderId, output: Output) -> Result<ExitCode, Failure> {
    let shown = Shown { output, bar: output.bar(100, "{bar:40} {pos:>3} %  {msg}") };
    let end = follow(server, order, |heard| shown.take(heard)).await?;
    shown.bar.abandon();
    Ok(match end {
        End::Confirmed => ExitCode::SUCCESS,
        End::Failed => ExitCode::from(2),
    })
}

/// The lines of an order above its bar.
struct Shown {
    output: Output,
    bar: ProgressBar,
}

impl Shown {
    fn take(&self, heard: Heard<'_>) -> Result<(), Failure> {
        let message = match heard {
            Heard::Message(message) => message,
            Heard::Lost => {
                self.bar.set_message("connection lost, resuming …");
                return Ok(());
            }
        };
        self.bar.suspend(|| self.lines(message))?;
        if let Some(progress) = message["progress"].as_u64() {
            self.bar.set_position(progress);
        }
        self.bar.set_message(foreign(message["message"].as_str().unwrap_or_default()).to_string());
        Ok(())
    }

    /// Scripts get the message as it came; people a line for each step, whether it was told late or live.
    fn lines(&self, message: &Value) -> Result<(), Failure> {
        if self.output.is_json() {
            return self.output.print(message, "");
        }
        for entry in message["logs"].as_array().into_iter().flatten() {
            self.output.line(step(entry))?;
        }
        let repeats = message["replayed"].as_bool() == Some(true);
        match message["type"].as_str() {
            Some("connection" | "subscribed" | "backfill") => Ok(()),
            Some(_) | None if repeats => Ok(()),
            Some(_) | None => self.output.line(step(message)),
        }
    }
}

/// One step of an order's life.
fn step(entry: &Value) -> String {
    let text = |name: &str| entry[name].as_str().unwrap_or_default();
    let (seq, kind) = (entry["seq"].as_u64().unwrap_or_default(), text("type"));
    life_line(Seq::new(seq), text("timestamp"), kind, text("message"))
}

/// A line of an order's history, the same wherever it is told.
pub(crate) fn life_line(seq: Seq, at: &str, what: &str, message: &str) -> String {
    let style = match what {
        "confirmed" => GOOD,
        "failed" => BAD,
        "retrying" | "fell_behind" | "reset" | "status" | "shutdown" | "error" => WARNING,
        _ => anstyle::Style::new(),
    };
    let what = styled(style, foreign(&format!("{what:<10}")).to_string());
    format!("{seq:>8}  {}  {what}  {}", styled(FAINT, foreign(at)), foreign(message))
}
