//! Figures, each with the ceiling of the same run beside it:
//! `cargo xtask bench [book|trading|past|recovery|swaps|latency|sockets|rebuild]… [--small]`.
//!
//! Load, server and nats-server share the machine's cores; compare rows of one run only.
#![expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "figures for people, not money")]

mod book;
mod ceiling;
mod client;
mod cpu;
mod deep;
mod ear;
mod events;
mod figures;
mod floor;
mod latency;
mod pace;
mod rebuild;
mod size;
mod sockets;
mod swaps;
mod trading;
mod world;

use std::process::ExitCode;

use size::Size;

const ALL: [&str; 8] = ["book", "trading", "past", "recovery", "swaps", "latency", "sockets", "rebuild"];
/// A tenth of everything that has a size of its own: to see that it runs.
const SMALL: &str = "--small";

fn main() -> ExitCode {
    let (options, wanted): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument == SMALL);
    if let Some(unknown) = wanted.iter().find(|name| !ALL.contains(&name.as_str())) {
        eprintln!("there is no bench {unknown:?}; there are {}, and {SMALL}", ALL.join(", "));
        return ExitCode::FAILURE;
    }
    let size = if options.is_empty() { Size::Full } else { Size::Small };
    raise_open_files();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime can be made");
    let runs = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    // Before there is anything else in the process.
    if runs("book") {
        book::run(size);
    }
    runtime.block_on(async {
        if runs("trading") {
            trading::run(size).await;
        }
        if runs("past") || runs("recovery") {
            deep::run(size, runs("past"), runs("recovery")).await;
        }
        if runs("swaps") {
            swaps::run().await;
        }
        if runs("latency") {
            latency::run().await;
        }
        if runs("sockets") {
            sockets::run().await;
        }
        if runs("rebuild") {
            rebuild::run().await;
        }
    });
    ExitCode::SUCCESS
}

/// A client socket is an open file too.
fn raise_open_files() {
    fillstream_tests::process::raise_open_files(65_536);
}
