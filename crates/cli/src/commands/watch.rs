//! `fillstream watch`: follows an order over its socket, with a progress bar; resumes where it was when the
//! connection is lost.

use std::{process::ExitCode, time::Duration};

use clap::Args;
use fillstream_domain::OrderId;
use futures_util::StreamExt;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Error, Message},
};

use super::terminal::block_on;
use crate::Failure;

/// Pause before the socket is opened again.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// The order's id
    id: OrderId,
    #[command(flatten)]
    server: ServerArgs,
}

/// Which server a command asks.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServerArgs {
    /// Address of the server's HTTP
    #[arg(long, env = "FILLSTREAM_SERVER", default_value = "http://127.0.0.1:3000", value_name = "URL", value_parser = server)]
    pub(crate) server: String,
}

/// Commands speak plain HTTP.
fn server(text: &str) -> Result<String, String> {
    match text.strip_prefix("http://").map(|rest| rest.trim_end_matches('/')) {
        Some(host) if !host.is_empty() => Ok(format!("http://{host}")),
        Some(_) | None => Err("must be such as http://127.0.0.1:3000".to_owned()),
    }
}

pub(crate) fn run(watch: &Watch) -> Result<ExitCode, Failure> {
    block_on(follow(&watch.server.server, watch.id))
}

/// Follows an order to its end; the exit code tells the outcome: 0 confirmed, 2 failed.
pub(crate) async fn follow(server: &str, order: OrderId) -> Result<ExitCode, Failure> {
    let url = format!("{}/api/orders/status/{order}", server.replacen("http", "ws", 1));
    let mut shown = Shown::new();
    loop {
        let resume = shown.token.as_ref().map_or_else(|| url.clone(), |token| format!("{url}?after={token}"));
        match connect_async(&resume).await {
            Ok((socket, _)) => {
                let (_, mut messages) = socket.split();
                while let Some(Ok(message)) = messages.next().await {
                    if let Message::Text(text) = message
                        && let Some(code) = shown.take(&serde_json::from_str(&text)?)
                    {
                        return Ok(code);
                    }
                }
            }
            Err(Error::Http(refused)) if refused.status().is_client_error() => {
                let body = refused.into_body().unwrap_or_default();
                let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
                return Err(problem["detail"].as_str().unwrap_or("the server refused the socket").into());
            }
            Err(error) if shown.token.is_none() => {
                return Err(format!("{server} does not answer: {error}").into());
            }
            Err(_) => {}
        }
        shown.bar.set_message("connection lost, resuming …");
        tokio::time::sleep(PAUSE).await;
    }
}

struct Shown {
    bar: ProgressBar,
    token: Option<String>,
}

impl Shown {
    fn new() -> Self {
        let style = ProgressStyle::with_template("{bar:40} {pos:>3} %  {msg}");
        let bar = ProgressBar::with_draw_target(Some(100), ProgressDrawTarget::stderr());
        Self { bar: bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())), token: None }
    }

    /// Shows a message; the exit code when it is the last one.
    fn take(&mut self, message: &Value) -> Option<ExitCode> {
        if let Some(token) = message["token"].as_str() {
            self.token = Some(token.to_owned());
        }
        for entry in message["logs"].as_array().into_iter().flatten() {
            self.line(entry);
        }
        let kind = message["type"].as_str().unwrap_or_default();
        let replayed = message["replayed"].as_bool() == Some(true);
        match kind {
            "connection" | "subscribed" | "backfill" => {}
            _ if replayed => {}
            _ => self.line(message),
        }
        if let Some(progress) = message["progress"].as_u64() {
            self.bar.set_position(progress);
        }
        self.bar.set_message(message["message"].as_str().unwrap_or_default().to_owned());
        let status = message["status"].as_str().unwrap_or_default();
        match status {
            "confirmed" => Some(self.end(ExitCode::SUCCESS)),
            "failed" => Some(self.end(ExitCode::from(2))),
            _ => None,
        }
    }

    fn line(&self, entry: &Value) {
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let seq = entry["seq"].as_u64().unwrap_or_default();
        let line = format!("{seq:>8}  {}  {:<10}  {}", text("timestamp"), text("type"), text("message"));
        // Without a terminal the bar is hidden, and so would be lines printed above it.
        if self.bar.is_hidden() { println!("{line}") } else { self.bar.println(line) }
    }

    fn end(&self, code: ExitCode) -> ExitCode {
        self.bar.abandon();
        code
    }
}
